// Unpacks the page's scripts and runs them: the browser's own gunzip, no network.
(async () => {
  const nonce = document.currentScript.nonce;
  const say = (text) => {
    const note = document.getElementById("note");
    note.textContent = text;
    note.hidden = false;
  };
  window.addEventListener("error", (event) => say(`This page could not be drawn: ${event.message}`));
  if (typeof DecompressionStream === "undefined") {
    say("This page needs a browser of 2023 or newer (Chrome 80, Safari 16.4, Firefox 113).");
    return;
  }
  try {
    const packed = atob(document.getElementById("packed").textContent.trim());
    const bytes = Uint8Array.from(packed, (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.nonce = nonce;
    script.textContent = await new Response(stream).text();
    document.body.append(script);
    document.dispatchEvent(new Event("page-scripts-ready"));
    document.documentElement.dataset.drawn = "yes";
  } catch (error) {
    say(`This page could not be drawn: ${error}`);
    throw error;
  }
})();

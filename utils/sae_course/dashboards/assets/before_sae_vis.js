// What sae_vis' script expects to find, from the page's data.
const START_KEY = PAGE.start;
const METADATA = PAGE.metadata;
// Boards are wide: where three columns don't fit, the first one's tables go below the histograms.
if (METADATA.othello && innerWidth < 1500) {
  const [tables, middle, boards] = METADATA.layout;
  METADATA.layout = [[...middle, ...tables], boards];
}
const DATA = new Proxy(Object.fromEntries(PAGE.latents), {
  ownKeys: () => PAGE.latents.map(([latent]) => latent), // in the order asked for
});
const PROMPT_DATA = {};
// By number: plotly, which reads HTML of its own kind in annotations, knows few entities by name.
const escapeHtml = (text) =>
  text.replace(/[&<>"' ]/g, (sign) => (sign === " " ? "&nbsp;" : `&#${sign.codePointAt(0)};`));
// The two functions of d3-array that its boards are drawn with.
d3.range = (n) => Array.from({ length: n }, (_, i) => i);
d3.cross = (some, others) => some.flatMap((a) => others.map((b) => [a, b]));

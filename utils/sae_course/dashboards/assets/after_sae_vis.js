// A latent that never fired has neither histogram nor sequences: say so in their place.
for (const component of ["actsHistogram", "seqMultiGroup"]) {
  const draw = componentMap[component];
  componentMap[component] = (latent, data, id) => {
    const { never } = DATA[latent].actsHistogram;
    if (!never) return draw(latent, data, id);
    const title = component === "actsHistogram" ? "ACTIVATIONS" : "TOP ACTIVATIONS";
    const place = d3.select(`#${id}`);
    place.append("h4").text(title);
    place.append("p").attr("class", "never").text(never);
  };
}
// Under a board's numbers: which game it is of, and who plays next.
if (METADATA.othello) {
  const draw = componentMap.seqMultiGroup;
  componentMap.seqMultiGroup = (latent, data, id) => {
    draw(latent, data, id);
    const said = data.flatMap((group) => group.seqGroupData.map(({ seqMetadata }) => seqMetadata.said));
    d3.selectAll(`#${id} .highlight-header`).data(said).append("div").attr("class", "said").text((words) => words);
  };
}
// What the mouse shows stays inside the window.
document.addEventListener("mousemove", (event) => {
  for (const box of document.querySelectorAll('.tooltip[style*="display: flex"]')) {
    const { width, height } = box.getBoundingClientRect();
    const left = Math.min(event.clientX - width / 2, innerWidth - width - 24);
    const below = event.clientY + 20;
    box.style.left = `${Math.max(4, left)}px`;
    box.style.top = `${below + height < innerHeight ? below : Math.max(4, event.clientY - height - 12)}px`;
  }
});

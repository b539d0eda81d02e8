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

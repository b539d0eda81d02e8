// What sae_vis' script expects to find, from the page's data.
const START_KEY = PAGE.start;
const METADATA = PAGE.metadata;
const DATA = new Proxy(Object.fromEntries(PAGE.latents), {
  ownKeys: () => PAGE.latents.map(([latent]) => latent), // in the order asked for
});
const PROMPT_DATA = {};
// By number: plotly, which reads HTML of its own kind in annotations, knows few entities by name.
const escapeHtml = (text) =>
  text.replace(/[&<>"' ]/g, (sign) => (sign === " " ? "&nbsp;" : `&#${sign.codePointAt(0)};`));

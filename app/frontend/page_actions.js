// Buttons that act on the page in the browser alone: copy its address, save a chart's picture.
//
// A chart is several SVG layers of one size; saved they are one file, without hover words.

const SVG = "http://www.w3.org/2000/svg";

export default function (component) {
  const { data, parentElement: root } = component;
  joinSteps();
  const place = root.querySelector(".actions");
  place.replaceChildren(...data.actions.map((action) => button(action, data)));
}

function button({ act, label }, data) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.addEventListener("click", async () => {
    const done = act === "copy" ? await copyAddress() : await save(data.chart, data.name, act);
    made.textContent = done;
    setTimeout(() => (made.textContent = label), 1600);
  });
  return made;
}

async function copyAddress() {
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    // Without a secure address there is no clipboard to write to but this way.
    const field = document.createElement("textarea");
    field.value = location.href;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  return "Copied";
}

async function save(chart, name, format) {
  const layers = [...document.querySelectorAll(`.st-key-${chart} .js-plotly-plot svg.main-svg`)];
  if (!layers.length) return "Nothing to save";
  const [width, height] = ["width", "height"].map((side) => layers[0].getAttribute(side));
  const whole = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ xmlns: SVG, width, height }))
    whole.setAttribute(key, value);
  const backdrop = document.createElementNS(SVG, "rect"); // the page's, which layers only style
  const fill = getComputedStyle(layers[0]).backbackdropColor;
  for (const [key, value] of Object.entries({ width, height, fill })) backdrop.setAttribute(key, value);
  whole.append(backdrop);
  for (const layer of layers) {
    const copy = layer.cloneNode(true);
    copy.querySelectorAll(".hoverlayer").forEach((each) => each.remove());
    whole.append(copy);
  }
  const text = new XMLSerializer().serializeToString(whole);
  const blob = new Blob([text], { type: "image/svg+xml" });
  download(format === "png" ? await pixels(blob, +width, +height) : blob, `${name}.${format}`);
  return "Saved";
}

// What a page writes into its address by itself, after it was opened or after a click has been
// answered, is no step of its own to Back.
function joinSteps() {
  if (history.joinsSteps) return;
  history.joinsSteps = true;
  const push = history.pushState.bind(history);
  let last = 0, acted = 0;
  for (const name of ["pointerdown", "keydown"])
    addEventListener(name, () => (acted = Date.now()), true);
  history.pushState = (state, title, url) => {
    const to = new URL(url ?? location.href, location.href);
    const here = to.pathname === location.pathname;
    const joined = here && (!location.search || acted <= last);
    last = Date.now();
    if (joined) history.replaceState(state, title, url);
    else push(state, title, url);
  };
}

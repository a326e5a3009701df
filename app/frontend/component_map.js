// A map of buttons, one per cell; tells the server which are on.  The page's state lives on the
// server: a new version replaces what is on here, an echo of our own choice does not.

const states = new WeakMap();
const MANY = 12; // layers above which cells stand closer and every fifth number is written

export default function (component) {
  const { data, parentElement: root, setStateValue } = component;
  const state = states.get(root) ?? { version: null, on: new Set(), drawn: "" };
  states.set(root, state);
  if (state.version !== data.version) {
    state.version = data.version;
    state.on = new Set(data.on);
  }
  state.tell = () =>
    setStateValue("chosen", { base: data.base, version: data.version, on: [...state.on] });
  const place = root.querySelector(".place");
  if (state.drawn !== data.base) {
    state.drawn = data.base;
    place.replaceChildren(draw(data, state, place));
  }
  paint(state, place);
}

function draw(data, state, place) {
  const map = element("div", "map" + (data.deep ? " deep" : ""));
  const toggle = (names) => {
    const all = names.every((name) => state.on.has(name));
    names.forEach((name) => (all ? state.on.delete(name) : state.on.add(name)));
    paint(state, place);
    state.tell();
  };
  for (const stack of data.stacks) {
    const box = element("section", "stack");
    box.setAttribute("aria-label", stack.title);
    const title = element("h3");
    title.textContent = stack.title;
    box.append(title);
    const grid = element("div", "grid");
    const many = stack.layers > MANY;
    if (many) grid.classList.add("many");
    const narrowest = many ? 7 : 14;
    grid.style.gridTemplateColumns = `max-content repeat(${stack.layers}, minmax(${narrowest}px, 1fr))`;
    grid.append(element("span"));
    for (let layer = 0; layer < stack.layers; layer++) {
      const names = stack.rows.flatMap((row) => row.cells[layer] ?? []).map((cell) => cell.name);
      const words = `${stack.title}, all of layer ${layer + 1}`;
      const written = !many || layer === 0 || (layer + 1) % 5 === 0; // others would run together
      grid.append(button("column", words, () => toggle(names), written ? `${layer + 1}` : ""));
    }
    for (const row of stack.rows) {
      const names = row.cells.filter(Boolean).map((cell) => cell.name);
      const words = `${stack.title}, ${row.title} in every layer`;
      grid.append(button("row", words, () => toggle(names), row.title));
      for (const cell of row.cells)
        grid.append(cell ? square(cell, () => toggle([cell.name])) : element("span"));
    }
    grid.addEventListener("keydown", (event) => move(event, grid));
    rove(grid);
    box.append(grid);
    map.append(box);
  }
  const whole = document.createDocumentFragment();
  whole.append(map);
  if (data.words.length) {
    const words = element("div", "words");
    for (const cell of data.words) {
      const made = square(cell, () => toggle([cell.name]));
      const name = element("span");
      name.textContent = cell.title;
      made.append(name);
      words.append(made);
    }
    whole.append(words);
  }
  return whole;
}

function square(cell, act) {
  const made = button("cell", cell.words, act);
  made.dataset.name = cell.name;
  const dot = element("i");
  dot.style.width = dot.style.height = `${cell.dot}px`;
  made.append(dot);
  return made;
}

function button(kind, words, act, text = "") {
  const made = element("button", kind);
  made.type = "button";
  made.title = words;
  made.setAttribute("aria-label", words);
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

function element(tag, kind = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  return made;
}

function paint(state, place) {
  for (const cell of place.querySelectorAll("button.cell"))
    cell.setAttribute("aria-pressed", String(state.on.has(cell.dataset.name)));
}

// One stop of the Tab key per stack; arrow keys move inside it.
function rove(grid, to = grid.querySelector("button.cell")) {
  for (const each of grid.querySelectorAll("button")) each.tabIndex = each === to ? 0 : -1;
}

function move(event, grid) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const way = step[event.key];
  const from = event.target.closest("button");
  if (!way || !from) return;
  event.preventDefault();
  const at = from.getBoundingClientRect();
  const middle = (box) => [box.x + box.width / 2, box.y + box.height / 2];
  const [x, y] = middle(at);
  let best = null;
  for (const each of grid.querySelectorAll("button")) {
    const [ex, ey] = middle(each.getBoundingClientRect());
    const along = (ex - x) * way[0] + (ey - y) * way[1];
    const across = Math.abs((ex - x) * way[1]) + Math.abs((ey - y) * way[0]);
    if (along < 4 || (way[0] && across > 8)) continue;
    const far = along + 3 * across;
    if (!best || far < best.far) best = { far, each };
  }
  if (best) {
    rove(grid, best.each);
    best.each.focus();
  }
}

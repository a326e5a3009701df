// A loss surface in 3D: triangles drawn from back to front as SVG, turned by hand or by keys.
//
// It needs no graphics card: without one a browser takes a second to set up WebGL, this a moment.
// Python gives `data` (see app/figures/landscape_surface.py) and receives the point that was clicked.

const SVG = "http://www.w3.org/2000/svg";
const TALL = 470; // pixels, and less where it is narrow
const START = { turn: -0.37, tilt: 0.72 }; // radians: about the upright axis, and from level
const REACH = 18; // pixels between a pointer and the point it means
const TURNS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const surfaces = new WeakMap(); // shadow root → LossSurface: this module is called again at every change

export default function (component) {
  const root = component.parentElement;
  if (!surfaces.has(root)) surfaces.set(root, new LossSurface(root));
  const surface = surfaces.get(root);
  surface.report = (point) => component.setTriggerValue("point", point);
  surface.show(component.data);
  return () => {
    surface.watch.disconnect();
    surfaces.delete(root);
  };
}

class LossSurface {
  constructor(root) {
    this.box = root.querySelector(".loss-surface");
    this.view = { ...START };
    this.svg = make("svg", { role: "img", tabindex: 0 });
    this.box.append(this.svg, this.buttons());
    this.watch = new ResizeObserver(() => this.data && this.draw());
    this.watch.observe(this.box);
    this.svg.addEventListener("mousedown", (event) => event.preventDefault()); // no focus ring
    this.svg.addEventListener("pointerdown", (event) => this.startDrag(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    this.svg.addEventListener("pointerup", (event) => this.release(event));
    this.svg.addEventListener("pointercancel", () => (this.drag = null));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  show(data) {
    this.data = data;
    this.svg.setAttribute("aria-label", data.alt);
    this.draw();
  }

  // Turning and pointing -----------------------------------------------------------------------

  turn(across, up) {
    this.view.turn += across;
    this.view.tilt = Math.min(1.5, Math.max(0.1, this.view.tilt + up));
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.draw();
    });
  }

  startDrag(event) {
    this.drag = { x: event.clientX, y: event.clientY, moved: 0 };
    this.svg.setPointerCapture(event.pointerId);
  }

  release(event) {
    const still = this.drag && this.drag.moved < 4;
    this.drag = null;
    const point = still ? this.nearest(event) : null;
    if (point !== null) this.report(this.data.rows[point]);
  }

  move(event) {
    if (!this.drag) return this.point(this.nearest(event));
    const [across, down] = [event.clientX - this.drag.x, event.clientY - this.drag.y];
    this.drag = {
      x: event.clientX,
      y: event.clientY,
      moved: this.drag.moved + Math.abs(across) + Math.abs(down),
    };
    this.turn(across / 150, down / 150);
  }

  key(event) {
    const way = TURNS[event.key];
    if (!way) return;
    event.preventDefault();
    this.turn(way[0] * 0.15, way[1] * 0.1);
  }

  nearest(event) {
    const frame = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.x, event.clientY - frame.y];
    let [found, best] = [null, Infinity];
    for (let nth = 0; nth < this.data.rows.length; nth++) {
      const [px, py, depth] = this.at[nth];
      const far = Math.hypot(px - x, py - y);
      if (far < REACH && far + 40 * depth < best) [found, best] = [nth, far + 40 * depth];
    }
    return found;
  }

  point(nth) {
    this.tip?.remove();
    this.tip = null;
    if (nth === null) return;
    const [x, y] = this.at[nth];
    this.tip = this.label(x, y - 12, this.data.values[nth], "tip");
    this.svg.append(this.tip);
  }

  // Drawing ------------------------------------------------------------------------------------

  draw() {
    const width = this.box.clientWidth;
    if (!width) return;
    const { data, svg } = this;
    const size = Math.min((width - 100) / 1.65, data.ticks.x.length ? 290 : 340);
    this.height = Math.min(TALL, 110 + 1.75 * size);
    svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    svg.style.height = `${this.height}px`;
    this.project = projection(this.view, width / 2 + 24, this.height / 2 + 20, size);
    this.at = data.points.map(this.project);
    svg.replaceChildren();
    words(svg, data.title, { x: 0, y: 18, class: "title" });
    words(svg, data.facts, { x: 0, y: 34, class: "facts" });
    this.walls();
    this.surface();
    const deep = (mark) => this.project(mark.at)[2];
    for (const mark of [...data.marks].sort((one, other) => deep(other) - deep(one)))
      this.mark(mark);
  }

  surface() {
    const { at } = this;
    const deep = ([a, b, c]) => at[a][2] + at[b][2] + at[c][2];
    const order = [...this.data.triangles].sort((one, other) => deep(other) - deep(one));
    const place = (nth) => `${at[nth][0].toFixed(1)},${at[nth][1].toFixed(1)}`;
    const drawn = order.map(
      ([a, b, c, colour]) =>
        `<path d="M${place(a)} ${place(b)} ${place(c)}Z" fill="${colour}" stroke="${colour}"/>`,
    );
    const group = make("g", { class: "surface" });
    group.innerHTML = drawn.join(""); // numbers and colours of our own, no text of anybody's
    this.svg.append(group);
  }

  // Floor, two walls behind the surface with a line at every tick, and the axes' names.
  walls() {
    const { sides, ticks, top } = this.data;
    const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([x, y]) => [
      (x * sides[0]) / 2,
      (y * sides[1]) / 2,
    ]);
    const deep = corners.map(([x, y]) => this.project([x, y, 0])[2]);
    const far = deep.indexOf(Math.max(...deep));
    const corner = (nth) => corners[(far + nth + 4) % 4];
    const line = (points, kind) =>
      this.svg.append(
        make("polyline", {
          class: kind,
          points: points.map((each) => this.project(each).slice(0, 2).join()).join(" "),
        }),
      );
    line([...corners, corners[0]].map(([x, y]) => [x, y, 0]), "wall");
    for (const nth of [-1, 0, 1]) line([[...corner(nth), 0], [...corner(nth), top]], "wall");
    for (const { at } of ticks.z)
      line([-1, 0, 1].map((nth) => [...corner(nth), at]), "wall");
    const left = [-1, 1].reduce((one, other) =>
      this.project([...corner(one), 0])[0] < this.project([...corner(other), 0])[0] ? one : other,
    );
    let outer = Infinity;
    for (const { at, text } of ticks.z) {
      const [x, y] = this.project([...corner(left), at]);
      const node = words(this.svg, text, { x: x - 8, y: y + 4, class: "tick end" });
      outer = Math.min(outer, x - 12 - node.getComputedTextLength());
    }
    const [, y] = this.project([...corner(left), top / 2]);
    const name = { class: "axis", transform: `translate(${outer - 4},${y}) rotate(-90)` };
    words(this.svg, this.data.unit, name);
    for (const other of [1, -1]) this.edge(corner(2), corner(2 - other), ticks);
  }

  // Ticks and name of the axis along a front edge of the floor.
  edge(near, end, ticks) {
    const axis = near[0] === end[0] ? "y" : "x";
    const place = (at) => this.project(axis === "x" ? [at, near[1], 0] : [near[0], at, 0]);
    const [[nx], [ex]] = [this.project([...near, 0]), this.project([...end, 0])];
    const side = ex < nx ? "end" : "start";
    const out = ex < nx ? -1 : 1;
    for (const { at, text } of ticks[axis]) {
      const [x, y] = place(at);
      words(this.svg, text, { x: x + 6 * out, y: y + 16, class: `tick ${side}` });
    }
    const [[x, y], [fx, fy]] = [place(0), place(0.01)];
    const steep = Math.atan2(fy - y, fx - x);
    const along = Math.abs(steep) > Math.PI / 2 ? steep - Math.sign(steep) * Math.PI : steep;
    const [left, top] = [x - 52 * Math.sin(along), y + 52 * Math.cos(along)];
    const turned = `translate(${left},${top}) rotate(${(along * 180) / Math.PI})`;
    words(this.svg, this.data.axes[axis], { class: "axis", transform: turned });
  }

  mark({ at, text, colour, below }) {
    const [x, y] = this.project(at);
    this.svg.append(
      make("circle", { cx: x, cy: y, r: 6, fill: colour, class: "mark" }),
      this.label(x, below ? y + 24 : y - 14, text, "name"),
    );
  }

  // Words on a background of their own, for the colours below go light and dark.
  label(x, y, text, kind) {
    const group = make("g", { class: kind });
    const box = make("rect", { rx: 2 });
    group.append(box);
    this.svg.append(group);
    const node = words(group, text, { x, y });
    const { x: left, y: high, width, height } = node.getBBox();
    for (const [name, value] of Object.entries({
      x: left - 3,
      y: high - 1,
      width: width + 6,
      height: height + 2,
    }))
      box.setAttribute(name, value);
    return group;
  }

  // Saving -------------------------------------------------------------------------------------

  buttons() {
    const box = make("div", { class: "buttons" }, "http://www.w3.org/1999/xhtml");
    const button = (icon, text, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.title = text;
      made.setAttribute("aria-label", text);
      made.append(picture(icon));
      made.addEventListener("click", act);
      box.append(made);
    };
    button(CAMERA, "Save the picture", () => this.save());
    button(HOUSE, "Turn it back", () => {
      this.view = { ...START };
      this.draw();
    });
    return box;
  }

  async save() {
    const edge = 16;
    const [width, height] = [this.box.clientWidth + 2 * edge, this.height + 2 * edge];
    const copy = this.svg.cloneNode(true);
    copy.querySelector(".tip")?.remove();
    this.inline(copy);
    const viewBox = `${-edge} ${-edge} ${width} ${height}`;
    for (const [name, value] of Object.entries({ xmlns: SVG, width, height, viewBox }))
      copy.setAttribute(name, value);
    const blob = new Blob([copy.outerHTML], { type: "image/svg+xml" });
    const { name, picture: format } = this.data;
    download(format === "png" ? await pixels(blob, width, height) : blob, `${name}.${format}`);
  }

  // What the page's style says, written into the copy, which leaves the page behind.
  inline(copy) {
    const background = getComputedStyle(this.box).backgroundColor;
    const whole = { x: "-100%", y: "-100%", width: "300%", height: "300%", fill: background };
    copy.prepend(make("rect", whole));
    const [here, there] = [this.svg, copy].map((svg) =>
      svg.querySelectorAll("text, rect:not([width='300%']), polyline, circle, g.surface"),
    );
    here.forEach((each, nth) => {
      if (!there[nth]) return;
      const style = getComputedStyle(each);
      for (const name of LOOKS) there[nth].style.setProperty(name, style.getPropertyValue(name));
    });
  }
}

const LOOKS = ["fill", "stroke", "stroke-width", "stroke-linejoin", "font", "text-anchor", "opacity"];
const CAMERA = "M9 4 7.5 6H4a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h16a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2h-3.5L15 4zm3 4.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9z";
const HOUSE = "M12 4 3 12h3v8h4.5v-5h3v5H18v-8h3z";

// From the box, three sides about its middle, to the screen: x, y, and how far behind it is.
function projection({ turn, tilt }, left, top, size) {
  const [ct, st, ce, se] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  return ([x, y, z]) => {
    const behind = x * st + y * ct;
    const up = z - 0.35;
    return [
      left + size * (x * ct - y * st),
      top - size * (up * ce + behind * se),
      behind * ce - up * se,
    ];
  };
}

function make(tag, attributes = {}, space = SVG) {
  const made = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function words(parent, text, attributes) {
  const made = make("text", attributes);
  made.textContent = text;
  parent.append(made);
  return made;
}

function picture(path) {
  const made = make("svg", { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": true });
  made.append(make("path", { d: path }));
  return made;
}

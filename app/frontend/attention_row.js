// One query's attention as bars that sum to one, and what an adapter does to them.
//
// The formulas are those of peftcore/analysis/attention_row.py: a position in front is one more term
// of the softmax, and LoRA on queries moves scores along a line.  Python gives `data`: tokens, shares
// before and with LoRA, the prefix's recorded score, the modes on offer, words.  Nothing is sent back.

const SVG = "http://www.w3.org/2000/svg";
const LOWEST = -7, HIGHEST = 4; // score of the position in front, in nats above the content's mass
const MOST = 1.5; // of LoRA's change; 1 is as trained
const BAR = { high: 250, top: 18, foot: 26, slanted: 74 }; // pixels
const TITLES = {
  frozen: "Frozen", prefix: "With a prefix", renormalised: "Prefix left out", lora: "With LoRA",
};
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const rows = new WeakMap(); // shadow root → Row: this module is called again at every rerun

export function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

export function putInFront(shares, score) {
  const [share, ...content] = softmax([score, ...shares.map(Math.log)]);
  return { share, content };
}

export function renormalise(content) {
  const sum = content.reduce((a, b) => a + b, 0);
  return content.map((share) => share / sum);
}

export function changeScores(before, after, amount) {
  return softmax(before.map((b, i) => Math.log(b) + amount * (Math.log(after[i]) - Math.log(b))));
}

export default function (component) {
  const root = component.parentElement;
  if (!rows.has(root)) rows.set(root, new Row(root));
  const row = rows.get(root);
  row.show(component.data);
  return () => {
    row.stop();
    rows.delete(root);
  };
}

class Row {
  constructor(root) {
    this.box = root.querySelector(".attention-row");
    this.shown = null; // heights on the screen, which glide to the new ones
    this.heading = add(this.box, "div", "heading");
    this.title = add(this.heading, "strong");
    this.switch = add(this.heading, "div", "switch");
    this.switch.setAttribute("role", "group");
    this.switch.addEventListener("keydown", (event) => this.moveInSwitch(event));
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("role", "img");
    this.box.append(this.svg);
    this.label = add(this.box, "label");
    this.name = add(this.label, "span");
    this.slider = add(this.label, "input");
    this.slider.type = "range";
    this.slider.addEventListener("input", () => this.set(Number(this.slider.value)));
    this.words = add(this.box, "p", "words");
    this.words.setAttribute("aria-live", "polite");
    // Arrow keys that move the slider or the switch are not for the page, which they would turn.
    this.box.addEventListener("keydown", (event) => event.key.startsWith("Arrow") && event.stopPropagation());
    this.watch = new ResizeObserver(() => this.data && this.paint());
    this.watch.observe(this.box);
  }

  stop() {
    this.watch.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.tour);
  }

  show(data) {
    const key = JSON.stringify(data);
    if (this.key === key) return;
    this.key = key;
    this.data = data;
    this.box.classList.toggle("large", Boolean(data.large));
    this.shown = null;
    this.score = data.score;
    this.amount = 1;
    this.switch.replaceChildren(...(data.modes.length > 1 ? data.modes.map((m) => this.button(m)) : []));
    this.switch.setAttribute("aria-label", "What is put on the frozen model");
    this.title.textContent = data.title;
    this.choose(data.first);
    clearTimeout(this.tour);
    if (data.plays && !calm.matches) this.play();
  }

  // The tour of Home: each mode for a while, up to the last or until somebody takes over.
  play(at = 1) {
    this.tour = setTimeout(() => {
      if (!this.box.isConnected) return;
      this.choose(this.data.modes[at]);
      if (at < this.data.modes.length - 1) this.play(at + 1);
    }, at === 1 ? 600 : 3000);
  }

  button(mode) {
    const made = add(this.switch, "button");
    made.type = "button";
    made.textContent = TITLES[mode];
    made.dataset.mode = mode;
    made.addEventListener("click", () => {
      clearTimeout(this.tour);
      this.choose(mode);
    });
    return made;
  }

  moveInSwitch(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const modes = this.data.modes;
    const to = modes[(modes.indexOf(this.mode) + step + modes.length) % modes.length];
    clearTimeout(this.tour);
    this.choose(to);
    this.switch.querySelector(`[data-mode=${to}]`).focus();
  }

  choose(mode) {
    this.mode = mode;
    for (const each of this.switch.children) {
      each.setAttribute("aria-pressed", String(each.dataset.mode === mode));
      each.tabIndex = each.dataset.mode === mode ? 0 : -1;
    }
    const lora = mode === "lora";
    Object.assign(this.slider, lora ? { min: 0, max: MOST, step: 0.05 } : { min: LOWEST, max: HIGHEST, step: 0.05 });
    this.slider.value = lora ? this.amount : this.score;
    this.name.textContent = lora ? "Strength of LoRA (1: as trained)" : "Strength of the prefix (its score)";
    this.label.style.visibility = mode === "frozen" ? "hidden" : "visible";
    this.paint(true);
  }

  set(value) {
    clearTimeout(this.tour);
    if (this.mode === "lora") this.amount = value;
    else this.score = value;
    this.paint();
  }

  // What is computed ---------------------------------------------------------------------------

  state() {
    const { before, after } = this.data;
    if (this.mode === "lora") return { share: null, bars: changeScores(before, after, this.amount) };
    if (this.mode === "frozen") return { share: null, bars: before };
    const { share, content } = putInFront(before, this.score);
    return this.mode === "prefix" ? { share, bars: content } : { share: 0, bars: renormalise(content) };
  }

  sentence({ share, bars }) {
    const { before, tokens } = this.data;
    const order = before.map((_, i) => i).sort((a, b) => before[b] - before[a]);
    const [one, two] = order;
    const from = (i) => `“${tokens[i]}” ${before[i].toFixed(2)} → ${bars[i].toFixed(2)}`;
    const ratio = (values) => (values[one] / values[two]).toFixed(2);
    if (this.mode === "frozen") return `${bars.length} shares; their sum is ${sum(bars).toFixed(2)}.`;
    if (this.mode === "prefix")
      return `The prefix takes s = ${share.toFixed(2)}; every other share is multiplied by 1 − s = ${(1 - share).toFixed(2)}. ${from(one)}, ${from(two)}: “${tokens[one]}” had ${ratio(before)} times the share of “${tokens[two]}”, and has ${ratio(bars)} times now.`;
    if (this.mode === "renormalised") {
      const largest = Math.max(...bars.map((bar, i) => Math.abs(bar - before[i])));
      return `Prefix left out, the rest scaled to a sum of one: the old bars. Largest difference ${largest < 1e-12 ? "below 10⁻¹²" : largest.toExponential(0)}, at any strength.`;
    }
    const pairs = before.flatMap((_, i) => before.slice(0, i).map((__, j) => [i, j]));
    const swapped = pairs.filter(([i, j]) => (before[i] - before[j]) * (bars[i] - bars[j]) < 0).length;
    return `LoRA moves scores apart: ${from(one)}, ${from(two)}. ${swapped} of ${pairs.length} pairs of words changed their order.`;
  }

  // What is drawn ------------------------------------------------------------------------------

  paint(glide = false) {
    const state = this.state();
    const target = [state.share ?? 0, ...state.bars];
    this.words.textContent = this.sentence(state);
    const list = this.data.tokens.map((token, i) => `${token} ${state.bars[i].toFixed(2)}`).join(", ");
    const front = state.share === null ? "" : `prefix ${state.share.toFixed(2)}, `;
    this.svg.setAttribute("aria-label", `${this.data.title}, ${TITLES[this.mode].toLowerCase()}: ${front}${list}`);
    cancelAnimationFrame(this.frame);
    const start = this.shown;
    if (!glide || !start || calm.matches) return this.draw((this.shown = target));
    const began = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - began) / 700);
      const eased = t * t * (3 - 2 * t);
      this.draw((this.shown = target.map((value, i) => start[i] + eased * (value - start[i]))));
      if (t < 1) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  draw([share, ...bars]) {
    const { before, after, tokens } = this.data;
    const high = this.data.high || BAR.high;
    const width = Math.max(280, this.box.clientWidth);
    const front = this.data.modes.some((mode) => mode === "prefix" || mode === "renormalised") ? 1 : 0;
    const count = tokens.length + front;
    const turned = width / count < 76;
    const inset = turned ? 26 : 0; // slanted words reach to the left of their bars
    const slot = (width - inset) / count;
    const most = Math.max(...before, this.data.modes.includes("lora") ? Math.max(...after) : 0, share, 0.5) * 1.04;
    const tall = (value) => (high * value) / most;
    const below = turned ? BAR.slanted : BAR.foot;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${high + BAR.top + below}`);
    const foot = high + BAR.top;
    const parts = [shape("line", { x1: 0, x2: width, y1: foot, y2: foot, class: "axis" })];
    const bar = (place, value, kind) =>
      shape("rect", { x: inset + place * slot + slot * 0.1, width: slot * 0.8, y: foot - tall(value), height: tall(value), rx: 2, class: kind });
    const label = (place, text, kind, y, turned) => {
      const x = inset + (place + 0.5) * slot;
      const made = shape("text", turned ? { x, y, class: `${kind} turned`, transform: `rotate(-40 ${x} ${y})` } : { x, y, class: kind });
      made.textContent = text;
      return made;
    };
    tokens.forEach((token, i) => {
      if (this.mode !== "frozen") parts.push(bar(i + front, before[i], "old"));
      parts.push(bar(i + front, bars[i], this.mode === "lora" ? "lora" : "content"));
      if (bars[i] >= 0.005 && slot > 30)
        parts.push(label(i + front, bars[i].toFixed(2), "value", foot - tall(bars[i]) - 4));
      parts.push(label(i + front, token, "token", foot + 17, turned));
    });
    if (share > 0.0005) {
      parts.push(bar(0, share, "prefix"), label(0, share.toFixed(2), "value", foot - tall(share) - 4));
      parts.push(label(0, "prefix", "token front", foot + 17, turned));
    }
    this.svg.replaceChildren(...parts);
  }
}

function sum(values) {
  return values.reduce((a, b) => a + b, 0);
}

function add(parent, tag, kind = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  parent.append(made);
  return made;
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// The card a rater works on: shows one item, reads keys and clicks, and loses none of them.
//
// Everything a rater does becomes a numbered act in a queue that is kept in the tab (and in its
// session storage) until the server has acknowledged that number, so fast keys, a slow server, a
// broken connection or a reload lose nothing.  Keys pressed while the next item is on its way wait
// for it.  Keys never act while somebody types, nor with Ctrl, Alt or Meta.
//
// Python gives `data` (see app/rating/card_component.py) and gets {acts: [...]}.  Texts are put in as text,
// never as markup.

const ALIVE = Symbol.for("rate-card"); // the tab's one Card, on the window: modules may load twice
const TOGGLES = ["a", "d", "f", "h", "j", "k", "l", "z", "x"]; // Streamlit keeps r and c for itself
const PAUSE = 400; // milliseconds of typing that make one draft
const PATIENCE = 6000; // milliseconds after which unacknowledged acts are sent again
const ABSENCE = 1000; // milliseconds a card without an element waits for its next one

// Called again at every change.  On a busy server Streamlit at times builds the element anew, before
// or after it takes the old one away: the one Card moves over with all it holds, so that keys that
// wait for the next screen are not lost with the old element.
export default function (component) {
  const root = component.parentElement;
  const card = (window[ALIVE] ??= new Card());
  card.moveInto(root);
  card.send = (acts) => component.setStateValue("events", { acts, at: Date.now() });
  card.receive(component.data);
  return () => card.moveOut(root);
}

class Card {
  constructor() {
    this.box = make("section", { class: "card" });
    this.client = crypto.getRandomValues(new Uint32Array(2)).join("");
    this.number = 0;
    this.queue = null; // read from storage when the first data says whose it is
    this.typed = []; // keys that wait for the next screen
    this.waitingFor = 0; // number of the act after which another screen comes
    this.acknowledged = 0;
    this.turn = -1;
    this.draft = {};
    this.onKey = (event) => this.key(event);
    this.onLeave = () => document.visibilityState === "hidden" && this.flush();
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("visibilitychange", this.onLeave);
    this.clock = setInterval(() => this.tick(), 1000);
  }

  // Moves into an element; the one it was in before stays empty.
  moveInto(root) {
    clearTimeout(this.absence);
    if (this.root === root) return;
    this.root = root;
    root.appendChild(this.box);
  }

  // Its element goes: unless another one comes soon, so does the card.
  moveOut(root) {
    if (this.root !== root) return; // it has moved already
    this.root = null;
    this.flush();
    this.absence = setTimeout(() => this.close(), ABSENCE);
  }

  close() {
    if (window[ALIVE] === this) delete window[ALIVE];
    this.box.remove();
    this.flush();
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("visibilitychange", this.onLeave);
    clearInterval(this.clock);
    clearTimeout(this.pause);
  }

  // What the server says ---------------------------------------------------------------------

  receive(data) {
    // An older answer may come late; after the server was started anew the count begins again.
    if (!data || (data.session === this.session && data.turn < this.turn)) return;
    if (data.rater !== this.rater) {
      Object.assign(this, { rater: data.rater, queue: null, typed: [], waitingFor: 0 });
    }
    this.session = data.session;
    this.turn = data.turn;
    this.data = data;
    if (this.queue === null) {
      this.queue = this.stored();
      if (this.queue.length) this.push();
    }
    const before = this.queue.length;
    this.queue = this.queue.filter((act) => act.n > (data.applied[act.client] || 0));
    if (this.queue.length !== before) this.store();
    this.acknowledged = Math.max(this.acknowledged, data.applied[this.client] || 0);
    const waits = (act) => act.client === this.client && act.n === this.waitingFor;
    if (this.queue.some(waits)) return this.status();
    this.waitingFor = 0;
    const { screen } = data;
    const shown = screen ? [screen.lease, data.stage, screen.state].join("/") : data.stage;
    const keys = data.keys.map(([, , , own]) => own).join("");
    const otherKeys = this.keys !== undefined && keys !== this.keys;
    this.keys = keys;
    if (shown !== this.shown) {
      this.shown = shown;
      this.begin();
      this.draw();
    } else if (otherKeys) this.draw();
    this.status();
    while (this.typed.length && !this.waitingFor) this.act(this.typed.shift());
  }

  begin() {
    clearTimeout(this.pause);
    this.pause = 0;
    const screen = this.data.screen;
    const past = screen && screen.state === "done" ? screen.judgement : screen && screen.draft;
    const known = past || {};
    this.draft = {
      answer: known.answer || "",
      verdict: known.verdict || "",
      scales: { ...(known.scales || {}) },
      shortcomings: [...(known.shortcomings || [])],
      comment: known.comment || "",
    };
    this.version = screen ? screen.draft_version : 0;
    const lease = screen ? screen.lease : "";
    if (lease !== this.lease) this.seconds = (screen && screen.draft.seconds) || 0;
    this.lease = lease;
    this.dimension = 0;
    this.note = "";
  }

  // What the rater does ----------------------------------------------------------------------

  key(event) {
    const at = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing =
      at instanceof Element &&
      (at.matches("textarea, select, input:not([type=radio]):not([type=checkbox])") ||
        at.isContentEditable);
    if (typing) {
      if (event.key === "Escape" && this.box.contains(at)) at.blur();
      return;
    }
    if (this.dialog && this.dialog.open) {
      if (this.meaning(event.key) === "g" || event.key === "?") this.dialog.close();
      return; // Escape and Enter are the dialog's own
    }
    if (document.querySelector("[role=dialog]")) return; // one of Streamlit's
    const button = at instanceof Element && at.matches("button, a, summary");
    if (button && (event.key === "Enter" || event.key === " ")) return; // it clicks itself
    const key = this.meaning(event.key);
    const known = /^([1-9]|Enter|ArrowUp|ArrowDown|[a-z?])$/i.test(key);
    if (!known || (event.key.startsWith("Arrow") && this.data.mode !== "likert")) return;
    if (event.repeat && event.key === "Enter") return event.preventDefault();
    if (this.waitingFor) {
      this.typed.push(key);
      event.preventDefault();
    } else if (this.act(key)) event.preventDefault();
  }

  // The key as it is without a choice, for one that this rater chose; "" if it means nothing.
  meaning(key) {
    const low = key.length === 1 ? key.toLowerCase() : key;
    const chosen = this.data.keys.find(([, , , own]) => own === low);
    if (chosen) return chosen[2];
    return this.data.keys.some(([, , usual]) => usual === low) ? "" : key;
  }

  // The key that this rater presses for one as it is without a choice.
  own(key) {
    const chosen = this.data.keys.find(([, , usual]) => usual === key);
    return chosen ? chosen[3] : key;
  }

  // Does what a key means; false if it means nothing here.
  act(key) {
    const { data, draft } = this;
    const stage = data.stage;
    const low = key.toLowerCase();
    if (low === "g" || key === "?") return this.guidelines();
    if (low === "b") return this.commit({ do: "back" });
    if (low === "u") return this.commit({ do: "undo" });
    if (low === "n") return this.commit({ do: "next" });
    if (stage === "end" || stage === "lesson")
      return key === "Enter" && this.commit({ do: "next" });
    if (low === "s") return this.commit({ do: "skip", lease: this.lease });
    if (key === "Enter") return this.enter();
    const number = /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
    if (stage === "answer") {
      if (number < 0 || number >= data.screen.options.length) return false;
      return this.change({ answer: data.screen.options[number] });
    }
    if (data.mode === "likert") {
      const last = data.dimensions.length - 1;
      if (key === "ArrowDown") return this.turnTo(Math.min(last, this.dimension + 1));
      if (key === "ArrowUp") return this.turnTo(Math.max(0, this.dimension - 1));
      if (number >= 0 && number < data.steps.length) {
        const name = data.dimensions[this.dimension][0];
        this.dimension = Math.min(last, this.dimension + 1);
        return this.change({ scales: { ...draft.scales, [name]: data.steps[number] } });
      }
    } else if (number >= 0 && number < data.choices.length) {
      return this.change({ verdict: data.choices[number] });
    }
    const tick = TOGGLES.indexOf(low);
    if (tick >= 0 && tick < data.shortcomings.length) return this.toggle(data.shortcomings[tick][0]);
    if (low === "m") {
      this.comment.focus();
      return true;
    }
    return false;
  }

  turnTo(dimension) {
    this.dimension = dimension;
    this.mark();
    return true;
  }

  toggle(name) {
    const kept = this.draft.shortcomings.filter((each) => each !== name);
    const ticked = kept.length === this.draft.shortcomings.length ? [...kept, name] : kept;
    return this.change({ shortcomings: ticked });
  }

  change(values) {
    Object.assign(this.draft, values);
    this.note = "";
    this.mark();
    this.saveDraft();
    return true;
  }

  saveDraft() {
    clearTimeout(this.pause);
    this.pause = 0;
    this.version += 1;
    const content = { ...this.draft, seconds: Math.round(this.seconds * 10) / 10 };
    this.add({ do: "draft", lease: this.lease, content, version: this.version });
  }

  flush() {
    if (this.pause) this.saveDraft();
  }

  enter() {
    const { data, draft, lease } = this;
    if (data.stage === "answer") {
      if (!draft.answer.trim()) return this.say("Answer the question first.");
      return this.commit({ do: "answer", lease, text: draft.answer, seconds: this.seconds });
    }
    if (data.mode === "likert") {
      const open = data.dimensions.findIndex(([name]) => !(name in draft.scales));
      if (open >= 0) {
        this.dimension = open;
        this.mark();
        return this.say(`Rate this too: ${data.dimensions[open][1]}.`);
      }
    } else if (!draft.verdict) return this.say("Choose a verdict first.");
    const judgement = {
      verdict: data.mode === "likert" ? "" : draft.verdict,
      scales: data.mode === "likert" ? draft.scales : {},
      shortcomings: draft.shortcomings,
      comment: draft.comment,
    };
    return this.commit({ do: "rate", lease, judgement, seconds: this.seconds });
  }

  say(words) {
    this.note = words;
    this.status();
    return true;
  }

  // An act after which another screen comes: keys wait for it.
  commit(act) {
    this.flush();
    this.note = "";
    this.waitingFor = this.number + 1;
    this.add(act);
    this.status();
    return true;
  }

  add(act) {
    this.number += 1;
    this.queue.push({ client: this.client, n: this.number, ...act });
    this.store();
    this.push();
    this.status();
  }

  push() {
    this.sent = Date.now();
    this.send(this.queue);
  }

  stored() {
    try {
      return JSON.parse(sessionStorage.getItem(this.shelf())) || [];
    } catch {
      return [];
    }
  }

  store() {
    try {
      sessionStorage.setItem(this.shelf(), JSON.stringify(this.queue));
    } catch {
      // without storage a reload loses what is on its way, and nothing else does
    }
  }

  shelf() {
    return `rate.${this.data.rater}`;
  }

  tick() {
    if (document.visibilityState === "visible" && this.lease) this.seconds += 1;
    if (this.time) this.time.textContent = clock(this.seconds);
    if (this.queue && this.queue.length && Date.now() - this.sent > PATIENCE) this.push();
  }

  // What the rater sees ----------------------------------------------------------------------

  draw() {
    const { data } = this;
    const inside = this.box.getRootNode().activeElement;
    const hadFocus = inside && !(this.dialog && this.dialog.open);
    this.heading = make("h2", { tabindex: "-1" });
    this.alert = make("p", { class: "note", role: "status" });
    const parts = [this.header(), this.alert];
    this.inputs = [];
    if (data.stage === "end") parts.push(...this.end());
    else {
      parts.push(this.question());
      if (data.stage === "answer") parts.push(...this.asking());
      else parts.push(...this.judging());
    }
    this.dialog = this.leaflet();
    this.box.replaceChildren(...parts, this.dialog);
    this.mark();
    if (hadFocus) this.heading.focus({ preventScroll: true });
    if (data.welcome && !this.welcomed) {
      this.welcomed = true;
      this.guidelines();
    }
  }

  header() {
    const { progress, screen } = this.data;
    const bar = make("div", {
      class: "bar",
      role: "progressbar",
      "aria-label": "Items rated",
      "aria-valuemin": "0",
      "aria-valuemax": String(progress.total),
      "aria-valuenow": String(progress.done),
    });
    const fill = make("div", { class: "fill" });
    fill.style.width = `${progress.total ? (100 * progress.done) / progress.total : 0}%`;
    bar.append(fill);
    this.time = make("span", { class: "time", title: "Time on this item" }, clock(this.seconds));
    const where = make("span", { class: "where" }, `${progress.done} of ${progress.total} rated`);
    const line = make("div", { class: "line" });
    line.append(where);
    if (screen) {
      const kind = screen.training ? `Item ${screen.position}, practice` : `Item ${screen.position}`;
      line.prepend(make("span", { class: "tag" }, kind));
      line.append(this.time);
    }
    const tools = make("div", { class: "tools" });
    if (this.data.back) tools.append(this.button("Back", "b", () => this.act("b")));
    if (this.data.undo) tools.append(this.button("Undo", "u", () => this.act("u")));
    if (screen && screen.state === "done" && this.data.stage === "judge")
      tools.append(this.button("Next", "n", () => this.act("n")));
    tools.append(this.button("Guidelines", "g", () => this.act("g")));
    line.append(tools);
    const header = make("header", {});
    header.append(line, bar);
    return header;
  }

  question() {
    const list = make("dl", { class: "fields" });
    if (this.data.screen.question) {
      const row = make("div", { class: "asked" });
      row.append(make("dt", {}, "Question"), make("dd", {}, this.data.screen.question));
      list.append(row);
    }
    for (const [name, text] of this.data.screen.fields) {
      const row = make("div", {});
      row.append(make("dt", {}, sentence(name)), make("dd", {}, text));
      list.append(row);
    }
    return list;
  }

  // A label as people read it; what somebody typed stays as it is.
  title(label) {
    return this.data.screen.label_titles[label] ?? label;
  }

  asking() {
    this.heading.textContent = "What is your own answer?";
    const { options } = this.data.screen;
    const titles = options.map((option) => this.title(option));
    let field;
    if (options.length) {
      field = this.choices("answer", this.heading.textContent, options, titles, (value) =>
        this.change({ answer: value }),
      );
    } else {
      field = make("input", { class: "words", type: "text", "aria-label": "Your answer" });
      field.maxLength = 500;
      field.value = this.draft.answer;
      field.addEventListener("input", () => this.typing({ answer: field.value }));
      field.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.isComposing) this.act("Enter");
      });
    }
    return [this.heading, field, this.feet("Show the explanation")];
  }

  judging() {
    const { data } = this;
    const { screen } = data;
    const before = screen.answered_before ? ", as you said before of the same text" : "";
    const own = make("p", { class: "own" }, `Your answer: ${this.title(screen.answer)}${before}.`);
    if (screen.right_answer && plain(screen.right_answer) !== plain(screen.answer))
      own.textContent += ` The data say: ${this.title(screen.right_answer)}.`;
    const texts = make("div", { class: "texts" });
    for (const text of screen.texts) {
      const card = make("article", { class: "text" });
      const side = text.side ? `${sentence(text.side)}: ` : "";
      card.append(make("p", { class: "label" }, `${side}${this.title(text.label)}`));
      card.append(make("p", { class: "why" }, text.explanation));
      texts.append(card);
    }
    if (data.stage === "lesson") return [own, texts, ...this.lesson()];
    this.heading.textContent = data.question;
    const parts = [own, texts, this.heading];
    if (data.mode === "likert") parts.push(this.scales());
    else
      parts.push(
        this.choices("verdict", data.question, data.choices, data.choices.map(sentence), (value) =>
          this.change({ verdict: value }),
        ),
      );
    parts.push(this.faults(), this.remark());
    parts.push(this.feet(screen.state === "done" ? "Save the change" : "Save and go on"));
    return parts;
  }

  lesson() {
    this.heading.textContent = "About this practice item";
    const verdict = this.data.verdict ? `Your verdict: ${this.data.verdict}.` : "";
    const go = this.button("Go on", "Enter", () => this.act("Enter"), "primary");
    const feet = make("div", { class: "feet" });
    feet.append(go);
    const words = make("p", { class: "lesson" }, this.data.screen.feedback);
    return [this.heading, make("p", { class: "own" }, verdict), words, feet];
  }

  end() {
    const { progress } = this.data;
    const waiting = progress.waiting > 0;
    this.heading.textContent = waiting ? "Nothing is free just now" : "That was the last one";
    const words = waiting
      ? `Others are at ${progress.waiting} more; if they leave them, you can have them.`
      : `You have rated ${progress.done}. Thank you. You may close this page, or go back.`;
    const feet = make("div", { class: "feet" });
    feet.append(this.button("Look for more", "Enter", () => this.act("Enter"), "primary"));
    return [this.heading, make("p", {}, words), feet];
  }

  choices(name, label, values, words, choose) {
    const group = make("div", { class: "choices", role: "radiogroup", "aria-label": label });
    values.forEach((value, place) => {
      const input = make("input", { type: "radio", name, value });
      input.addEventListener("change", () => choose(value));
      this.inputs.push([input, () => this.draft[name] === value]);
      group.append(labelled(input, words[place], this.own(String(place + 1))));
    });
    return group;
  }

  scales() {
    const { dimensions, steps } = this.data;
    const box = make("div", { class: "scales" });
    box.append(make("p", { class: "hint" }, "1 not at all, 5 fully; arrow keys change the line"));
    this.rows = dimensions.map(([name, words], place) => {
      const row = make("fieldset", {});
      row.append(make("legend", {}, words));
      const group = make("div", { class: "choices" });
      for (const step of steps) {
        const input = make("input", { type: "radio", name, value: String(step) });
        input.addEventListener("change", () => {
          this.dimension = place;
          this.change({ scales: { ...this.draft.scales, [name]: step } });
        });
        this.inputs.push([input, () => this.draft.scales[name] === step]);
        group.append(labelled(input, String(step), ""));
      }
      row.append(group);
      box.append(row);
      return row;
    });
    return box;
  }

  faults() {
    const box = make("fieldset", { class: "faults" });
    const pair = this.data.mode === "pairwise";
    const words = pair ? "Shortcomings of the worse one (in a tie, of both)" : "Shortcomings, if any";
    box.append(make("legend", {}, words));
    const group = make("div", { class: "choices" });
    this.data.shortcomings.forEach(([name, fault], place) => {
      const input = make("input", { type: "checkbox", value: name });
      input.addEventListener("change", () => this.toggle(name));
      this.inputs.push([input, () => this.draft.shortcomings.includes(name)]);
      group.append(labelled(input, fault, this.own(TOGGLES[place] || "")));
    });
    box.append(group);
    return box;
  }

  remark() {
    const label = make("label", { class: "remark" });
    const words = make("span", {}, "Comment, if you like");
    words.append(hint(this.own("m")));
    this.comment = make("textarea", { rows: "2", maxlength: "2000" });
    this.comment.value = this.draft.comment;
    this.comment.addEventListener("input", () => this.typing({ comment: this.comment.value }));
    this.comment.addEventListener("blur", () => this.flush());
    label.append(words, this.comment);
    return label;
  }

  // Typing makes one draft for each pause, and one at the end.
  typing(values) {
    Object.assign(this.draft, values);
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.saveDraft(), PAUSE);
  }

  feet(words) {
    const feet = make("div", { class: "feet" });
    this.main = this.button(words, "Enter", () => this.act("Enter"), "primary");
    feet.append(this.main);
    if (this.data.screen.state !== "done")
      feet.append(this.button("Skip", "s", () => this.act("s")));
    return feet;
  }

  button(words, key, click, kind = "plain") {
    const button = make("button", { type: "button", class: kind }, words);
    button.append(hint(key === "Enter" ? "↵" : this.own(key)));
    button.addEventListener("click", () => !this.waitingFor && click());
    return button;
  }

  leaflet() {
    const dialog = make("dialog", { "aria-label": "Guidelines" });
    const head = make("div", { class: "line" });
    head.append(make("h2", {}, "Guidelines"));
    const text = make("div", { class: "guidelines", dir: "auto" });
    if (this.data.guidelines.length > 1) head.append(this.languages(text));
    this.write(text, this.language());
    dialog.append(head, text, this.keysOfOnesOwn());
    // Enter closes it at once, whatever else can be pressed before it.
    const own = { type: "button", class: "primary", autofocus: "" };
    const close = make("button", own, "Close");
    close.addEventListener("click", () => dialog.close());
    dialog.append(close);
    return dialog;
  }

  // The chosen language of the guidelines, or one that this browser asks for, or the project's.
  language() {
    const tags = this.data.guidelines.map(([tag]) => tag);
    const root = (tag) => tag.toLowerCase().split("-")[0];
    const wanted = [this.chosenLanguage || this.data.language, ...navigator.languages];
    for (const wish of wanted.filter(Boolean)) {
      const found =
        tags.find((tag) => tag.toLowerCase() === wish.toLowerCase()) ||
        tags.find((tag) => root(tag) === root(wish));
      if (found) return found;
    }
    return tags[0];
  }

  languages(text) {
    const choice = make("select", { "aria-label": "Language of the guidelines" });
    for (const [tag] of this.data.guidelines) {
      const option = make("option", { value: tag, lang: tag }, languageName(tag));
      option.selected = tag === this.language();
      choice.append(option);
    }
    choice.addEventListener("change", () => {
      this.chosenLanguage = choice.value;
      this.write(text, choice.value);
      this.add({ do: "choose", content: { language: choice.value } });
    });
    return choice;
  }

  write(text, language) {
    text.lang = language;
    text.replaceChildren();
    let list = null;
    const lines = this.data.guidelines.find(([tag]) => tag === language)[1].split("\n");
    for (const line of lines.map((each) => each.trim())) {
      if (line.startsWith("- ")) {
        if (!list) text.append((list = make("ul", {})));
        list.append(make("li", {}, line.slice(2)));
      } else {
        list = null;
        if (line) text.append(make("p", {}, line));
      }
    }
  }

  // The map of keys, each with a field for one of one's own; a clash is said while it is typed.
  keysOfOnesOwn() {
    const box = make("details", { class: "keys" });
    box.append(make("summary", {}, "Keys"));
    const words =
      "Enter confirms, arrow keys change the line of a scale, Esc leaves the comment. Click a " +
      "key and press another one to have it your own way.";
    const grid = make("div", { class: "keymap" });
    const said = make("p", { class: "note", role: "status" });
    const save = make("button", { type: "button" }, "Save these keys");
    const usual = make("button", { type: "button" }, "As they were");
    const fields = this.data.keys.map(([name, title, , own]) => {
      const label = make("label", {});
      const field = make("input", { class: "words", maxlength: "1", value: own, name });
      field.autocomplete = "off";
      field.addEventListener("focus", () => field.select());
      label.append(field, make("span", {}, title));
      grid.append(label);
      return field;
    });
    const check = () => {
      const values = fields.map((field) => field.value.trim().toLowerCase());
      const clash = (value, place) => !value || values.some((v, i) => i !== place && v === value);
      const bad = values.map(clash);
      fields.forEach((field, place) => field.setAttribute("aria-invalid", String(bad[place])));
      const title = (place) => `“${this.data.keys[place][1]}”`;
      const first = bad.indexOf(true);
      const other = first < 0 ? -1 : values.findIndex((v, i) => i > first && v === values[first]);
      said.textContent =
        first < 0 ? ""
        : !values[first] ? `${title(first)} has no key.`
        : `${values[first]} would do two things: ${title(first)} and ${title(other)}.`;
      save.disabled = first >= 0;
      return values;
    };
    grid.addEventListener("input", check);
    save.addEventListener("click", () => {
      const values = check();
      const keys = Object.fromEntries(this.data.keys.map(([name], place) => [name, values[place]]));
      this.dialog.close();
      this.add({ do: "choose", content: { keys } });
    });
    usual.addEventListener("click", () => {
      fields.forEach((field, place) => (field.value = this.data.keys[place][2]));
      check();
    });
    const feet = make("div", { class: "feet" });
    feet.append(save, usual);
    box.append(make("p", { class: "hint" }, words), grid, said, feet);
    return box;
  }

  guidelines() {
    this.dialog.showModal();
    return true;
  }

  // Marks what is chosen without drawing anew, so that focus stays where it is.
  mark() {
    for (const [input, chosen] of this.inputs) input.checked = chosen();
    if (this.rows && this.data.mode === "likert" && this.data.stage === "judge")
      this.rows.forEach((row, place) => row.classList.toggle("at", place === this.dimension));
  }

  status() {
    const words = this.note || (this.waitingFor ? "" : this.data.note);
    if (this.alert && this.alert.textContent !== words) this.alert.textContent = words;
    this.box.setAttribute("aria-busy", this.waitingFor ? "true" : "false");
    Object.assign(this.box.dataset, {
      sent: this.number,
      acknowledged: this.acknowledged,
      stage: this.data.stage,
    });
  }
}

function make(name, attributes, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function labelled(input, words, key) {
  const label = make("label", { class: "choice" });
  label.append(input, make("span", {}, words));
  if (key) label.append(hint(key));
  return label;
}

function hint(key) {
  return make("kbd", { "aria-hidden": "true" }, key);
}

function languageName(tag) {
  try {
    return new Intl.DisplayNames([tag], { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function plain(words) {
  return words.toLowerCase().split(/\s+/).join(" ").trim();
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

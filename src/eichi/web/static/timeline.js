// `<time-line>`: the sections of the video in the order of time. It draws what is planned and lets pictures and prompts
// be put on it; a plan that is refused leaves it as it was, with the reason on the card that is the cause.

import { draft } from "./draft.js";
import { button, el, find, sync } from "./dom.js";
import { key } from "./keys.js";
import { KINDS, droppable, pictureOf } from "./picture.js";
import { chooseOf, SectionEdit } from "./timeline-edit.js";
import { fillCard, makeCard } from "./timeline-card.js";
import { Items, own, owned } from "./timeline-items.js";
import { Following } from "./timeline-job.js";
import { drawPieces, makePieces } from "./timeline-pieces.js";
import { fillRest, makeRest } from "./timeline-rest.js";
import { cardsOf, restOf, secondsOf, takes, tokensOf, wrongOf } from "./timeline-shown.js";
import { Zoom } from "./timeline-zoom.js";
import { say } from "./words.js";

/** @typedef {import("./timeline-items.js").Place} Place */
/** @typedef {import("./timeline-items.js").Kind} Kind */
/** @typedef {import("./timeline-card.js").Shown} Shown */

const PICTURE = "application/x-eichi", FROM = "application/x-eichi-place";

/** The timeline of the draft of a video. */
export class TimeLine extends HTMLElement {
  /** @type {any} the draft's plan that is drawn */
  plan = null;
  /** @type {any[]} */
  problems = [];
  /** @type {Record<string, any>} */
  tokens = {};
  /** @type {Place | null} where the keyboard is */
  current = null;
  /** @type {Map<Place, string>} why a file was not taken, by place */
  refused = new Map();
  /** @type {Shown[]} */
  cards = [];

  connectedCallback() {
    if (this.items) return;
    this.draft = draft("video");
    this.job = new Following();
    this.items = new Items(this.draft, () => (this.job.shown ? this.job : null));
    this.edit = new SectionEdit(this.items, { choose: (place) => this.choose(place), closed: (place) => this.focusOn(place) });
    this._build();
    this.draft.addEventListener("change", () => this.draw());
    this.job.addEventListener("change", () => this.draw());
    document.addEventListener("words", () => this.draw());
    document.addEventListener("planned", (event) => this.planned(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("ahead", () => this.ahead());
    document.addEventListener("reveal", (event) => this.reveal(/** @type {CustomEvent} */ (event).detail.key));
    this.addEventListener("paste", (event) => this._paste(event));
    this.addEventListener("dragstart", (event) => this._drag(event));
    this._keys();
    this.draw();
  }

  _build() {
    const word = (/** @type {string} */ id) => ({ dataset: { word: id }, text: say(id) });
    this.cells = el("ol", { class: "cells", "aria-labelledby": "timeline-title" });
    const lane = el("div", { class: "lane" }, (this.pieces = makePieces()), this.cells);
    this.track = el("div", { class: "track" }, lane);
    this.zoom = new Zoom(this.track, lane);
    this.none = el("p", { class: "empty", ...word("timeline.none") });
    this.wrong = el("p", { class: "wrong", role: "status", hidden: true });
    this.rest = el("ul", { class: "roomless", hidden: true });
    this.input = /** @type {HTMLInputElement} */ (el("input", { type: "file", accept: KINDS, hidden: true }));
    this.input.addEventListener("change", () => this.take(this.chosen, this.input.files?.[0]));
    this.which = button("swap", "", () => this._turn(), { class: "which" });
    const labels = { wordLabel: "timeline.clear", wordTitle: "timeline.clear" };
    this.clear = button("trash", say("timeline.clear"), () => this.items.clearAll(), { quiet: true, class: "clear", dataset: labels });
    const title = el("h2", { id: "timeline-title", ...word("timeline.title") });
    const help = el("p", { class: "soft", ...word("timeline.help") });
    const header = el("header", { class: "row" }, title, help, this.which, this.clear, this.zoom.buttons);
    this.append(header, this.wrong, this.none, this.zoom.strip, this.track, this.rest, this.edit.node, this.input);
  }

  /** @param {any} planned what the draft's plan is, and what is wrong with it */
  planned({ plan, problems = [], tokens = {} }) {
    if (plan) this.plan = plan;
    this.problems = problems;
    this.tokens = tokens;
    this.job.planned(plan);
    this.draw();
  }

  /** @returns {import("./timeline-shown.js").State} */
  get state() {
    const { problems, tokens, refused } = this, job = this.job.shown ? this.job : null;
    const choose = (/** @type {Place} */ place) => this.choose(place), press = (/** @type {Place} */ place) => this.press(place);
    return { plan: job ? job.plan : this.plan, values: this.items.values, problems, tokens, refused, job, choose, press };
  }

  draw() {
    const { state } = this, { plan } = state, cards = (this.cards = cardsOf(state)), rest = restOf(state);
    if (!cards.some((card) => card.place === this.current)) {
      this.current = cards.find((card) => typeof card.place === "number")?.place ?? null;
    }
    sync(this.cells, cards, (card) => card.place, (card) => this._card(card), (node, card) => {
      fillCard(node, card, card.place === this.current, card.place === this.edit.place);
    });
    for (const node of [this.track, this.zoom.buttons]) node.hidden = !plan;
    this.none.hidden = Boolean(plan);
    drawPieces(this.pieces, state);
    this.zoom.show(secondsOf(plan), cards.filter((card) => typeof card.place === "number"));
    sync(this.rest, rest, (one) => `${one.kind} ${one.place}`, (one) => makeRest(one, this._lost(one)), fillRest);
    this.rest.hidden = !rest.length;
    const wrong = wrongOf(state);
    this.wrong.hidden = !wrong;
    if (this.wrong.textContent !== wrong) this.wrong.textContent = wrong;
    this.clear.hidden = !owned(state.values).length;
    const edited = (/** @type {{place: Place}} */ one) => one.place === this.edit.place;
    if (plan && !cards.some(edited) && !rest.some(edited)) this.edit.hide();
    this.edit.draw(cards.find(edited) ?? rest.find(edited), tokensOf(state, this.edit.place), takes(plan));
    this._switch();
    this._follow();
  }

  /** @param {Shown} shown */
  _card(shown) {
    const { place } = shown;
    const node = makeCard(shown, {
      items: () => this.menu(place),
      press: () => this.press(place),
      enter: () => this.enter(place),
    });
    droppable(node, (transfer, event) => this.drop(place, transfer, event.ctrlKey || event.metaKey || event.altKey), (event) => this._wants(place, event));
    return node;
  }

  /** What can be done with something that the video has no room for. @param {{place: Place, kind: Kind}} lost */
  _lost({ place, kind }) {
    return { move: () => this.where(place, kind, false), remove: () => this.items.clear(place, [kind]) };
  }

  // The mouse: pictures come from anywhere, what lies on a place can be taken to another.

  /** @param {DragEvent} event */
  _drag(event) {
    const node = /** @type {HTMLElement} */ (event.target).closest?.("[data-place], [data-lost]"), { dataTransfer } = event;
    if (!node || !dataTransfer) return;
    const { place: at, lost, kind: only } = /** @type {HTMLElement} */ (node).dataset, place = placed(at ?? lost ?? "");
    const picture = only === "prompt" ? null : own(this.items.values, place);
    dataTransfer.effectAllowed = "copyMove";
    dataTransfer.setData(FROM, JSON.stringify({ place, kind: picture ? "picture" : "prompt" }));
    if (picture) dataTransfer.setData(PICTURE, picture);
  }

  /** Whether a place takes what is dragged over it. @param {Place} place @param {DragEvent} event */
  _wants(place, event) {
    const types = event.dataTransfer?.types ?? [], prompt = types.includes(FROM) && !types.includes(PICTURE);
    if (prompt) return typeof place === "number" && place >= 0;
    return this._takes(place) && (types.includes("Files") || types.includes(PICTURE));
  }

  /** Whether a place can have a picture. @param {Place | null} place */
  _takes(place) {
    return place !== null && (typeof place !== "number" || (place >= 0 && takes(this.state.plan)));
  }

  /** @param {Place} place @param {DataTransfer} transfer @param {boolean} copy */
  drop(place, transfer, copy) {
    const from = transfer.getData(FROM), id = transfer.getData(PICTURE);
    this.refused.delete(place);
    if (from) {
      const { place: old, kind } = JSON.parse(from);
      this.items.bring(old, place, kind, copy);
    } else if (id) this.items.set(place, id);
    else this.take(place, pictureOf(transfer));
  }

  /** @param {ClipboardEvent} event */
  _paste(event) {
    const file = pictureOf(event.clipboardData), place = this.edit.node.contains(/** @type {Node} */ (event.target)) ? this.edit.place : this.current;
    if (!file || !this._takes(place)) return;
    event.preventDefault();
    event.stopPropagation(); // the place has a use for it, too
    this.take(place, file);
  }

  /** Give a file to a place; what it is refused for is said there. @param {Place | null} place @param {File | undefined} file */
  async take(place, file) {
    if (place === null || !file) return;
    const node = find(`[data-place="${place}"]`, this);
    node?.classList.add("busy");
    this.refused.delete(place);
    try {
      await this.items.take(place, file);
    } catch (error) {
      this.refused.set(place, error.message);
      if (error.status === undefined) throw error; // no answer of ours: a fault of the page
    } finally {
      node?.classList.remove("busy");
      this.input.value = "";
      this.draw();
    }
  }

  /** Let a file be chosen for a place. @param {Place | null} place */
  choose(place) {
    if (!this._takes(place)) return;
    this.chosen = place;
    this.input.click();
  }

  // The keyboard, and what a click does.

  _keys() {
    const on = () => this.contains(document.activeElement?.closest(".face") ?? null);
    const bind = (/** @type {string} */ name, /** @type {string} */ text, /** @type {() => void} */ run) => key(name, text, run, on, true);
    const here = (/** @type {(place: Place) => void} */ run) => () => this.current !== null && run(this.current);
    const bring = (/** @type {boolean} */ copy) => here((place) => this.where(place, own(this.items.values, place) ? "picture" : "prompt", copy));
    bind("ArrowLeft", "timeline.key_left", () => this._step(-1));
    bind("ArrowRight", "timeline.key_right", () => this._step(1));
    bind("Home", "timeline.key_first", () => this._step(-Infinity));
    bind("End", "timeline.key_last", () => this._step(Infinity));
    bind("Enter", "timeline.edit", here((place) => this.press(place)));
    bind("E", "", here((place) => this.press(place)));
    bind("Space", "", here((place) => this.press(place)));
    bind("P", "timeline.choose", here((place) => this.choose(place)));
    bind("C", "timeline.copy", bring(true));
    bind("M", "timeline.move", bring(false));
    bind("Delete", "timeline.clear_one", here((place) => this.items.clear(place)));
    bind("Backspace", "", here((place) => this.items.clear(place)));
  }

  /** @param {number} by */
  _step(by) {
    const at = this.cards.findIndex((card) => card.place === this.current), last = this.cards.length - 1;
    this.focusOn(this.cards[Math.max(0, Math.min(last, at + by))].place);
  }

  /** @param {Place} place */
  focusOn(place) {
    const face = find(`[data-place="${place}"] .face`, this) ?? find(`[data-place="${this.current}"] .face`, this);
    face?.focus();
  }

  /** Bring what a problem is about into sight. @param {string} name the key of an option */
  reveal(name) {
    const [, kind, number] = /^keyframes\.(sections|prompts)\.(\d+)$/.exec(name) ?? [];
    const lost = `[data-lost="${number}"][data-kind="${kind === "prompts" ? "prompt" : "picture"}"] button`;
    if (number) find(`[data-place="${number}"] .face, ${lost}`, this)?.focus();
    else if (name === "keyframes.final") find('[data-place="final"] .face, [data-lost="final"] button', this)?.focus();
  }

  /** The keyboard comes to a place. @param {Place} place */
  enter(place) {
    if (place === this.current) return;
    this.current = place;
    this.draw();
  }

  /** Change what a place has. @param {Place} place */
  press(place) {
    this.enter(place);
    if (typeof place !== "number") this.choose(place);
    else if (place >= 0) {
      this.edit.open(place);
      this.draw();
    }
  }

  /** Ask where something goes. @param {Place} from @param {Kind} kind @param {boolean} copy */
  where(from, kind, copy) {
    if (!own(this.items.values, from, kind) || (from === "image" && !copy)) return;
    const fit = (/** @type {Place} */ place) => place !== from && (kind === "picture" ? this._takes(place) : typeof place === "number" && place >= 0);
    const ends = this.cards.filter((card) => typeof card.place !== "number"); // last: nobody means them by chance
    const there = [...this.cards.filter((card) => !ends.includes(card)), ...ends].filter((card) => fit(card.place));
    const places = there.map((card) => ({ place: card.place, name: [card.name, card.times].filter(Boolean).join(" · ") }));
    const id = `timeline.${copy ? "copy" : "move"}${kind === "prompt" ? "_prompt" : ""}`;
    chooseOf(say(id), places, say(copy ? "timeline.do_copy" : "timeline.do_move"), (to) => {
      this.items.bring(from, to, kind, copy);
      this.focusOn(to);
    });
  }

  /** What can be done with a place. @param {Place} place */
  menu(place) {
    const { values } = this.items, picture = own(values, place), prompt = own(values, place, "prompt"), { plan, job } = this.state;
    const section = plan?.sections.find((/** @type {any} */ one) => one.number === place), number = typeof place === "number" && place >= 0;
    const entry = (/** @type {any} */ when, /** @type {string} */ icon, /** @type {string} */ id, /** @type {() => void} */ run) =>
      when ? [{ icon, text: say(id), run }] : [];
    return [
      ...(section && job ? job.actions(section) : []),
      ...entry(section && job?.row.status === "done", "image", "timeline.as", () => this._frame(section)),
      ...entry(number, "edit", "timeline.edit", () => this.press(place)),
      ...entry(this._takes(place), "image", "timeline.choose", () => this.choose(place)),
      ...entry(picture && place !== "image", "right", "timeline.move", () => this.where(place, "picture", false)),
      ...entry(picture, "copy", "timeline.copy", () => this.where(place, "picture", true)),
      ...entry(prompt, "right", "timeline.move_prompt", () => this.where(place, "prompt", false)),
      ...entry(prompt, "copy", "timeline.copy_prompt", () => this.where(place, "prompt", true)),
      ...entry(picture, "trash", "timeline.remove_picture", () => this.items.clear(place, ["picture"])),
      ...entry(prompt, "trash", "timeline.remove_prompt", () => this.items.clear(place, ["prompt"])),
    ];
  }

  // The job that is being made.

  /** Put the last frame of a finished section somewhere. @param {any} section */
  _frame(section) {
    const places = this.cards.filter((card) => this._takes(card.place)).map(({ place, name }) => ({ place, name })).toReversed();
    chooseOf(say("timeline.as"), places, say("timeline.do_copy"), async (to) => {
      const id = await this.job.frame(section.end_frame - 1);
      if (id) this.items.set(to, id);
    });
  }

  /** Show the draft where the job is shown, and the other way. */
  _turn() {
    this.job.mode = this.job.shown ? "draft" : "job";
    this.draw();
  }

  /** Show the sections of the job, to change those that are still to come. */
  ahead() {
    const { job } = this;
    job.mode = "job";
    if (this.edit.place !== null && !job.open(this.edit.place)) this.edit.hide();
    const coming = (job.plan?.sections ?? []).filter((/** @type {any} */ one) => job.open(one.number));
    const next = coming.sort((/** @type {any} */ a, /** @type {any} */ b) => a.order - b.order)[0];
    if (next) this.current = next.number;
    this.draw();
    this.scrollIntoView({ block: "nearest" });
    if (this.current !== null) this.focusOn(this.current);
  }

  _switch() {
    const text = this.job.shown ? say("timeline.show_draft") : say("timeline.show_job", { job: this.job.id ?? 0 });
    this.which.hidden = !this.job.plan;
    if (this.which.lastElementChild) this.which.lastElementChild.textContent = text;
  }

  /** Keep the section that is being made in sight, while nobody looks for something else. */
  _follow() {
    const at = this.job.shown && this.job.active ? this.job.at : null;
    if (at === this.followed || this.matches(":focus-within, :hover")) return;
    this.followed = at;
    const node = find('[data-state="running"]', this.cells);
    if (node) this.track.scrollLeft = node.offsetLeft - (this.track.clientWidth - node.offsetWidth) / 2;
  }
}

/** @param {string} text @returns {Place} */
const placed = (text) => (text === "image" || text === "final" ? text : Number(text));

customElements.define("time-line", TimeLine);

// How wide the time is drawn: zoom, the axis of seconds below, and a strip of the whole video for what is not in sight.

import { button, el, sync } from "./dom.js";
import { tabOnly } from "./storage.js";
import { language, number, say } from "./words.js";

const LEAST = 106, MOST = 320, USUAL = 132, BY = 1.3; // pixels of an ordinary section; number and time need the least
const STEPS = [0.5, 1, 2, 5, 10, 20, 60], APART = 46; // seconds between marks, pixels between them
const EDGE = 4; // pixels around the cards in which the ring of the focus is seen
const KEPT = "eichi.timeline.zoom";

/** The zoom of a timeline. */
export class Zoom {
  /**
   * @param {HTMLElement} track that scrolls
   * @param {HTMLElement} lane within it, as wide as the time and its ends
   */
  constructor(track, lane) {
    this.track = track;
    this.lane = lane;
    /** @type {number | null} null fits */
    this.wish = Number(tabOnly.getItem(KEPT)) || null;
    this.shares = 1;
    this.seconds = 0;
    this.axis = el("div", { class: "axis", "aria-hidden": "true" });
    this.window = el("i", { class: "window" });
    this.marks = el("div", { class: "marks" });
    this.strip = el("div", { class: "strip", "aria-hidden": "true", hidden: true }, this.marks, this.window);
    const quiet = (/** @type {string} */ name, /** @type {string} */ id, /** @type {() => void} */ run) =>
      button(name, say(id), run, { quiet: true, dataset: { wordLabel: id, wordTitle: id } });
    this.buttons = el(
      "div",
      { class: "zoom row" },
      (this.out = quiet("minus", "timeline.zoom_out", () => this.by(1 / BY))),
      (this.fit = quiet("full", "timeline.zoom_fit", () => this.to(null))),
      (this.in = quiet("plus", "timeline.zoom_in", () => this.by(BY))),
    );
    lane.append(this.axis);
    new ResizeObserver(() => this.draw()).observe(track);
    track.addEventListener("scroll", () => this.look(), { passive: true });
    track.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.by(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientX);
    }, { passive: false });
    this.strip.addEventListener("pointerdown", (event) => {
      this.strip.setPointerCapture(event.pointerId);
      this.go(event);
    });
    this.strip.addEventListener("pointermove", (event) => event.buttons && this.go(event));
  }

  /** Zoom by a factor; what lies at `x` stays there. @param {number} factor @param {number} [x] */
  by(factor, x) {
    this.to(Math.min(MOST, Math.max(LEAST, this.width * factor)), x);
  }

  /** @param {number | null} wish @param {number} [x] */
  to(wish, x) {
    const box = this.track.getBoundingClientRect(), at = x === undefined ? box.width / 2 : x - box.left;
    const share = (this.track.scrollLeft + at) / this.track.scrollWidth;
    this.wish = wish;
    tabOnly.setItem(KEPT, String(wish ?? ""));
    this.draw();
    this.track.scrollLeft = share * this.track.scrollWidth - at;
  }

  /**
   * What is drawn: how long it is, and the sections.
   * @param {number} seconds
   * @param {import("./timeline-card.js").Shown[]} cards
   */
  show(seconds, cards) {
    this.shares = cards.reduce((sum, card) => sum + (card.share ?? 1), 0) || 1;
    this.seconds = seconds;
    sync(this.marks, cards, (card) => String(card.place), () => el("i"), (node, card) => {
      const own = card.own || card.prompt ? "own" : "", bad = card.problem ? "bad" : "";
      node.className = [card.state, own, bad].filter(Boolean).join(" ");
      node.style.flexGrow = String(card.share ?? 1);
    });
    const state = [this.shares, seconds, this.lane.querySelectorAll(".cell").length, language()].join(" ");
    if (state !== this.drawn) this.draw(); // measuring costs, and a word more in a prompt changes nothing here
    this.drawn = state;
  }

  /** Lay it out anew. */
  draw() {
    const space = this.track.clientWidth - 2 * EDGE - this._ends();
    const fits = space / this.shares;
    this.width = Math.max(LEAST, Math.min(this.wish ?? (fits < LEAST ? USUAL : fits), MOST));
    this.lane.style.setProperty("--w", `${this.width}px`);
    this.lane.classList.toggle("compact", this.width < 124);
    this.lane.classList.toggle("narrow", this.width < 170);
    this.out.disabled = this.width <= LEAST;
    this.in.disabled = this.width >= MOST;
    this.ticks();
    this.look();
  }

  /** Pixels that the ends of the video take. */
  _ends() {
    const ends = [...this.lane.querySelectorAll(".cell:not(.section)")];
    return ends.reduce((sum, node) => sum + node.getBoundingClientRect().width, 0);
  }

  ticks() {
    const pixels = this.width * this.shares;
    const step = STEPS.find((one) => (pixels / this.seconds) * one >= APART) ?? 60, count = Math.floor(this.seconds / step + 0.001);
    const times = this.seconds ? Array.from({ length: count + 1 }, (_, at) => at * step) : [];
    this.lane.style.setProperty("--time", `${pixels}px`);
    sync(this.axis, times, (time) => time, () => el("i"), (node, time) => {
      node.style.left = `${(100 * time) / this.seconds}%`;
      const text = time === times.at(-1) ? say("page.seconds", { seconds: number(time) }) : number(time);
      if (node.textContent !== text) node.textContent = text;
    });
  }

  /** Show in the strip what of the video is in sight. */
  look() {
    const { scrollLeft, scrollWidth, clientWidth } = this.track;
    this.strip.hidden = scrollWidth <= clientWidth + 1;
    this.window.style.left = `${(100 * scrollLeft) / scrollWidth}%`;
    this.window.style.width = `${(100 * clientWidth) / scrollWidth}%`;
  }

  /** @param {PointerEvent} event */
  go(event) {
    const box = this.strip.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
    this.track.scrollLeft = share * this.track.scrollWidth - this.track.clientWidth / 2;
  }
}

// The latest results below the timeline: a click puts one on the stage, two that are picked are compared.

import { el, sync } from "./dom.js";
import { compare } from "./compare.js";
import { lengthOf, seedOf } from "./jobtext.js";
import { key } from "./keys.js";
import { live } from "./live.js";
import { download, made, thumb } from "./results.js";
import { say } from "./words.js";

const SHOWN = 12;

/** `<latest-results>`. */
export class LatestResults extends HTMLElement {
  connectedCallback() {
    if (this.list) return;
    /** @type {number[]} */
    this.picked = [];
    this.list = el("ul", { class: "strip" });
    this.none = el("p", { class: "none" });
    this.append(this.list, this.none);
    this.list.addEventListener("click", (event) => this.click(/** @type {MouseEvent} */ (event)));
    this.list.addEventListener("change", (event) => this.pick(/** @type {HTMLInputElement} */ (event.target)));
    live.addEventListener("jobs", () => this.show());
    document.addEventListener("words", () => this.show());
    document.addEventListener("stage", (event) => this.mark(/** @type {CustomEvent} */ (event).detail?.id));
    key("C", "keys.compare", () => this.compare(), () => this.picked.length === 2);
    key("D", "keys.download", () => this.save(), () => Boolean(this.shown() && made(this.shown())));
    this.show();
  }

  /** The job on the stage. */
  shown() {
    return this.at === undefined ? undefined : live.jobs.get(this.at);
  }

  save() {
    const job = this.shown();
    if (job) download(job);
  }

  /** @param {MouseEvent} event */
  click(event) {
    const card = /** @type {HTMLElement} */ (event.target).closest("[data-look]");
    if (card) document.dispatchEvent(new CustomEvent("look", { detail: Number(/** @type {HTMLElement} */ (card).dataset.look) }));
  }

  /** @param {HTMLInputElement} tick */
  pick(tick) {
    const id = Number(tick.value);
    this.picked = tick.checked ? [...this.picked.slice(-1), id] : this.picked.filter((one) => one !== id);
    this.show();
    if (this.picked.length === 2) this.compare();
  }

  compare() {
    const [a, b] = this.picked.map((id) => live.jobs.get(id));
    if (a && b) compare(a, b);
  }

  /** @param {number | undefined} id */
  mark(id) {
    this.at = id;
    this.show();
  }

  show() {
    const results = live.ended().filter(made).slice(0, SHOWN);
    this.picked = this.picked.filter((id) => live.jobs.has(id));
    this.none.hidden = results.length > 0;
    this.none.textContent = say("latest.none");
    sync(this.list, results, (job) => `${job.id} ${job.thumb}`, card, (node, job) => this.fill(node, job));
  }

  /** @param {HTMLElement} node @param {import("./live.js").JobRow} job */
  fill(node, job) {
    const look = /** @type {HTMLElement} */ (node.querySelector("[data-look]")), tick = /** @type {HTMLInputElement} */ (node.querySelector("input"));
    node.classList.toggle("on-stage", job.id === this.at);
    look.setAttribute("aria-label", say("latest.look", { job: job.id }));
    look.setAttribute("aria-pressed", String(job.id === this.at));
    tick.checked = this.picked.includes(job.id);
    tick.setAttribute("aria-label", say("latest.pick", { job: job.id }));
    tick.title = say("latest.pick", { job: job.id });
    /** @type {HTMLElement} */ (node.querySelector("p")).textContent = `#${job.id} · ${lengthOf(job)}`;
    /** @type {HTMLElement} */ (node.querySelector("small")).textContent = seedOf(job) === null ? "" : say("page.seed", { seed: job.seed });
  }
}

/** @param {import("./live.js").JobRow} job */
function card(job) {
  const look = el("button", { type: "button", class: "look", dataset: { look: String(job.id) } }, thumb(job));
  return el("li", {}, look, el("label", { class: "tick-box" }, el("input", { type: "checkbox", value: String(job.id) })), el("p"), el("small"));
}

customElements.define("latest-results", LatestResults);

// What a section has of its own, to be changed below the timeline: its picture and its prompt with the tokens it takes.
// Escape closes; what was typed is already kept.

import { pictureUrl } from "./api.js";
import { button, el } from "./dom.js";
import { open } from "./dialog.js";
import { called, own } from "./timeline-items.js";
import { say } from "./words.js";

/** The editor of a timeline. */
export class SectionEdit {
  /**
   * @param {import("./timeline-items.js").Items} items
   * @param {{choose: (place: any) => void, closed: (place: any) => void}} act
   */
  constructor(items, act) {
    this.items = items;
    this.act = act;
    /** @type {number | null} */
    this.place = null;
    this.seen = ""; // the prompt as it was last told or heard of
    this.title = el("h3", { id: "timeline-edit" });
    this.picture = /** @type {HTMLImageElement} */ (el("img", { alt: "" }));
    this.text = /** @type {HTMLTextAreaElement} */ (el("textarea", { rows: "3", id: "timeline-prompt", "aria-describedby": "timeline-meter" }));
    this.label = el("label", { for: "timeline-prompt", dataset: { word: "timeline.prompt" }, text: say("timeline.prompt") });
    this.meter = el("p", { class: "soft", id: "timeline-meter" });
    this.wrong = el("p", { class: "wrong", role: "alert", hidden: true });
    const plain = (/** @type {string} */ name, /** @type {string} */ id, /** @type {() => void} */ run) => {
      const made = button(name, say(id), run);
      /** @type {HTMLElement} */ (made.lastElementChild).dataset.word = id;
      return made;
    };
    this.choose = plain("image", "timeline.choose", () => this.place !== null && act.choose(this.place));
    this.remove_ = plain("trash", "timeline.remove_picture", () => this.place !== null && items.clear(this.place, ["picture"]));
    const shut = button("close", say("do.close"), () => this.close(), { quiet: true, dataset: { wordLabel: "do.close", wordTitle: "do.close" } });
    this.node = el(
      "section",
      { class: "edit", "aria-labelledby": "timeline-edit", hidden: true },
      el("header", { class: "row" }, this.title, shut),
      el("div", { class: "of-picture" }, this.picture, el("div", { class: "row" }, this.choose, this.remove_)),
      el("div", { class: "of-prompt" }, this.label, this.text, this.meter, this.wrong),
    );
    this.text.addEventListener("input", () => this._typed());
    this.text.addEventListener("change", () => this._done());
    this.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault();
      this.close();
    });
  }

  /** @param {number} place */
  open(place) {
    if (this.place !== null) this._done();
    this.place = place;
    this.node.hidden = false;
    this.text.value = this.seen = own(this.items.values, place, "prompt") ?? "";
    this.text.focus();
  }

  close() {
    if (this.place === null) return;
    this._done();
    const { place } = this;
    this.hide();
    this.act.closed(place);
  }

  /** Close it, because its section is gone. */
  hide() {
    this.place = null;
    this.node.hidden = true;
  }

  /** A draft takes every letter; a job is told once. */
  _typed() {
    if (this.place !== null && !this.items.job()?.open(this.place)) this.items.say(this.place, this.text.value);
  }

  _done() {
    const { place } = this, text = this.text.value;
    if (place === null || !this.items.job()?.open(place) || text.trim() === this.seen.trim()) return;
    this.seen = text;
    this.items.say(place, text);
  }

  /**
   * Show what is there now.
   * @param {import("./timeline-card.js").Shown | undefined} shown its card
   * @param {any} tokens of its prompt
   * @param {boolean} pictures whether it can have one
   */
  draw(shown, tokens, pictures) {
    const { place } = this;
    if (place === null) return;
    const { values } = this.items, id = own(values, place), prompt = own(values, place, "prompt") ?? "";
    this.title.textContent = [called(place), shown?.times].filter(Boolean).join(" · ");
    const url = id ? pictureUrl(id) : "";
    if (url && this.picture.getAttribute("src") !== url) this.picture.src = url;
    const job = this.items.job(), settled = Boolean(job && !job.open(place));
    this.picture.hidden = !id;
    this.remove_.hidden = !id || settled;
    this.choose.hidden = place < 0 || !pictures || settled;
    this.text.disabled = place < 0;
    this.text.readOnly = settled;
    this.text.placeholder = say("timeline.blank");
    if (prompt !== this.seen) {
      this.seen = prompt;
      if (document.activeElement !== this.text || !this.text.value.trim()) this.text.value = prompt;
    }
    this.text.toggleAttribute("aria-invalid", Boolean(shown?.problem));
    this.wrong.textContent = shown?.problem ?? "";
    this.wrong.hidden = !shown?.problem;
    const meter = this.text.value.trim() && tokens ? read(tokens) : "";
    this.meter.textContent = settled ? say("timeline.settled") : meter;
  }
}

/** What of a prompt is read, in words. @param {any} tokens */
export function read({ clip, llama, only_llama: story, cut }) {
  const said = [clip && say("meter.both", clip), llama && say("meter.story", llama)];
  said.push(story && `${say("meter.only_story")} ${story}`, cut && `${say("meter.cut")} ${cut}`);
  return said.filter(Boolean).join(" · ");
}

/**
 * Ask to which place something goes.
 * @param {string} title
 * @param {{place: import("./timeline-items.js").Place, name: string}[]} places
 * @param {string} yes
 * @param {(place: any) => void} take
 */
export function chooseOf(title, places, yes, take) {
  const list = /** @type {HTMLSelectElement} */ (el("select", { "aria-label": title }));
  for (const one of places) list.add(new Option(one.name, String(one.place)));
  const go = button("", yes, () => done(), { class: "primary" });
  const form = el("form", { class: "ask-box" }, list, el("div", { class: "row end" }, go));
  const done = () => {
    close();
    const chosen = places[list.selectedIndex];
    if (chosen) take(chosen.place);
  };
  list.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    done();
  });
  const close = open(form, { title });
  list.focus();
}

// The video that is being made, for the timeline: its sections with what became of each, shown while the draft asks for
// the same or when somebody wants to see it. A finished section can be made once more or be gone on from.

import { address, get, post } from "./api.js";
import { flat } from "./draft.js";
import { live } from "./live.js";
import { again, branch, reword } from "./timeline-again.js";
import { saying } from "./toast.js";
import { say, span } from "./words.js";

/** What of a plan is drawn: of each section when it is, its prompt, and the picture that it comes from. @param {any} plan */
function drawn(plan) {
  if (!plan) return "";
  const { sections, images, model, width, height } = plan;
  const parts = sections.map((/** @type {any} */ one) => [one.number, one.start_frame, one.end_frame, one.prompt, images[one.anchor]]);
  return JSON.stringify([parts, images.final, model, width, height]);
}

/** The job that a timeline follows. Says "change" when what is to be shown is another. */
export class Following extends EventTarget {
  /** @type {any} the row of the job */
  row = null;
  /** @type {any} */
  plan = null;
  /** @type {Record<string, any>} what it asks for, flat */
  values = {};
  /** @type {Map<number, any>} what can be done with its sections, by number */
  sections = new Map();
  /** @type {Map<number, number>} seconds that finished sections took, by order */
  times = new Map();
  /** @type {"auto" | "draft" | "job"} */
  mode = "auto";
  /** Whether the draft has just been made to ask for the same, and its plan is to come. */
  awaited = false;
  _draft = "";

  constructor() {
    super();
    live.addEventListener("jobs", () => this._look());
    document.addEventListener("stage", (event) => this._look(/** @type {CustomEvent} */ (event).detail));
  }

  get id() {
    return this.row?.id;
  }

  /** Whether the draft asks for just this video. */
  get follows() {
    return Boolean(this.plan) && (this.awaited || drawn(this.plan) === this._draft);
  }

  /** Whether the job is shown, not the draft. */
  get shown() {
    if (!this.plan || this.mode === "draft") return false;
    return this.mode === "job" || (this.active && this.follows);
  }

  get active() {
    return live.active().some((job) => job.id === this.id);
  }

  /** Tell what the draft plans. @param {any} plan */
  planned(plan) {
    this.awaited = false;
    this._draft = drawn(plan);
  }

  /** Whether something about a place can still be changed. @param {any} place */
  open(place) {
    const section = this.sections.get(place);
    return Boolean(section?.ahead && section.order > this.at - (this.active ? 0 : 1));
  }

  /** The order of the section that is being made. */
  get at() {
    if (this.row.status === "done") return this.plan.sections.length;
    return this.row.progress?.order ?? this.row.kept ?? 0;
  }

  /** Follow the video that is made, else the one that one looks at. @param {any} [staged] the row of the stage's job */
  _look(staged) {
    if (staged?.kind === "video") this._staged = staged.id;
    const job = live.active().find((one) => one.kind === "video"), looked = this._staged ?? this.row?.id;
    const row = job ?? live.jobs.get(looked) ?? null;
    const before = this.row, place = before?.progress?.order;
    this.row = row;
    if (!row) this.plan = null;
    else if (row.id !== before?.id || row.status !== before.status || row.progress?.order !== place) this.load();
    if (row || before) this.dispatchEvent(new Event("change"));
  }

  /** Learn what the job asks for and how far it is. */
  async load() {
    const { id } = this.row;
    if (this.plan && this._of !== id) [this.plan, this.mode] = [null, "auto"];
    try {
      const job = await get(`jobs/${id}`);
      const asked = { ...job.request, seed: job.result?.seed ?? job.request.seed };
      const planned = await post("drafts/video", { options: asked }), { sections } = await get(`jobs/${id}/sections`);
      if (this.row?.id !== id) return;
      this.sections = new Map(sections.map((/** @type {any} */ one) => [one.number, one]));
      [this._of, this.values, this.plan] = [id, flat(job.request), planned.plan];
      this.times = times(job.events ?? []);
      this.dispatchEvent(new Event("change"));
    } catch (error) {
      if (error.status === undefined) throw error; // no answer of ours; without one the draft's own timeline is shown
    }
  }

  /**
   * What became of a section.
   * @param {{order: number}} section
   * @returns {{state: "done" | "running" | "waiting", said: string, short?: string, url?: string}}
   */
  of({ order, start_frame: first, end_frame: last }) {
    const { progress, preview, kept = 0 } = this.row, seconds = this.times.get(order);
    const url = this.row.status === "done" ? address(`jobs/${this.id}/frames/${(first + last) >> 1}.png`) : undefined;
    if (order < kept) return { state: "done", said: say("timeline.kept"), url };
    if (order < this.at) return { state: "done", said: seconds === undefined ? "✓" : `✓ ${span(seconds)}`, url };
    if (order > this.at || !this.active) return { state: "waiting", said: say(order === this.at + 1 && this.active ? "timeline.next" : "timeline.waits") };
    const said = progress ? say("timeline.step", { step: progress.step, steps: progress.steps }) : say("timeline.next");
    return { state: "running", said, short: progress ? `${progress.step}/${progress.steps}` : "", url: preview ?? undefined };
  }

  /**
   * What can be done with a section that is finished.
   * @param {any} section
   * @returns {{icon: string, text: string, run: () => void, quick?: boolean}[]}
   */
  actions(section) {
    if (section.order >= this.at || !this.sections.get(section.number)?.redo) return [];
    const { id } = this, count = this.plan.sections.length, of = { id, section, kept: section.order, count };
    const redo = (/** @type {any} */ change) => again(of, change), kept = section.order + 1;
    const on = () => branch({ ...of, kept }, this.values.prompt ?? "");
    const found = kept < count ? [{ icon: "branch", text: say("do.branch"), quick: true, run: on }] : []; // else it would be a copy
    if (section.number < 0) return found;
    return [
      { icon: "redo", text: say("timeline.redo"), quick: true, run: () => redo({}) },
      { icon: "redo", text: say("timeline.redo_same"), run: () => redo({ seed: this.row.seed }) },
      { icon: "edit", text: say("timeline.redo_prompt"), run: () => reword(of) },
      ...found,
    ];
  }

  /** A frame of the job as a picture that was given. @param {number} frame @returns {Promise<string | undefined>} */
  async frame(frame) {
    return (await saying(() => post(`jobs/${this.id}/frames/${frame}`)))?.id;
  }
}

/** Seconds from one section's end to the next one's. @param {any[]} events */
function times(events) {
  /** @type {Map<number, number>} */
  const found = new Map();
  let begun = NaN;
  for (const { time, event } of events) {
    if (event.kind === "changed") begun = NaN; // whatever began before, began in another process
    if (event.kind === "started") begun = time;
    if (event.kind !== "section_done") continue;
    if (event.computed && time >= begun) found.set(event.order, time - begun);
    begun = time;
  }
  return found;
}

// What lies on the places of a timeline: pictures and prompts of sections, the Image, the Final Frame. Changes them in
// a draft, where each can be had back, or in a job that is being made, where only what is still to come can change.

import { put, upload } from "./api.js";
import { toast } from "./toast.js";
import { say } from "./words.js";

/** @typedef {number | "image" | "final"} Place a section's number, or one of the video's ends */
/** @typedef {"picture" | "prompt"} Kind */
/** @typedef {Record<string, any>} Values flat, as those of a draft */

const SECTIONS = "keyframes.sections", PROMPTS = "keyframes.prompts";
const ENDS = { image: "image", final: "keyframes.final" };

/**
 * The picture or prompt that a place has of its own; null for none.
 * @param {Values} values
 * @param {Place} place
 * @param {Kind} [kind]
 * @returns {string | null}
 */
export function own(values, place, kind = "picture") {
  if (typeof place !== "number") return kind === "picture" ? (values[ENDS[place]] ?? null) : null;
  return values[kind === "picture" ? SECTIONS : PROMPTS]?.[place] ?? null;
}

/**
 * Put something on a place, or take it away with null.
 * @param {Values} values changed
 * @param {Place} place
 * @param {Kind} kind
 * @param {string | null} what
 */
export function lay(values, place, kind, what) {
  if (typeof place !== "number") {
    if (kind === "picture") values[ENDS[place]] = what;
    return;
  }
  const key = kind === "picture" ? SECTIONS : PROMPTS, table = (values[key] = { ...values[key] });
  if (what === null || what === "") delete table[place];
  else table[place] = what;
}

/**
 * The sections that have something of their own.
 * @param {Values} values
 * @returns {{number: number, kind: Kind}[]}
 */
export function owned(values) {
  /** @param {string} key @param {Kind} kind */
  const numbers = (key, kind) => Object.keys(values[key] ?? {}).map((number) => ({ number: Number(number), kind }));
  const all = [...numbers(SECTIONS, "picture"), ...numbers(PROMPTS, "prompt")];
  return all.filter(({ number, kind }) => own(values, number, kind)?.trim()).sort((a, b) => a.number - b.number);
}

/**
 * Number what sections have of their own from the other end of so many; what lies beyond them stays.
 * @param {Values} values changed
 * @param {number} count
 */
export function turned(values, count) {
  for (const key of [SECTIONS, PROMPTS].filter((one) => values[one])) {
    const other = ([place, what]) => [Number(place) < count ? count - 1 - Number(place) : place, what];
    values[key] = Object.fromEntries(Object.entries(values[key]).map(other));
  }
}

/** Pictures and prompts of sections. @param {Values} values */
const tables = (values) => ({ sections: values[SECTIONS] ?? {}, prompts: values[PROMPTS] ?? {} });

/** What a place is called. @param {Place} place */
export function called(place) {
  if (place === "image") return say("timeline.image");
  if (place === "final") return say("timeline.final");
  return place < 0 ? say("timeline.connecting") : say("timeline.section", { number: place });
}

/** Changes what lies on places, and says so. */
export class Items {
  /**
   * @param {import("./draft.js").Draft} draft
   * @param {() => import("./timeline-job.js").Following | null} job the job that is shown instead, if one is
   */
  constructor(draft, job) {
    this.draft = draft;
    this.job = job;
  }

  /** What is shown: the draft's values, or those of the job. @returns {Values} */
  get values() {
    return this.job()?.values ?? this.draft.values;
  }

  /**
   * Change something about some places; `undo` is the id of what was done.
   * @param {Place[]} places
   * @param {(values: Values) => void} mutate
   * @param {string} [undo]
   */
  async change(places, mutate, undo) {
    const job = this.job();
    if (!job || places.some((place) => !job.open(place))) {
      if (job) job.mode = "auto"; // what is changed is the draft, so that is what is to be seen
      return this._draft(mutate, undo);
    }
    const values = structuredClone(job.values), both = job.follows;
    mutate(values);
    const before = tables(job.values);
    if (!(await this._ahead(job, tables(values), both))) return undefined;
    toast(say("timeline.ahead", { job: job.id }), { undo: () => this._ahead(job, before, both) });
    return undefined;
  }

  /**
   * Tell a job what is to come.
   * @param {import("./timeline-job.js").Following} job
   * @param {{sections: Values, prompts: Values}} keyframes
   * @param {boolean} both whether the draft asks for the same and is to stay so
   */
  async _ahead(job, keyframes, both) {
    let told;
    try {
      told = await put(`jobs/${job.id}/ahead`, { options: { keyframes } });
    } catch (error) {
      toast(error.message, { kind: "problem", id: error.id });
      if (error.status === undefined) throw error; // no answer of ours: a fault of the page
      return false;
    }
    if (both) {
      // What is made keeps the pictures and prompts that it has, so that the job may now have some of its own.
      const { sections, prompts } = told.request.keyframes;
      job.awaited = true;
      this.draft.change((values) => Object.assign(values, { [SECTIONS]: sections, [PROMPTS]: prompts }));
    }
    await job.load();
    return true;
  }

  /** @param {(values: Values) => void} mutate @param {string} [undo] */
  _draft(mutate, undo) {
    const before = this.draft.values;
    this.draft.change(mutate, { undo });
    if (undo && before !== this.draft.values) toast(say(undo), { undo: this.draft.back() });
  }

  /**
   * Take a file for a place; what is refused is said there.
   * @param {Place} place
   * @param {File | undefined} file
   */
  async take(place, file) {
    if (!file) return;
    const { id } = await upload("pictures", file);
    await this.set(place, id);
  }

  /** A picture for a place. @param {Place} place @param {string} id */
  set(place, id) {
    const undo = own(this.values, place) ? "undo.frame_replaced" : undefined;
    return this.change([place], (values) => lay(values, place, "picture", id), undo);
  }

  /** The prompt of a section, as it is typed. @param {number} number @param {string} text */
  say(number, text) {
    return this.change([number], (values) => lay(values, number, "prompt", text));
  }

  /**
   * Take something to another place.
   * @param {Place} from
   * @param {Place} to
   * @param {Kind} kind
   * @param {boolean} copy
   */
  bring(from, to, kind, copy) {
    const what = own(this.values, from, kind), stays = copy || from === "image";
    if (!what || from === to || (kind === "prompt" && typeof to !== "number")) return undefined;
    return this.change([from, to], (values) => {
      if (!stays) lay(values, from, kind, null);
      lay(values, to, kind, what);
    }, stays ? "undo.frame_copied" : "undo.frame_moved");
  }

  /** Take all or one kind of what a place has away. @param {Place} place @param {Kind[]} [kinds] */
  clear(place, kinds = ["picture", "prompt"]) {
    if (!kinds.some((kind) => own(this.values, place, kind))) return undefined;
    return this.change([place], (values) => kinds.forEach((kind) => lay(values, place, kind, null)), "undo.section_cleared");
  }

  /** Take everything away that sections have. */
  clearAll() {
    const places = owned(this.values).map((one) => one.number);
    return this.change(places, (values) => {
      for (const key of [SECTIONS, PROMPTS]) delete values[key];
    }, "undo.sections_cleared");
  }
}

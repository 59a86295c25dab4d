// What the two forms have in common: changes that can be had back, options of jobs and files as drafts, what an address
// asks for. Knows no single field.

import { get, isId } from "./api.js";
import { flat } from "./draft.js";
import { find } from "./dom.js";
import { pictureOf } from "./picture.js";
import { edit } from "./start.js";
import { saying, toast } from "./toast.js";
import { say } from "./words.js";

const TYPING = "input:not([type=checkbox], [type=radio], [type=range], [type=file]), textarea, select";

/** Whether somebody is typing. */
export const typing = () => Boolean(document.activeElement?.matches(TYPING));

/** One form: its draft and what is known of its options. */
export class Asking {
  /**
   * @param {import("./draft.js").Draft} draft
   * @param {{defaults: Record<string, any>}} facts
   * @param {import("./sizes.js").Models} models
   */
  constructor(draft, facts, models) {
    this.draft = draft;
    this.facts = facts;
    this.models = models;
    this.change = this.change.bind(this);
    this.drafted = this.drafted.bind(this);
  }

  /**
   * Change the draft in a way that can be had back.
   * @param {(values: Record<string, any>) => void} mutate
   * @param {string} text the id of what was done
   */
  change(mutate, text) {
    toast(say(text), this.draft.change(mutate, { undo: text }) ? { undo: this.draft.back() } : {});
  }

  /** Go back by one step, and say so. */
  undo() {
    toast(say(this.draft.undo() ? "undo.done" : "undo.nothing"));
  }

  /** Begin anew. */
  clear() {
    toast(say("undo.cleared"), this.draft.replace({}, { undo: "undo.cleared" }) ? { undo: this.draft.back() } : {});
  }

  /**
   * What a draft is of nested options, as a file or a job has them: only what is not as by default, and the kind of model.
   * @param {Record<string, any>} nested
   */
  drafted(nested) {
    const values = flat(nested);
    for (const [name, value] of Object.entries(values)) {
      if (JSON.stringify(value) === JSON.stringify(this.facts.defaults[name] ?? null)) delete values[name];
    }
    if (this.models.direction(values.model ?? "tiny") === "forward") values["page.direction"] = "forward";
    return values;
  }

  /** What is pasted while nobody types goes to a picture. @param {string} name */
  paste(name) {
    document.addEventListener("paste", (event) => {
      if (typing() || document.querySelector("dialog[open]") || !event.clipboardData?.files.length) return;
      event.preventDefault();
      find(`picture-drop[name="${name}"]`).take(pictureOf(event.clipboardData));
    });
  }

  /** Advice sets what it speaks of. @param {HTMLElement} fields */
  advice(fields) {
    fields.addEventListener("click", (event) => {
      const { set, value, example } = /** @type {HTMLElement} */ (event.target).dataset ?? {};
      if (set) this.change((values) => (values[set] = Number(value) === this.facts.defaults[set] ? null : Number(value)), "undo.advice");
      if (example) this.change((values) => (values.prompt = example), "undo.prompt");
    });
  }

  /**
   * What the address asks for: a job's options again, a waiting job to change, files to begin with.
   * @param {Record<string, string>} files options by what they are called there
   * @returns {Promise<boolean>} whether it asks for anything
   */
  async asked(files) {
    const query = new URLSearchParams(location.search);
    if (!query.size) return false;
    history.replaceState(history.state, "", location.pathname);
    const id = Number(query.get("use")), changed = Number(query.get("edit"));
    if (changed) await edit(this.draft, changed, this.drafted);
    if (id) {
      await saying(async () => {
        const read = await get(`jobs/${id}/options?seed=${query.get("seed") === "new" ? "new" : "same"}`);
        this.draft.replace(this.drafted(read.options), { undo: "undo.used" });
        toast(say("undo.used"), { said: read, undo: this.draft.back() });
      });
    }
    const model = query.get("model");
    if (model) this.draft.change((values) => {
      values.model = model === "tiny" ? null : model;
      values["page.direction"] = this.models.direction(model) === "forward" ? "forward" : null;
    });
    for (const [name, option] of Object.entries(files)) {
      if (isId(query.get(name))) this.change((values) => (values[option] = query.get(name)), "undo.taken");
    }
    return true;
  }
}

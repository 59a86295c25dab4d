// What places for a file of a draft have in common, `picture.js` and `filedrop.js`: giving it to the server, taking it
// out again, and saying in the place itself what is wrong with it.

import { upload } from "./api.js";
import { tell } from "./more.js";
import { toast } from "./toast.js";
import { say } from "./words.js";

/** A place for a file; its kind has the parts `input`, `problem` and `remove_`, a `draft` and the `name` of an option. */
export class Drop extends HTMLElement {
  /** The words on what can be undone: the file is taken out, or another one has come in its place. */
  undo = { out: "undo.file", replaced: "undo.file_replaced" };

  /** Give a file to an address of the server; what it refuses is said here. @param {string} path @param {File} file */
  async give(path, file) {
    this.classList.add("busy");
    try {
      const { id } = await upload(path, file);
      this.say("");
      const had = this.draft.get(this.name);
      this.draft.change((values) => (values[this.name] = id), had && had !== id ? { undo: this.undo.replaced } : {});
    } catch (error) {
      this.say(error.message, error.id);
    } finally {
      this.classList.remove("busy");
      this.input.value = "";
    }
  }

  clear() {
    if (!this.draft.get(this.name)) return this.say(""); // nothing is there but the word on what could not be read
    this.draft.change((values) => delete values[this.name], { undo: this.undo.out });
    toast(say(this.undo.out), { undo: this.draft.back() });
    this.input.focus();
  }

  /** @param {string} problem @param {string} [id] */
  say(problem, id) {
    tell(this.problem, problem, id);
    this.problem.hidden = !problem;
    this.remove_.hidden = !problem && !this.draft.get(this.name);
    this.input.toggleAttribute("data-unread", Boolean(problem));
    document.dispatchEvent(new CustomEvent("unread", { detail: { draft: this.draft.kind, name: this.name, message: problem, id } }));
  }
}

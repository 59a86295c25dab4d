// What is kept to be used again: prompts with a name, and whole forms with a name.

import { del, get, post, put, save, upload } from "./api.js";
import { open } from "./dialog.js";
import { button, el, find } from "./dom.js";
import { request } from "./plan.js";
import { saying, toast } from "./toast.js";
import { pick, say } from "./words.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("./take.js").Change} Change */

/**
 * Presets of prompts and favourites, each in a dialog of its own.
 * @param {Draft} draft
 * @param {Change} change
 * @param {(nested: any) => Record<string, any>} drafted
 */
export function shelf(draft, change, drafted) {
  find("#presets").addEventListener("click", () => presets(draft, change));
  find("#favourites").addEventListener("click", () => favourites(draft, change, drafted));
}

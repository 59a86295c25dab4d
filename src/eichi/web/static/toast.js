// Words that come and go: what was done and can be undone, what could not be done. They lie in a corner that no control
// is under, and can be closed and reached by the keyboard.

import { button, el, find } from "./dom.js";
import { more as moreOf } from "./more.js";
import { say } from "./words.js";

const STAYS = { note: 7000, problem: 20_000, undo: 15_000 }; // milliseconds
const MOST = 4;

/**
 * Say something in the corner.
 * @param {string} text
 * @param {{kind?: "note" | "problem", said?: {notes: string[], note_ids?: string[]}, id?: string, undo?: () => void, action?: {text: string, run: () => void}}} [more]
 * @returns {() => void} closes it
 */
export function toast(text, more = {}) {
  const notes = (more.said?.notes ?? []).flatMap((note, at) => [" ", note, " ", moreOf(more.said?.note_ids?.[at])]);
  const kind = more.kind ?? "note", corner = find("#toasts");
  const box = el("div", { class: `toast ${kind}`, role: kind === "problem" ? "alert" : "status" }, el("p", {}, text, ...notes));
  const link = moreOf(more.id);
  if (link) box.append(link);
  const close = () => box.remove(), acts = more.undo ? { text: say("do.undo"), run: more.undo } : more.action;
  if (acts) {
    box.append(button("", acts.text, () => {
      close();
      acts.run();
    }, { class: "act" }));
  }
  box.append(button("close", say("do.close"), close, { quiet: true }));
  box.addEventListener("keydown", (event) => event.key === "Escape" && close());
  corner.append(box);
  while (corner.children.length > MOST) corner.firstElementChild.remove();
  let timer = 0;
  const wait = () => (timer = setTimeout(close, more.undo ? STAYS.undo : STAYS[kind]));
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", wait);
  box.addEventListener("focusin", () => clearTimeout(timer));
  box.addEventListener("focusout", wait);
  wait();
  return close;
}

/**
 * Do something that may be refused; what is refused is said.
 * @template T
 * @param {() => Promise<T>} run
 * @returns {Promise<T | undefined>}
 */
export async function saying(run) {
  try {
    return await run();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    toast(error.message, { kind: "problem", id: error.id });
    if (error.status === undefined) throw error; // not an answer: a fault of the page
    return undefined;
  }
}

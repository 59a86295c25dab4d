// Keys that do something, and a list of them to be shown.

import { el } from "./dom.js";
import { open } from "./dialog.js";
import { say } from "./words.js";

/** @type {{keys: string, text: string, run: (event: KeyboardEvent) => void, when: () => boolean, near: boolean, of: Node | null}[]} */
let known = [];
const TYPING = "input:not([type=checkbox], [type=radio], [type=range], [type=button]), textarea, select, [contenteditable]";

/**
 * Let a key do something; letters alone not while somebody types, and while a dialog is open only what is of it.
 * @param {string} keys as `Ctrl+Enter`, `?`, `Space`
 * @param {string} text the id of what it does
 * @param {(event: KeyboardEvent) => void} run
 * @param {() => boolean} [when] only then
 * @param {boolean} [near] that is where the keyboard is: this comes before what else the key does on the place
 * @param {Node | null} [of] what it is a key of; when that goes, the key does nothing any more
 */
export function key(keys, text, run, when = () => true, near = false, of = null) {
  known = [...known.filter(there), { keys, text, run, when, near, of }];
}

/** Whether what a key is of is on the page. @param {{of: Node | null}} one */
const there = ({ of }) => !of || of.isConnected;

/** What a press is called. @param {KeyboardEvent} event */
function called(event) {
  const name = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const shift = event.shiftKey && event.key.length > 1 ? "Shift+" : "";
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift}${name}`;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || document.querySelector("main[inert]")) return; // the place has no values yet
  const box = [...document.querySelectorAll("dialog[open]")].at(-1); // the one on top
  const name = called(event), target = /** @type {HTMLElement} */ (event.target);
  const typing = target.closest?.(TYPING), pressing = name === "Space" && target.closest?.("button, a, summary, input");
  if ((typing && !event.ctrlKey && !event.metaKey) || pressing) return;
  const mine = known.filter((one) => there(one) && (!box || (one.of && box.contains(one.of))));
  const all = mine.filter((one) => one.keys === name && one.when()), found = all.find((one) => one.near) ?? all[0];
  if (!found) return;
  event.preventDefault();
  found.run(event);
});

/** Show what the keys of this place do. */
export function help() {
  const said = new Map(known.filter((one) => one.text && there(one)).map((one) => [`${one.keys} ${one.text}`, one]));
  const rows = [...said.values()].map((one) => [el("dt", {}, el("kbd", { text: shown(one.keys) })), el("dd", { text: say(one.text) })]);
  open(el("dl", { class: "keys" }, ...rows.flat()), { title: say("page.keys") });
}

/** A key as it stands on the keyboard. @param {string} keys */
export function shown(keys) {
  const mac = /mac/i.test(navigator.platform);
  return keys.replace("Ctrl", mac ? "⌘" : "Ctrl").replace("Enter", "↵").replace("ArrowLeft", "←").replace("ArrowRight", "→");
}

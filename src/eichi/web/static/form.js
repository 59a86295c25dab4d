// Controls that follow a draft, both ways. A control's name is the key of its option; what it is stands on the field
// around it, as the server drew it from the declaration.

import { isId } from "./api.js";
import { findAll } from "./dom.js";
import { tell } from "./more.js";
import { figure, number, pick, say } from "./words.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/**
 * Let the controls below a node follow a draft.
 * @param {HTMLElement} root
 * @param {import("./draft.js").Draft} draft
 */
export function bind(root, draft) {
  root.addEventListener("input", (event) => {
    const control = /** @type {Control} */ (event.target);
    if (control.name && field(control)) draft.set(control.name, given(control));
  });
  root.addEventListener("input", (event) => slide(/** @type {HTMLInputElement} */ (event.target), root));
  root.addEventListener("keydown", step);
  const show = () => {
    for (const control of controls(root)) fill(control, draft.get(control.name, standard(control)));
    mode(root, draft);
  };
  draft.addEventListener("change", show);
  document.addEventListener("words", () => mode(root, draft));
  show();
}

/**
 * Mark the fields that problems are about, and say each below its field; answers those that have no field here.
 * @param {HTMLElement} root
 * @param {{id?: string, key?: string | null, message: string}[]} problems
 */
export function mark(root, problems) {
  const left = [...problems];
  for (const one of findAll(".field[data-key]", root)) {
    const at = left.findIndex((problem) => problem.key === one.dataset.key), control = inputOf(one);
    const said = one.querySelector(":scope > .wrong") ?? one.appendChild(document.createElement("p"));
    said.className = "wrong";
    said.hidden = at < 0;
    const [problem] = at < 0 ? [] : left.splice(at, 1);
    tell(said, problem?.message, problem?.id);
    if (said.id === "") {
      said.id = `wrong-${one.dataset.key}`;
      said.setAttribute("aria-live", "polite");
    }
    if (at >= 0) {
      control?.setAttribute("aria-invalid", "true");
      control?.setAttribute("aria-errormessage", said.id);
    } else {
      control?.removeAttribute("aria-invalid");
      control?.removeAttribute("aria-errormessage");
    }
  }
  return left;
}

/**
 * Go to what an option is set by, wherever on the place it is.
 * @param {string | null} key
 */
export function reveal(key) {
  const field = key && findAll(".field[data-key]").find((one) => one.dataset.key === key || key.startsWith(`${one.dataset.key}.`));
  if (!field) {
    if (key) document.dispatchEvent(new CustomEvent("reveal", { detail: { key } })); // what is on the timeline
    return;
  }
  for (let group = field.closest("details"); group; group = group.parentElement.closest("details")) group.open = true;
  field.scrollIntoView({ block: "nearest" });
  const control = field.querySelector(":is(input, select, textarea)[name]") ?? field.querySelector("input") ?? field.querySelector("button");
  control?.focus();
}

/** What is typed or chosen in, of a field; of one for a picture what takes the file. @param {HTMLElement} one */
const inputOf = (one) => one.querySelector("input[name], select[name], textarea[name]") ?? one.querySelector("input");

/** @param {Control} control @returns {HTMLElement | null} */
const field = (control) => control.closest(".field[data-key]");

/** @param {HTMLElement} root @returns {Control[]} */
const controls = (root) => findAll(".field[data-key] :is(input, select, textarea)[name]", root);

/** What an option is when nobody has set it. @param {Control} control */
function standard(control) {
  return JSON.parse(field(control)?.dataset.default ?? "null");
}

/** What a control says, null where that is the default. @param {Control} control */
function given(control) {
  const value = read(control);
  return JSON.stringify(value) === JSON.stringify(standard(control)) ? null : value;
}

/** @param {Control} control */
function read(control) {
  if (control.type === "checkbox") return /** @type {HTMLInputElement} */ (control).checked;
  if (control.type === "radio") return /** @type {HTMLInputElement} */ (control).checked ? control.value : null;
  const text = control.value;
  if (field(control)?.dataset.number === undefined) return text === "" ? null : plain(control, text);
  if (text.trim() === "") return null;
  const written = figure(text);
  return Number.isFinite(written) ? written : text; // what is no number is said by the plan
}

/** A choice among numbers is a number. @param {Control} control @param {string} text */
function plain(control, text) {
  const chosen = control instanceof HTMLSelectElement ? control.selectedOptions[0]?.dataset.value : undefined;
  return chosen === undefined ? text : JSON.parse(chosen);
}

/** A slider moves the figure beside it. @param {HTMLInputElement} slider @param {HTMLElement} root */
function slide(slider, root) {
  if (!slider.dataset.slides) return;
  const control = /** @type {HTMLInputElement} */ (root.querySelector(`#${CSS.escape(slider.dataset.slides)}`));
  control.value = number(Number(slider.value));
  control.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Arrows count a figure up and down. @param {KeyboardEvent} event */
function step(event) {
  const control = /** @type {HTMLInputElement} */ (event.target), by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!by || !control.dataset?.step) return;
  event.preventDefault();
  const { low, high } = control.dataset, size = Number(control.dataset.step) * (event.shiftKey ? 10 : 1);
  const now = figure(control.value || control.dataset.low || "0");
  if (!Number.isFinite(now)) return;
  const next = Math.round((now + by * size) * 1e6) / 1e6;
  control.value = number(Math.min(Math.max(next, Number(low ?? -Infinity)), Number(high ?? Infinity)));
  control.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Put a value into a control, unless somebody is typing it there. @param {Control} control @param {any} value */
function fill(control, value) {
  if (control.type === "checkbox") /** @type {HTMLInputElement} */ (control).checked = Boolean(value);
  else if (control.type === "radio") /** @type {HTMLInputElement} */ (control).checked = control.value === value;
  else if (JSON.stringify(read(control)) !== JSON.stringify(value)) {
    const text = value === null || value === undefined ? "" : String(value);
    if (control instanceof HTMLSelectElement) offer(control, text, value);
    control.value = control.type === "text" && typeof value === "number" ? number(value) : text;
  }
  const slider = control.parentElement?.querySelector("[data-slides]");
  if (slider) slider.value = String(value ?? slider.min);
}

/** A choice that came from a file and is not on the list stands there while it is chosen. */
function offer(control, text, value) {
  if ([...control.options].some((one) => one.value === text)) return;
  const one = new Option(text, text);
  one.dataset.value = JSON.stringify(value);
  control.add(one);
}

/** Show what the draft's model and other options have a use for, and say what of a group is not as by default. */
function mode(root, draft) {
  const direction = draft.get("page.direction", "reverse");
  for (const one of findAll(".field[data-key]", root)) {
    const { only, shown, unless, without } = one.dataset;
    const useless = (key) => draft.get(key, JSON.parse(one.dataset.shownDefault)) === JSON.parse(unless);
    const taken = without?.split(" ").some((key) => draft.get(key)); // something else is in its place
    one.hidden = Boolean(taken || (only && only !== direction) || (shown && shown.split(" ").every(useless)));
  }
  for (const group of findAll("details.group", root)) {
    const inside = findAll(".field[data-key]", group).filter((one) => !one.hidden);
    group.hidden = !inside.length && group.dataset.always === undefined;
    const said = group.querySelector("summary .set");
    if (said && group.dataset.said === undefined) said.textContent = inside.map((one) => told(one, draft)).filter(Boolean).join(" · ");
  }
}

/** What is set of a field, in a few words; nothing where it is as by default. */
function told(one, draft) {
  const value = draft.get(one.dataset.key);
  if (value === null) return "";
  const label = say(one.dataset.label);
  if (isId(value)) return label; // which file it is stands in its own place
  if (typeof value === "boolean") return `${label}: ${say(value ? "value.on" : "value.off")}`;
  const text = typeof value === "number" ? number(value) : pick(`choice.${one.dataset.name}.${value}`, String(value));
  return `${label} ${text.length > 24 ? `${text.slice(0, 23)}…` : text}`;
}

// The axes of a grid: what an option is along one is typed, or ticked where the option has choices, by the names that
// they have in its own control; how a program writes them nobody has to know.

import { el, find } from "./dom.js";
import { SIDES } from "./plan.js";
import { say } from "./words.js";

/** @typedef {{value: string, text: string}} Choice */

/** Let the axes of a draft be chosen. @param {import("./draft.js").Draft} draft */
export function axes(draft) {
  for (const [key, values] of SIDES) side(draft, key, values);
}

/** @param {import("./draft.js").Draft} draft @param {string} key of what the option is @param {string} values of what it is along the axis */
function side(draft, key, values) {
  const name = key.at(-1), chosen = find(`#batch-${name}`);
  const typed = find(`#batch-${name}-values`), box = find(`#batch-${name}-choices`);
  let drawn = "[]";
  const show = () => {
    const choices = choicesOf(draft.get(key)), said = JSON.stringify(choices), had = read(draft.get(values));
    if (said !== drawn) box.replaceChildren(...choices.map((one) => tick(one)));
    drawn = said;
    box.hidden = !choices.length;
    typed.hidden = choices.length > 0;
    for (const one of box.querySelectorAll("input")) one.checked = had.includes(one.value);
    typed.placeholder = example(draft.get(key));
  };
  chosen.addEventListener("input", () => {
    const other = choicesOf(chosen.value).length || drawn !== "[]"; // what was ticked means nothing to another option
    draft.change((all) => {
      all[key] = chosen.value || null;
      if (other) all[values] = null;
    });
  });
  box.addEventListener("change", () => {
    const ticked = [...box.querySelectorAll("input:checked")].map((one) => /** @type {HTMLInputElement} */ (one).value);
    draft.set(values, ticked.map((one) => (one.includes(",") ? `"${one}"` : one)).join(",") || null);
  });
  draft.addEventListener("change", show);
  document.addEventListener("words", show);
  show();
}

/** @param {Choice} one */
const tick = ({ value, text }) => el("label", {}, el("input", { type: "checkbox", value }), el("span", { text }));

/** The values that are ticked. @param {string | null} text */
const read = (text) => (text?.match(/"[^"]*"|[^,]+/g) ?? []).map((one) => one.trim().replaceAll('"', ""));

/** The field of an option on this place. @param {string | null} key */
const fieldOf = (key) => (key ? find(`.field[data-key="${CSS.escape(key)}"]`) : null);

/** What an option can be, by the names in its own control; none where it is typed. @param {string | null} key @returns {Choice[]} */
function choicesOf(key) {
  const control = fieldOf(key)?.querySelector("select[name], input[type=checkbox][name]");
  if (!control) return [];
  if (control instanceof HTMLInputElement) return [{ value: "true", text: say("value.on") }, { value: "false", text: say("value.off") }];
  return [.../** @type {HTMLSelectElement} */ (control).options].filter((one) => one.value).map(({ value, text }) => ({ value, text }));
}

/** How values of an option may be written. @param {string | null} key */
function example(key) {
  if (key === "replace") return say("batch.replace_example");
  return !key || fieldOf(key)?.dataset.number !== undefined ? say("batch.number_example") : "";
}

// What is asked before a job is made from the finished sections of another: one of them once more, or what comes after
// it another way. Says how much is kept and how much is generated again.

import { post } from "./api.js";
import { open } from "./dialog.js";
import { button, el } from "./dom.js";
import { saying, toast } from "./toast.js";
import { figure, number, say } from "./words.js";

/**
 * How much of a job is kept, in words.
 * @param {"again" | "branch"} id
 * @param {{id: number, section: any, kept: number, count: number}} of
 */
const told = (id, { id: job, section, kept, count }) =>
  say(`timeline.${id}`, { number: section.number, again: count - kept, count, kept, job });

/**
 * Ask, make the job, and let the page follow it; what is refused leaves the dialog as it is.
 * @param {string} path
 * @param {{title: string, text: string, fields?: HTMLElement[], body: () => any}} more
 */
function asked(path, { title, text, fields = [], body }) {
  const go = button("", title, async () => {
    go.disabled = true; // a second press would make a second job
    const made = await saying(() => post(path, body()));
    go.disabled = false;
    if (!made) return;
    close();
    toast(say("page.queued", { first: made.id, count: 1 }));
    document.dispatchEvent(new CustomEvent("started", { detail: { jobs: [made.id] } }));
  }, { class: "primary" });
  const no = button("", say("do.cancel"), () => close());
  const close = open(el("div", { class: "ask-box" }, el("p", { text }), ...fields, el("div", { class: "row end" }, no, go)), { title });
  return go;
}

/**
 * Make a section once more, and all that were made after it.
 * @param {{id: number, section: any, kept: number, count: number}} of
 * @param {any} change
 */
export function again(of, change) {
  const go = asked(`jobs/${of.id}/sections/${of.section.number}/redo`, { title: say("do.redo"), text: told("again", of), body: () => change });
  go.focus();
}

/**
 * The same with another prompt.
 * @param {{id: number, section: any, kept: number, count: number}} of
 */
export function reword(of) {
  const { section } = of;
  const text = /** @type {HTMLTextAreaElement} */ (el("textarea", { rows: "4", "aria-label": say("timeline.prompt_of", { number: section.number }) }));
  text.value = section.prompt;
  asked(`jobs/${of.id}/sections/${section.number}/redo`, {
    title: `${say("do.redo")} · ${say("timeline.section", { number: number(section.number) })}`,
    text: told("again", of),
    fields: [text],
    body: () => ({ prompt: text.value }),
  });
  text.focus();
}

/**
 * Keep what was made up to a section, and make what comes after it another way.
 * @param {{id: number, section: any, kept: number, count: number}} of
 * @param {string} prompt the common one
 */
export function branch(of, prompt) {
  const text = /** @type {HTMLTextAreaElement} */ (el("textarea", { rows: "3" }));
  const seed = /** @type {HTMLInputElement} */ (el("input", { type: "text", inputmode: "numeric", autocomplete: "off", placeholder: say("page.random") }));
  text.value = prompt;
  const field = (/** @type {string} */ id, /** @type {HTMLElement} */ control) => el("label", { class: "field" }, el("span", { text: say(id) }), control);
  const written = () => {
    const given = seed.value.trim();
    return given === "" ? null : Number.isFinite(figure(given)) ? figure(given) : given; // what is no number is refused
  };
  asked(`jobs/${of.id}/branch`, {
    title: say("do.branch"),
    text: told("branch", of),
    fields: [field("timeline.branch_prompt", text), field("label.seed", seed)],
    body: () => ({ order: of.kept, options: { seed: written(), ...(text.value === prompt ? {} : { prompt: text.value }) } }),
  });
  text.focus();
}

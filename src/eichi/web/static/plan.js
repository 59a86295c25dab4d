// What the draft comes to: asked for at each change, shown beside Generate, and told to everything else on the place.

import { post } from "./api.js";
import { open } from "./dialog.js";
import { el, find, findAll } from "./dom.js";
import { mark, reveal } from "./form.js";
import { live } from "./live.js";
import { more, tell } from "./more.js";
import { number, say } from "./words.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {{key?: string | null, id: string, message: string}} Problem */
/** @typedef {Record<string, any> & {problems: Problem[], notes: string[], note_ids: string[], line: string | null, jobs: number}} DraftView */

/** The kind of model that alone has a use for an option, by key. @type {Record<string, string>} */
const only = JSON.parse(find("#facts").textContent).only;
/** @type {DraftView | null} the latest answer */
let last = null;
/** @type {Problem | null} no answer, and why */
let unanswered = null;
/** Pictures that could not be read, by the key of their option. @type {Map<string, string>} */
const unread = new Map();
let pressed = false;
/** The axes of a grid, each by the keys of its two fields. */
export const SIDES = [["page.batch.x", "page.batch.x_values"], ["page.batch.y", "page.batch.y_values"], ["page.batch.z", "page.batch.z_values"]];
/** Asks at once what was not asked yet. @type {() => Promise<void>} */
let hurry = async () => {};

/**
 * What is asked of the program: what the draft says, without what its model has no use for, and how many.
 * @param {Draft} draft
 */
export function request(draft) {
  const options = draft.options((key) => used(draft, key)), batch = several(draft);
  return batch ? { kind: draft.kind, options, batch } : { kind: draft.kind, options };
}

/** Whether the draft's model has a use for an option. @param {Draft} draft @param {string} key */
export const used = (draft, key) => !only[key] || only[key] === draft.get("page.direction", "reverse");

/** The sides of the grid that are begun, by the keys of their fields. @param {Draft} draft */
const begunSides = (draft) => SIDES.filter((side) => side.some((key) => draft.get(key)?.trim()));

/** The axes of the grid that a draft is for; of one that is half written it is said what is missing. @param {Draft} draft */
export const axesOf = (draft) => begunSides(draft).map(([key, values]) => ({ key: draft.get(key) ?? "", values: draft.get(values) ?? "" }));

/** What makes several jobs of a draft, null where nothing does. @param {Draft} draft */
function several(draft) {
  const count = draft.get("page.batch.count"), prompts = draft.get("page.batch.prompts") ?? "";
  const pictures = (draft.get("page.batch.pictures") ?? []).map(({ id, prompt }) => (prompt ? { id, prompt } : { id }));
  const axes = axesOf(draft);
  const plain = (count === null || count === 1) && !prompts.trim() && !pictures.length && !axes.length;
  if (plain) return null;
  const all = { count: count ?? 1, prompts, axes };
  return draft.kind === "frame" ? { ...all, references: pictures.map(({ id }) => ({ id })) } : { ...all, pictures };
}

/** The plan of the draft as it is now: what was typed a moment ago is in it, and what could not be asked is asked again. */
export const settled = () => hurry();

/** The latest plan. @returns {DraftView | null} */
export const planned = () => last;

/**
 * Ask at each change, and show what is answered.
 * @param {Draft} draft
 */
export function plan(draft) {
  let timer = 0, asking = false, changed = false, running = Promise.resolve();
  const ask = async () => {
    clearTimeout(timer);
    timer = 0;
    changed = asking;
    if (asking) return; // and again once that is answered
    asking = true;
    const { options, batch } = request(draft), whole = { prompt: "", ...options }; // an empty one has its tokens, too
    try {
      last = await post(`drafts/${draft.kind}`, batch ? { options: whole, batch } : { options: whole });
      unanswered = null;
    } catch (error) {
      if (error.status === undefined) throw error;
      unanswered = { id: error.id, key: error.key, message: error.message };
    } finally {
      asking = false;
    }
    if (changed) running = ask();
    show(draft);
    if (!unanswered) document.dispatchEvent(new CustomEvent("planned", { detail: last }));
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(go); // what changes together is asked once
  };
  const go = () => (running = Promise.allSettled([running, ask()]).then(() => {}));
  hurry = async () => {
    if (timer || unanswered) go();
    for (let seen = null; seen !== running; ) await (seen = running);
  };
  draft.addEventListener("change", later);
  live.addEventListener("connected", () => live.connected && later());
  document.addEventListener("words", later);
  document.addEventListener("unread", (event) => {
    const { name, message, id } = /** @type {CustomEvent} */ (event).detail;
    if (message) unread.set(name, { id, key: name, message });
    else unread.delete(name);
    show(draft);
  });
  find("#plan-go").addEventListener("click", () => reveal(problems(draft)[0]?.key ?? null));
  find("#plan-notes").addEventListener("click", () => {
    open(el("ul", { class: "notes" }, ...(last?.notes ?? []).map((text, at) => el("li", {}, text, " ", more(last.note_ids[at])))), { title: say("page.notes_title") });
  });
  running = ask();
}

/**
 * What keeps the draft from being made, the first thing to mend first.
 * @param {Draft} draft
 * @returns {Problem[]}
 */
export function problems(draft) {
  const unseen = [...unread].filter(([name]) => !draft.get(name)).map(([, said]) => said);
  const said = (last?.problems ?? []).filter((one) => !unseen.some(({ key }) => key === one.key));
  const begun = said.filter((one) => one.key !== "image"), rest = said.filter((one) => one.key === "image");
  return [...unseen, ...(unanswered ? [unanswered] : []), ...begun, ...rest].map((one) => placed(draft, one));
}

/** A problem with the key of the field that it is about. @param {Draft} draft @param {Problem} one */
function placed(draft, one) {
  const [, at, part] = /^batch\.axes\.(\d)\.(key|values)$/.exec(one.key ?? "") ?? [];
  if (part) return { ...one, key: begunSides(draft)[Number(at)]?.[part === "key" ? 0 : 1] };
  return one.key?.startsWith("batch.") ? { ...one, key: `page.${one.key}` } : one;
}

/** Whether nothing is wrong but that nothing was begun yet. @param {Draft} draft @param {Problem[]} found */
const blank = (draft, found) => !pressed && found.length > 0 && found.every((one) => one.key === "image" && !unread.has("image"));

/**
 * Say why it cannot be started, at the field that is about.
 * @param {Draft} draft
 */
export function complain(draft) {
  pressed = true;
  show(draft);
  reveal(problems(draft)[0]?.key ?? null);
}

/** @param {Draft} draft */
function show(draft) {
  const found = problems(draft), waits = blank(draft, found), bad = found.length > 0 && !waits;
  const panel = find("#plan"), line = find("#plan-line"), cost = find("#plan-cost"), problem = find("#plan-problem");
  mark(find("#fields"), found.filter((one) => !unread.has(one.key ?? "") && (pressed || one.key !== "image")));
  panel.classList.toggle("bad", bad);
  panel.classList.toggle("waits", waits);
  line.hidden = cost.hidden = bad;
  problem.hidden = !bad;
  if (bad) {
    tell(problem.firstElementChild, found[0].message, found[0].id);
    find("#plan-go").hidden = !found[0].key;
  } else if (waits) {
    line.textContent = say("plan.need_image");
    cost.textContent = "";
  } else if (last) {
    line.textContent = (last.jobs > 1 ? [last.total, last.line] : [last.line, last.time?.text]).filter(Boolean).join(" · ");
    cost.textContent = last.memory ? [last.memory.text, last.memory.why].filter(Boolean).join(" · ") : "";
    cost.classList.toggle("short", last.memory?.fits === false);
  }
  const notes = find("#plan-notes"), count = last?.notes.length ?? 0;
  notes.hidden = !count || bad;
  notes.lastElementChild.textContent = number(count);
  notes.setAttribute("aria-label", say("page.notes", { count }));
  notes.title = say("page.notes", { count });
  find("#batch-total").textContent = (last && last.jobs > 1 && !bad && last.total) || "";
  panel.dataset.planned = String(Number(panel.dataset.planned ?? 0) + 1);
  meters(last?.tokens?.[""]);
}

/** How much of the prompt each of its readers takes. @param {any} tokens */
function meters(tokens) {
  const box = find("#prompt-meter"), [clip, llama] = findAll(".bar", box), parts = find("#prompt-parts");
  const fill = (bar, said, name) => {
    const used = said?.used ?? 0, limit = said?.limit ?? 1;
    bar.firstElementChild.style.width = `${Math.min(100, (100 * used) / limit)}%`;
    bar.classList.toggle("over-limit", used > limit);
    find(`.${name}`, box).textContent = said ? say(`meter.${name}`, { used: number(used), limit: number(limit) }) : "";
  };
  fill(clip, tokens?.clip, "clip");
  fill(llama, tokens?.llama, "llama");
  const rest = tokens?.only_llama ?? "", cut = tokens?.cut ?? "";
  parts.classList.toggle("nothing", !rest && !cut);
  if (!rest && !cut) parts.open = false;
  parts.firstElementChild.textContent = cut ? `${say("meter.cut")} ${cut}` : rest ? `${say("meter.only_story")} ${rest}` : "";
  parts.lastElementChild.replaceChildren(
    ...(rest ? [el("b", { text: say("meter.only_story") }), ` ${rest} `] : []),
    ...(cut ? [el("b", { text: say("meter.cut") }), ` ${cut}`] : []),
  );
  parts.classList.toggle("cut", Boolean(cut));
}

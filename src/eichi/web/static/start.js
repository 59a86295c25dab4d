// Generate: a press starts once, whatever happens to the answer; while a waiting job is changed, its save and cancel.
// What was typed into a change outlives it: where the job is no longer there to be changed, it is added as a new one or
// kept as the draft, and what is left without being saved can be had back.

import { fresh, get, post, put } from "./api.js";
import { aside, same } from "./draft.js";
import { find } from "./dom.js";
import { follow } from "./follow.js";
import { complain, planned, problems, request, settled } from "./plan.js";
import { tabOnly } from "./storage.js";
import { saying, toast } from "./toast.js";
import { language, say } from "./words.js";

const AGAIN = 700; // milliseconds in which a second press of the same draft is the same press
/** Where a job is kept that is being changed: one for each form. */
const slot = () => `eichi.edit.${find("main").dataset.place}`;
/** The id of what keeps the job from being changed, nothing where it can be. */
let lost = "";
const ask = follow(() => editing()?.id ?? null, (text) => {
  if (text === lost) return;
  lost = text;
  showEdit();
});

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("./draft.js").Values} Values */
/** @typedef {{id: number, before: Values, asked: Values}} Edit a job, the draft that was there before, what the job asks for */

/**
 * Let Generate start what the draft says; answers what it does, for the keyboard.
 * @param {Draft} draft
 * @returns {() => Promise<void>}
 */
export function starting(draft) {
  let once = fresh(), busy = false, done = -AGAIN;
  draft.addEventListener("change", () => {
    once = fresh();
    done = -AGAIN;
  });
  const add = async () => {
    const { kind, options, batch } = request(draft), key = once;
    const answer = batch ? await post("jobs/batch", { kind, options, batch }, { once: key }) : await post(draft.kind === "frame" ? "jobs/frame" : "jobs", options, { once: key });
    const jobs = answer.jobs ?? [answer.id];
    if (once === key) once = fresh();
    document.dispatchEvent(new CustomEvent("started", { detail: { jobs } }));
    if (matchMedia("(max-width: 900px)").matches) find("job-stage").scrollIntoView({ block: "start" });
    toast(say("page.queued", { first: jobs[0], count: jobs.length }), { action: { text: say("place.queue"), run: () => (location.href = `/${language()}/queue`) } });
  };
  const start = async () => {
    if (busy || performance.now() - done < AGAIN) return;
    const edited = editing(), saved = edited && !lost; // as it was offered, whatever is told meanwhile
    busy = true;
    find("#start").classList.add("busy");
    try {
      await settled();
      if (problems(draft).length) return complain(draft);
      const values = draft.values;
      if (saved) await put(`jobs/${edited.id}`, request(draft).options);
      else await add();
      if (edited) doneEdit(draft, edited, values);
      if (saved) toast(say("page.changed", { job: edited.id }));
      done = performance.now();
    } catch (error) {
      if (error.status === undefined) throw error;
      if (saved) await ask(); // it may have been too late
      toast(error.message, { kind: "problem", id: error.id });
    } finally {
      busy = false;
      find("#start").classList.remove("busy");
    }
  };
  for (const id of ["#start", "#edit-save", "#edit-add"]) find(id).addEventListener("click", start);
  find("#edit-keep").addEventListener("click", () => keepEdit(draft));
  find("#edit-cancel").addEventListener("click", () => leaveEdit(draft));
  document.addEventListener("words", showEdit);
  document.addEventListener("planned", showStart);
  document.addEventListener("words", showStart);
  showEdit();
  ask();
  return start;
}

/** What Generate says: how many it starts, or that it saves. */
function showStart() {
  const text = find("#start .text"), jobs = planned()?.jobs ?? 1;
  text.textContent = editing() && !lost ? say("do.save") : jobs > 1 ? say("do.start_many", { jobs }) : say("do.start");
}

/** The job that is being changed. @returns {Edit | null} */
function editing() {
  return JSON.parse(tabOnly.getItem(slot()) ?? "null");
}

/** Whether it was changed since it was taken into the form or saved. @param {Draft} draft @param {Edit} job */
const unsaved = (draft, job) => !same(draft.values, job.asked);

/**
 * Take a waiting job's options into the form, to change it; the draft that was there comes back afterwards.
 * @param {Draft} draft
 * @param {number} id
 * @param {(nested: any) => Values} values what a draft is of a job's options
 */
export async function edit(draft, id, values) {
  const job = editing();
  if (job?.id === id && unsaved(draft, job)) return; // one goes on with it
  await saying(async () => {
    const { options } = await get(`jobs/${id}/options`);
    beginEdit(draft, id, values(options));
  });
}

/**
 * @param {Draft} draft
 * @param {number} id
 * @param {Values} values
 * @param {Values} [asked] what the job asks for, where that is another
 */
function beginEdit(draft, id, values, asked) {
  const other = editing(), before = other?.before ?? draft.values;
  if (other && unsaved(draft, other) && aside(draft.kind, draft.values)) toast(say("page.edit_aside", { job: other.id }));
  draft.replace(values);
  putEdit({ id, before, asked: asked ?? draft.values });
  ask();
}

/** What the form asked for is in the queue: the draft is back, unless more was typed meanwhile. @param {Draft} draft @param {Edit} job @param {Values} values */
function doneEdit(draft, job, values) {
  if (editing()?.id !== job.id) return; // it was left meanwhile
  if (!same(draft.values, values)) return putEdit({ ...job, asked: values });
  putEdit(null);
  draft.replace(job.before);
}

/** Back to the draft that was there before; the change is had back at once, or later among the last drafts. @param {Draft} draft */
function leaveEdit(draft) {
  const job = editing(), { values } = draft, text = lost ? "page.edit_dropped" : "page.edit_left";
  if (!job) return;
  if (unsaved(draft, job)) aside(draft.kind, values);
  putEdit(null);
  draft.replace(job.before);
  toast(say(text, { job: job.id }), { undo: () => beginEdit(draft, job.id, values, job.asked) });
}

/** What was to be a change is the draft from now on. @param {Draft} draft */
function keepEdit(draft) {
  const job = editing();
  putEdit(null);
  if (job && aside(draft.kind, job.before)) toast(say("page.edit_kept"));
}

/** @param {Edit | null} job the one that is changed from now on */
function putEdit(job) {
  if (job?.id !== editing()?.id) lost = "";
  if (job) tabOnly.setItem(slot(), JSON.stringify(job));
  else tabOnly.removeItem(slot());
  showEdit();
}

function showEdit() {
  const job = editing(), banner = find("#editing");
  banner.hidden = !job;
  banner.classList.toggle("missed", Boolean(lost));
  banner.firstElementChild.textContent = job ? say(lost || "page.editing", { job: job.id }) : "";
  find("#edit-save").hidden = Boolean(lost);
  find("#edit-add").hidden = find("#edit-keep").hidden = !lost;
  showStart();
}

// Generate: a press starts once, whatever happens to the answer; while a waiting job is changed, its save and cancel.

import { fresh, get, post, put } from "./api.js";
import { find } from "./dom.js";
import { complain, planned, problems, request, settled } from "./plan.js";
import { tabOnly } from "./storage.js";
import { saying, toast } from "./toast.js";
import { language, say } from "./words.js";

const AGAIN = 700; // milliseconds in which a second press of the same draft is the same press
/** Where a job is kept that is being changed: one for each form. */
const slot = () => `eichi.edit.${find("main").dataset.place}`;

/** @typedef {import("./draft.js").Draft} Draft */

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
  const start = async () => {
    if (editing()) return saveEdit(draft);
    if (busy || performance.now() - done < AGAIN) return;
    busy = true;
    find("#start").classList.add("busy");
    try {
      await settled();
      if (problems(draft).length) return complain(draft);
      const { kind, options, batch } = request(draft), key = once;
      const answer = batch ? await post("jobs/batch", { kind, options, batch }, { once: key }) : await post(draft.kind === "frame" ? "jobs/frame" : "jobs", options, { once: key });
      const jobs = answer.jobs ?? [answer.id];
      if (once === key) once = fresh();
      done = performance.now();
      document.dispatchEvent(new CustomEvent("started", { detail: { jobs } }));
      if (matchMedia("(max-width: 900px)").matches) find("job-stage").scrollIntoView({ block: "start" });
      toast(say("page.queued", { first: jobs[0], count: jobs.length }), { action: { text: say("place.queue"), run: () => (location.href = `/${language()}/queue`) } });
    } catch (error) {
      if (error.status === undefined) throw error;
      toast(error.message, { kind: "problem", id: error.id });
    } finally {
      busy = false;
      find("#start").classList.remove("busy");
    }
  };
  find("#start").addEventListener("click", start);
  find("#edit-save").addEventListener("click", () => saveEdit(draft));
  find("#edit-cancel").addEventListener("click", () => endEdit(draft, "page.edit_left"));
  document.addEventListener("words", showEdit);
  document.addEventListener("planned", showStart);
  document.addEventListener("words", showStart);
  showEdit();
  return start;
}

/** What Generate says: how many it starts, or that it saves. */
function showStart() {
  const text = find("#start .text"), jobs = planned()?.jobs ?? 1;
  text.textContent = editing() ? say("do.save") : jobs > 1 ? say("do.start_many", { jobs }) : say("do.start");
}

/** The job that is being changed, and the draft that was there before. @returns {{id: number, before: any} | null} */
function editing() {
  return JSON.parse(tabOnly.getItem(slot()) ?? "null");
}

/**
 * Take a waiting job's options into the form, to change it; the draft that was there comes back afterwards.
 * @param {Draft} draft
 * @param {number} id
 * @param {(nested: any) => Record<string, any>} values what a draft is of a job's options
 */
export async function edit(draft, id, values) {
  await saying(async () => {
    const { options } = await get(`jobs/${id}/options`), before = editing()?.before ?? draft.values;
    tabOnly.setItem(slot(), JSON.stringify({ id, before }));
    draft.replace(values(options));
  });
  showEdit();
}

/** @param {Draft} draft */
async function saveEdit(draft) {
  const job = editing();
  if (!job) return;
  await settled();
  if (problems(draft).length) return complain(draft);
  await saying(async () => {
    await put(`jobs/${job.id}`, request(draft).options);
    endEdit(draft, "page.changed");
  });
}

/** @param {Draft} draft @param {string} text the id of what happened */
function endEdit(draft, text) {
  const job = editing();
  tabOnly.removeItem(slot());
  if (!job) return;
  draft.replace(job.before);
  showEdit();
  toast(say(text, { job: job.id }));
}

function showEdit() {
  const job = editing(), banner = find("#editing");
  banner.hidden = !job;
  banner.firstElementChild.textContent = job ? say("page.editing", { job: job.id }) : "";
  document.body.classList.toggle("changing", Boolean(job));
  showStart();
}

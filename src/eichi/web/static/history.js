// The results: found by words, kind and end, looked at, compared, kept or deleted. What ends while one looks appears.

import { del, get, post } from "./api.js";
import { button, el, find, findAll, sync } from "./dom.js";
import { menu, open } from "./dialog.js";
import { compare } from "./compare.js";
import { key } from "./keys.js";
import { live } from "./live.js";
import { clipOf, figures, framesOf, lengthOf, stillOf, titleOf } from "./jobtext.js";
import { more as moreOf, tell } from "./more.js";
import { download, made, remove, resultItems, thumb, useAgain } from "./results.js";
import { begin } from "./shell.js";
import { saying, toast } from "./toast.js";
import { say, when } from "./words.js";
import "./viewer.js";

/** @typedef {import("./live.js").JobRow} JobRow */

const PAGE = 60, WAIT = 200; // results at a time; milliseconds after the last key
const OVER = new Set(["done", "stopped", "failed"]);
const gallery = find("#gallery"), filters = find("#filters");
/** @type {JobRow[]} */
let shown = [];
/** @type {Set<number>} */
const picked = new Set();
let asking = 0, timer = 0;

/** What is asked for. @param {number} [from] */
function question(from = 0) {
  const query = new URLSearchParams({ limit: String(PAGE), offset: String(from), ended: "true" });
  for (const one of findAll("[name]", filters)) if (one.value) query.set(one.name, one.value.trim());
  return `jobs?${query}`;
}

/** Read the results, or more of them. @param {boolean} [further] */
async function load(further = false) {
  const turn = ++asking, answer = await saying(() => get(question(further ? shown.length : 0)));
  if (!answer || turn !== asking) return;
  const jobs = answer.rows ?? answer.jobs;
  shown = further ? [...shown, ...jobs] : jobs;
  find("#more").hidden = jobs.length < PAGE;
  show();
}

function show() {
  const searched = findAll("[name]", filters).some((one) => one.name !== "sort" && one.value);
  find("#none").hidden = shown.length > 0;
  find("#none").textContent = say(searched ? "history.not_found" : "history.empty");
  for (const id of picked) if (!shown.some((job) => job.id === id)) picked.delete(id);
  sync(gallery, shown, (job) => `${job.id} ${job.thumb ?? ""}`, make, fill);
  bar();
}

/** @param {JobRow} job */
function make(job) {
  const look = el("button", { type: "button", class: "look" }, thumb(job), el("span", { class: "length" }));
  const tick = el("input", { type: "checkbox" });
  const node = el("li", {}, look, el("label", { class: "tick-box" }, tick), el("div", { class: "told" }, el("p", { class: "prompt" }), el("small"), el("small", { class: "when" }), el("p", { class: "wrong", hidden: true })), el("div", { class: "row acts-row" }));
  look.addEventListener("click", () => view(current(job)));
  tick.addEventListener("change", () => {
    if (/** @type {HTMLInputElement} */ (tick).checked) picked.add(job.id);
    else picked.delete(job.id);
    show();
  });
  const more = button("more", say("do.more"), () => {}, { quiet: true });
  menu(more, () => resultItems(current(job), () => Math.max(0, framesOf(current(job)) - 1)));
  const buttons = [button("download", say("do.download"), () => download(current(job)), { quiet: true, dataset: { do: "download" } })];
  buttons.push(button("copy", say("do.use"), () => useAgain(job, "same"), { quiet: true }));
  buttons.push(button("trash", say("do.delete"), () => gone([current(job)]), { quiet: true }));
  node.lastElementChild?.append(...buttons, more);
  return node;
}

/** The row as it is now. @param {JobRow} job */
const current = (job) => shown.find((one) => one.id === job.id) ?? job;

/** @param {HTMLElement} node @param {JobRow} job */
function fill(node, job) {
  node.classList.toggle("picked", picked.has(job.id));
  const tick = find("input", node);
  tick.checked = picked.has(job.id);
  tick.setAttribute("aria-label", say("history.pick", { job: job.id }));
  find(".look", node).setAttribute("aria-label", say("latest.look", { job: job.id }));
  find(".length", node).textContent = lengthOf(job);
  find(".prompt", node).textContent = titleOf(job);
  find("small", node).textContent = figures(job);
  find(".when", node).textContent = job.ended ? `${job.status_text} · ${when(job.ended)}` : job.status_text;
  const wrong = find(".wrong", node);
  tell(wrong, job.message, job.message_id);
  wrong.hidden = !job.message;
  find("[data-do=download]", node).disabled = !made(job);
}

/** One result, large. @param {JobRow} job */
function view(job) {
  const at = shown.findIndex((one) => one.id === job.id), box = el("div", { class: "stack" });
  const clip = /** @type {any} */ (clipOf(job) ? document.createElement("clip-viewer") : null);
  box.append(clip ?? (stillOf(job) ? el("img", { src: stillOf(job), alt: say("stage.result"), class: "still" }) : el("p", { class: "none" }, job.message ?? say("history.nothing"), " ", moreOf(job.message_id))));
  box.append(el("p", { text: titleOf(job) }), el("small", { text: figures(job) }));
  const go = (by) => {
    const next = shown[at + by];
    close();
    if (next) view(next);
  };
  const more = button("more", say("do.more"), () => {});
  menu(more, () => resultItems(job, () => clip?.frame ?? 0));
  const back = button("left", say("history.back"), () => go(-1)), forward = button("right", say("history.forward"), () => go(1));
  back.disabled = at <= 0;
  forward.disabled = at < 0 || at >= shown.length - 1;
  box.append(el("div", { class: "row" }, back, forward, el("span", { class: "grow" }), button("download", say("do.download"), () => download(job), { disabled: !made(job) }), more));
  const close = open(box, { title: `#${job.id}`, class: "wide" });
  clip?.show(job.video, framesOf(job), { label: say("stage.result"), play: true });
}

/** Delete results; they can be had back for a while. @param {JobRow[]} jobs */
async function gone(jobs) {
  if (jobs.length === 1) await remove(jobs[0]);
  else {
    const done = await saying(() => Promise.all(jobs.map((job) => del(`jobs/${job.id}?files=true`))));
    if (done) toast(say("undo.deleted_jobs", { count: jobs.length }), { undo: () => saying(() => Promise.all(jobs.map((job) => post(`jobs/${job.id}/restore`)))) });
  }
  await load();
}

/** What can be done with the picked ones. */
function bar() {
  const node = find("#picked"), jobs = shown.filter((job) => picked.has(job.id));
  node.hidden = !jobs.length;
  if (!jobs.length) return;
  const both = button("compare", say("history.compare"), () => compare(jobs[0], jobs[1]), { disabled: jobs.length !== 2 || !jobs.every(made) });
  const save = button("download", say("do.download"), () => jobs.forEach(download));
  const erase = button("trash", say("do.delete"), () => gone(jobs));
  const none = button("close", say("history.unpick"), () => {
    picked.clear();
    show();
  });
  node.replaceChildren(el("span", { class: "grow", text: say("history.picked", { count: jobs.length }) }), both, save, erase, none);
}

/** A result that ended, came back or went while one looks. @param {CustomEvent} event */
function heard(event) {
  const { changed, removed } = event.detail, over = changed.some((id) => OVER.has(live.jobs.get(id)?.status ?? ""));
  if (!over && !removed.some((id) => shown.some((job) => job.id === id))) return;
  clearTimeout(timer);
  timer = setTimeout(load, WAIT);
}

filters.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(load, WAIT);
});
filters.addEventListener("submit", (event) => event.preventDefault());
find("#more").addEventListener("click", () => load(true));
live.addEventListener("jobs", (event) => heard(/** @type {CustomEvent} */ (event)));
document.addEventListener("words", () => {
  gallery.replaceChildren();
  load();
});
key("C", "keys.compare", () => compare(.../** @type {[JobRow, JobRow]} */ (shown.filter((job) => picked.has(job.id)))), () => picked.size === 2);
key("/", "history.search", () => find("[name=search]").focus());
await begin(load);

// The queue: what runs and what is to come, each with its picture and its time. Rows are kept and changed in place.

import { get, post, put } from "./api.js";
import { button, el, find, sync } from "./dom.js";
import { menu } from "./dialog.js";
import { figures } from "./jobtext.js";
import { live } from "./live.js";
import { tell } from "./more.js";
import { act, home, placeUrl, remove } from "./results.js";
import { begin } from "./shell.js";
import { saying, toast } from "./toast.js";
import { language, say, span } from "./words.js";
import "./workers.js";

/** @typedef {import("./live.js").JobRow} JobRow */

const ACTIVE = new Set(["running", "stopping"]);
const PAGE = 100, MOST = 1000, WAIT = 400; // more rows at a time, and at most; milliseconds until they are read again
const list = find("#jobs"), more = find("#more");
/** What rows show, so that a long list is not written anew for each job that changes. @type {WeakMap<HTMLElement, string>} */
const filled = new WeakMap();
/** The row that is dragged. @type {HTMLElement | null} */
let dragged = null;
/** Jobs to come behind those that every page is told of, as far as they are wanted. @type {JobRow[]} */
let further = [];
let wanted = PAGE, asking = 0, timer = 0;

/** Jobs to come, in order, as far as they are known here. @returns {JobRow[]} */
function coming() {
  const near = new Set(live.order);
  return [...live.coming(), ...further.filter((job) => !near.has(job.id))];
}

/** What is shown, in order: jobs that a worker has, then those to come. @returns {JobRow[]} */
function rows() {
  const active = live.active(), here = new Set(active.map((job) => job.id));
  return [...active, ...coming().filter((job) => !here.has(job.id))];
}

/** Read what is behind those that every page is told of, where there is any. */
async function reach() {
  const turn = ++asking, from = live.order.length;
  const answer = live.total > from ? await saying(() => get(`jobs?coming=true&offset=${from}&limit=${wanted}`)) : { rows: [] };
  if (!answer || turn !== asking) return;
  further = answer.rows;
  show();
}

function heard() {
  if (live.total > live.order.length || further.length) {
    clearTimeout(timer);
    timer = setTimeout(reach, WAIT);
  }
  show();
}

function show() {
  const jobs = rows();
  more.hidden = live.total <= live.order.length + wanted || wanted >= MOST;
  find("#none").hidden = jobs.length > 0 || !live.known;
  find("#held").hidden = !live.held;
  if (!dragged) sync(list, jobs, (job) => job.id, make, fill);
  total(jobs, live.total + live.active().length);
}

/** How many there are and how long all of them take. @param {JobRow[]} jobs @param {number} count */
function total(jobs, count) {
  const times = jobs.map(left), known = times.filter((time) => time !== null);
  const sum = known.reduce((all, time) => all + time, 0), values = { count, time: span(sum) };
  const id = known.length === 0 ? "queue.count" : known.length < count ? "queue.at_least" : "queue.total";
  find("#total").textContent = jobs.length ? say(id, values) : "";
}

/** Seconds that a job still takes. @param {JobRow} job @returns {number | null} */
const left = (job) => (ACTIVE.has(job.status) ? (job.progress?.left ?? null) : (job.forecast ?? null));

/** @param {JobRow} job */
function make(job) {
  const grip = el("button", { type: "button", class: "bare grip", dataset: { grip: "" } });
  grip.append(button("grip", "", () => {}, { quiet: true }).firstElementChild ?? "");
  const picture = el("div", { class: "thumb" }), text = el("div", { class: "told" }, el("p", { class: "prompt" }), el("small"), el("p", { class: "wrong", hidden: true }));
  const state = el("div", { class: "how" }, el("span", { class: "state" }), el("span", { class: "time soft" }), el("span", { class: "bar" }, el("i")));
  const row = el("li", { draggable: "true", dataset: { id: String(job.id) } }, grip, picture, text, state, el("div", { class: "row acts-row" }));
  row.addEventListener("dragstart", (event) => lift(row, event));
  row.addEventListener("dragend", () => drop(row));
  grip.addEventListener("keydown", (event) => shift(row, /** @type {KeyboardEvent} */ (event)));
  return row;
}

/** @param {HTMLElement} row @param {JobRow} job */
function fill(row, job) {
  const key = `${language()} ${JSON.stringify(job)}`;
  if (filled.get(row) === key) return;
  filled.set(row, key);
  const active = ACTIVE.has(job.status), prompt = job.prompt || say("page.no_prompt");
  row.draggable = !active;
  row.classList.toggle("active", active);
  const grip = find("[data-grip]", row);
  grip.disabled = active;
  grip.setAttribute("aria-label", say("queue.move", { job: job.id }));
  grip.title = say("queue.move_help");
  picture(find(".thumb", row), job);
  find(".prompt", row).textContent = prompt;
  find("small", row).textContent = figures(job);
  const wrong = find(".wrong", row), state = find(".state", row), step = job.progress;
  tell(wrong, job.message, job.message_id);
  wrong.hidden = !job.message;
  state.className = `state ${job.status}`;
  state.textContent = job.status_text;
  const time = left(job);
  find(".time", row).textContent = time === null ? "" : say("plan.time", { time: span(time) });
  const known = step?.fraction ?? job.preparing?.fraction ?? null;
  find(".bar", row).hidden = known === null;
  find(".bar > i", row).style.width = `${100 * (known ?? 0)}%`;
  offer(find(".acts-row", row), job);
}

/** @param {HTMLElement} node @param {JobRow} job */
function picture(node, job) {
  const url = (ACTIVE.has(job.status) && job.preview) || job.image, image = node.querySelector("img");
  if (!url) node.replaceChildren();
  else if (!image) node.replaceChildren(el("img", { src: url, alt: "", loading: "lazy", draggable: "false" }));
  else if (image.getAttribute("src") !== url) image.src = url;
}

/** The buttons of a row, made again only where others are possible. @param {HTMLElement} node @param {JobRow} job */
function offer(node, job) {
  const key = `${job.actions} ${language()}`;
  if (node.dataset.offered === key) return;
  node.dataset.offered = key;
  const can = (action) => job.actions.includes(action), nodes = [];
  const add = (action, name, id) => can(action) && nodes.push(button(name, say(id), () => change(job, action), { quiet: true }));
  add("resume", "play", "do.resume");
  add("hold", "pause", "do.hold");
  if (ACTIVE.has(job.status)) add("stop", "stop", "do.stop");
  if (can("edit")) nodes.push(button("edit", say("do.edit"), () => (location.href = placeUrl(home(job), { edit: String(job.id) })), { quiet: true }));
  if (can("remove")) nodes.push(button("trash", say("do.delete"), () => remove(job).then(heard), { quiet: true }));
  const more = button("more", say("do.more"), () => {}, { quiet: true });
  menu(more, () => items(live.jobs.get(job.id) ?? job));
  node.replaceChildren(...nodes, more);
}

/** Do what a button says; of a job far behind nobody is told by itself. @param {JobRow} job @param {string} action */
async function change(job, action) {
  await act(job, action);
  heard();
}

/** @param {JobRow} job */
function items(job) {
  const found = [], can = (action) => job.actions.includes(action), at = coming().findIndex((one) => one.id === job.id);
  const last = live.total - 1;
  if (can("up")) {
    found.push({ text: say("queue.first"), icon: "up", run: () => place(job.id, 1), disabled: at === 0 });
    found.push({ text: say("do.up"), icon: "up", run: () => change(job, "up"), disabled: at === 0 });
    found.push({ text: say("do.down"), icon: "down", run: () => change(job, "down"), disabled: at === last });
  }
  if (can("stop-section")) found.push({ text: say("do.stop_section"), icon: "check", run: () => change(job, "stop-section") });
  if (can("clone")) found.push({ text: say("do.clone"), icon: "copy", run: () => change(job, "clone") });
  if (can("skip") && !ACTIVE.has(job.status)) found.push({ text: say("do.skip"), icon: "right", run: () => change(job, "skip") });
  found.push({ text: say("queue.look"), icon: "image", run: () => (location.href = placeUrl("create", { job: String(job.id) })) });
  return found;
}

/** @param {HTMLElement} row @param {DragEvent} event */
function lift(row, event) {
  dragged = row;
  row.classList.add("lifted");
  event.dataTransfer?.setData("application/x-eichi-job", String(row.dataset.id));
  if (event.dataTransfer) event.dataTransfer.effectAllowed = "move";
}

/** @param {HTMLElement} row */
function drop(row) {
  row.classList.remove("lifted");
  dragged = null;
  const waiting = [...list.children].filter((one) => !one.classList.contains("active"));
  place(Number(row.dataset.id), waiting.indexOf(row) + 1);
}

list.addEventListener("dragover", (event) => {
  const over = /** @type {HTMLElement} */ (event.target).closest("li");
  if (!dragged || !over || over === dragged || over.classList.contains("active")) return;
  event.preventDefault();
  const box = over.getBoundingClientRect();
  over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
});

/** A row by the keyboard. @param {HTMLElement} row @param {KeyboardEvent} event */
function shift(row, event) {
  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const id = Number(row.dataset.id), to = coming().findIndex((job) => job.id === id) + 1 + by;
  if (to >= 1 && to <= live.total) place(id, to).then(() => find("[data-grip]", row)?.focus());
}

/** Give a job another place, from 1. @param {number} id @param {number} to */
async function place(id, to) {
  const all = coming(), mine = all.find((job) => job.id === id)?.priority;
  const equal = all.length < live.total ? to : all.filter((job) => job.priority === mine).length;
  await saying(() => put(`jobs/${id}/place`, { to: Math.min(Math.max(1, to), Math.max(1, equal)) }));
  heard();
}

/** What concerns the whole queue. */
function whole() {
  const hold = button(live.held ? "play" : "pause", say(live.held ? "do.resume_all" : "do.hold_all"), () => saying(() => post(`queue/${live.held ? "resume" : "hold"}`)));
  const clear = button("trash", say("queue.clear"), clearAll);
  find("#whole").replaceChildren(hold, clear);
  show();
}

async function clearAll() {
  const gone = await saying(() => post("queue/clear"));
  const ids = gone?.jobs ?? [];
  if (!ids.length) return;
  toast(say("undo.deleted_jobs", { count: ids.length }), { undo: () => saying(() => Promise.all(ids.map((id) => post(`jobs/${id}/restore`)))) });
}

more.addEventListener("click", () => {
  wanted = Math.min(wanted + PAGE, MOST);
  reach();
});
live.addEventListener("jobs", heard);
live.addEventListener("held", whole);
document.addEventListener("words", () => {
  whole();
  heard();
});
await begin(whole);

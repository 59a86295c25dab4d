// The models: which are on this computer, how others get there, whether their files are whole, and how they go again.

import { del, get, post } from "./api.js";
import { button, el, find, sync } from "./dom.js";
import { ask, menu } from "./dialog.js";
import { live } from "./live.js";
import { offerDownload } from "./models-order.js";
import { placeUrl } from "./results.js";
import { begin } from "./shell.js";
import { saying, toast } from "./toast.js";
import { language, number, say, size, span } from "./words.js";

/** @type {any[]} */
let models = [];
let room = 0;
/** @type {any[]} */
let spare = [];
/** @type {any[]} */
let odd = [];

async function load() {
  const told = await saying(() => get("models"));
  if (told) ({ models, room, spare, odd } = told);
  show();
}

function show() {
  sync(find("#models"), models, (model) => model.name, make, fill);
  find("#odd").replaceChildren(...odd.map((one) => el("li", { text: `${one.place}: ${one.why}` })));
  find("#odd").hidden = !odd.length;
  find("#spare").replaceChildren(...spare.map((one) => row(kept(one), `${one.place}: ${one.why}`)));
  find("#unused").hidden = !spare.length;
}

/** A part in a list, and where it is. @param {string} part @param {string} where */
const row = (part, where) => el("li", {}, el("span", { text: part }), el("span", { class: "grow", text: where }));

/** What a part is, and what it is kept in. @param {any} part */
const kept = (part) => [part.label, part.precision, part.known].filter(Boolean).join(" · ");

/** Where the parts of a model are. @param {HTMLElement} node @param {any} model */
function parts(node, model) {
  node.hidden = model.embedded;
  const here = model.parts.filter((part) => part.place).length;
  find("summary", node).textContent = say("models.parts", { here: number(here), all: number(model.parts.length) });
  find("ul", node).replaceChildren(...model.parts.map((part) => row(kept(part), part.place ?? say("models.nowhere", { size: size(part.size) }))));
}

/** The latest task with a model. @param {any} model */
const taskOf = (model) => live.downloads.find((one) => one.name === model.name) ?? model.downloading;

/** @param {any} task */
const under = (task) => Boolean(task && ["waiting", "running"].includes(task.status));

/** @param {any} model */
function make(model) {
  const bar = el("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, el("i"));
  const more = button("more", say("do.more"), () => {}, { quiet: true, class: "more" });
  menu(more, () => items(models.find((one) => one.name === model.name) ?? model));
  return el("li", {},
    el("div", { class: "grow" }, el("h3"), el("small"), el("p", { class: "how soft" }), el("p", { class: "stalled", role: "status" }), bar, el("p", { class: "wrong", role: "alert" }),
      el("details", { class: "parts" }, el("summary"), el("ul", { class: "order-files" }))),
    el("div", { class: "row acts" }), more);
}

/** @param {HTMLElement} node @param {any} model */
function fill(node, model) {
  const task = taskOf(model), open = under(task), percent = Math.round(100 * (task?.fraction ?? 0));
  find("h3", node).textContent = model.label;
  find("small", node).textContent = [model.direction_text, ...model.notes].join(" · ");
  find(".how", node).textContent = open ? progress(task) : state(model, task);
  const bar = find(".bar", node), wrong = find(".wrong", node), stalled = find(".stalled", node);
  bar.hidden = !open;
  find("i", bar).style.width = `${percent}%`;
  bar.setAttribute("aria-valuenow", String(percent));
  bar.setAttribute("aria-label", model.label);
  stalled.textContent = open ? task.stalled : "";
  stalled.hidden = !stalled.textContent;
  wrong.textContent = open ? "" : damage(task) || tight(model);
  wrong.hidden = !wrong.textContent;
  const more = find(".more", node);
  more.hidden = open || !items(model).length;
  more.setAttribute("aria-label", `${say("do.more")}: ${model.label}`);
  offer(find(".acts", node), model, task);
  parts(find(".parts", node), model);
}

/** What is to be said of a model that nothing is done with. @param {any} model @param {any} task */
function state(model, task) {
  if (!model.present) return say(model.interrupted ? "models.rest" : "models.fetch", { here: size(model.here), size: size(model.size), room: size(room) });
  const whole = task?.task === "check" && task.status === "done" && !task.bad.length;
  return whole ? `${say("models.here")} · ${say("models.good", { count: number(task.good) })}` : say("models.here");
}

/** That a download cannot come to its end. @param {any} model */
const tight = (model) => (model.short ? say("models.tight", { free: size(room), missing: size(model.short) }) : "");

/** @param {any} task */
function damage(task) {
  if (!task?.bad.length) return task?.said ?? "";
  return say("models.bad_files", { files: task.bad.map((file) => file.split(/[\\/]/).at(-1)).join(", ") });
}

/** @param {any} task */
function progress(task) {
  const said = [task.status_text];
  if (task.size) said.push(say("models.of", { done: size(task.done), all: size(task.size) }));
  if (task.speed) said.push(say("models.speed", { speed: size(task.speed) }));
  if (task.left !== null && task.left !== undefined) said.push(say("stage.left", { time: span(task.left) }));
  if (task.files > 1) said.push(say("models.file", { index: number(task.index), files: number(task.files) }));
  return said.join(" · ");
}

/** The one thing that is done next with a model. @param {HTMLElement} node @param {any} model @param {any} task */
function offer(node, model, task) {
  const open = under(task), bad = Boolean(task?.bad.length) && !open;
  const key = `${open} ${bad} ${model.present} ${model.interrupted} ${language()}`;
  if (node.dataset.offered === key) return;
  node.dataset.offered = key;
  if (open) node.replaceChildren(button("stop", say("models.stop"), () => act(() => del(`models/${model.name}/download`))));
  else if (bad) node.replaceChildren(button("download", say("models.mend"), () => act(() => post(`models/${model.name}/mend`)), { class: "primary" }));
  else if (model.present) node.replaceChildren(button("", say("models.use"), () => (location.href = placeUrl("create", { model: model.name }))));
  else node.replaceChildren(button("download", say(model.interrupted ? "models.resume" : "models.download"), () => offerDownload(current(model), room, load), { class: "primary" }));
}

/** What else can be done with a model. @param {any} model */
function items(model) {
  const all = [];
  if (model.present) all.push({ text: say("models.check"), icon: "check", run: () => act(() => post(`models/${model.name}/check`)) });
  if (model.removable) all.push({ text: say("models.remove"), icon: "trash", run: () => remove(model) });
  return all;
}

/** @param {any} model */
async function remove(model) {
  const text = say("models.remove_sure", { name: model.label, size: size(model.removable) });
  if (!(await ask(text, { yes: say("do.delete"), title: model.label, danger: true }))) return;
  const gone = await saying(() => del(`models/${model.name}`));
  if (gone) toast(say("models.gone", { size: size(gone.bytes) }));
  await load();
}

/** A model as it is now. @param {any} model */
const current = (model) => models.find((one) => one.name === model.name) ?? model;

/** @param {() => Promise<any>} run */
async function act(run) {
  await saying(run);
  await load();
}

let ended = "";
live.addEventListener("downloads", () => {
  const now = live.downloads.filter((one) => !under(one)).map((one) => `${one.name} ${one.task} ${one.status}`).join();
  if (now !== ended) load(); // what is here is another, also where it came faster than it was told of
  ended = now;
  show();
});
document.addEventListener("words", load);
await begin(load);

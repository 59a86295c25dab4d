// The models: which are on this computer, and how others get there. Room and licence are said before anything is fetched.

import { del, get, post } from "./api.js";
import { button, el, find, sync } from "./dom.js";
import { ask } from "./dialog.js";
import { live } from "./live.js";
import { placeUrl } from "./results.js";
import { begin } from "./shell.js";
import { saying } from "./toast.js";
import { language, number, say, size, span } from "./words.js";

/** @type {any[]} */
let models = [];

async function load() {
  models = (await saying(() => get("models")))?.models ?? models;
  show();
}

function show() {
  sync(find("#models"), models, (model) => model.name, make, fill);
}

function make() {
  const bar = el("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, el("i"));
  return el("li", {}, el("div", { class: "grow" }, el("h3"), el("small"), el("p", { class: "how soft" }), bar, el("p", { class: "wrong", role: "alert" })), el("div", { class: "row" }));
}

/** @param {HTMLElement} node @param {any} model */
function fill(node, model) {
  const going = live.downloads.find((one) => one.name === model.name) ?? model.downloading;
  const open = going && ["waiting", "running"].includes(going.status), percent = Math.round(100 * (going?.fraction ?? 0));
  find("h3", node).textContent = model.label;
  find("small", node).textContent = [model.direction_text, ...model.notes].join(" · ");
  find(".how", node).textContent = open ? progress(going) : model.present ? say("models.here") : say("models.fetch", { size: size(model.size), room: size(model.room) });
  const bar = find(".bar", node), wrong = find(".wrong", node);
  bar.hidden = !open;
  find("i", bar).style.width = `${percent}%`;
  bar.setAttribute("aria-valuenow", String(percent));
  bar.setAttribute("aria-label", model.label);
  wrong.textContent = open ? "" : (going?.said ?? "");
  wrong.hidden = !wrong.textContent;
  offer(find(".row", node), model, Boolean(open));
}

/** @param {any} going */
function progress(going) {
  const parts = [going.status_text, say("models.of", { done: size(going.done), all: size(going.size) })];
  if (going.speed) parts.push(say("models.speed", { speed: size(going.speed) }));
  if (going.left !== null && going.left !== undefined) parts.push(say("stage.left", { time: span(going.left) }));
  if (going.files > 1) parts.push(say("models.file", { index: number(going.index), files: number(going.files) }));
  return parts.join(" · ");
}

/** @param {HTMLElement} node @param {any} model @param {boolean} open */
function offer(node, model, open) {
  const key = `${open} ${model.present} ${open ? "" : `${model.here} ${model.size}`} ${language()}`;
  if (node.dataset.offered === key) return;
  node.dataset.offered = key;
  if (open) node.replaceChildren(button("stop", say("models.stop"), () => stop(model)));
  else if (model.present) node.replaceChildren(button("", say("models.use"), () => (location.href = placeUrl("create", { model: model.name }))));
  else node.replaceChildren(button("download", say(model.here ? "models.resume" : "models.download"), () => start(model), { class: "primary" }));
}

/** Say what it is and takes, then fetch it. @param {any} model */
async function start(model) {
  const text = say("models.sure", { name: model.label, size: size(model.size), room: size(model.room), licence: model.licence });
  if (!(await ask(text, { yes: say("models.download"), title: model.label }))) return;
  await saying(() => post(`models/${model.name}/download`));
  await load();
}

/** @param {any} model */
async function stop(model) {
  await saying(() => del(`models/${model.name}/download`));
  await load();
}

let ended = "";
live.addEventListener("downloads", () => {
  const now = live.downloads.filter((one) => !["waiting", "running"].includes(one.status)).map((one) => `${one.name} ${one.status}`).join();
  if (now !== ended) load(); // what is here is another, also where it came faster than it was told of
  ended = now;
  show();
});
document.addEventListener("words", load);
await begin(load);

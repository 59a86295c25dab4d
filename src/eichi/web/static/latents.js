// Latent files and videos among the results, what is in them, and the tools on them. Files are ticked in the order in
// which a tool takes them.

import { address, del, get, post } from "./api.js";
import { draft } from "./draft.js";
import { button, el, find, sync } from "./dom.js";
import { taking } from "./given.js";
import { live } from "./live.js";
import { tell } from "./more.js";
import { begin } from "./shell.js";
import { saying, toast } from "./toast.js";
import { figure, number, say, size } from "./words.js";

/** Each tool: how many files (0 is two or more), of which endings, the values it takes with their defaults. */
const TOOLS = /** @type {Record<string, {files: number, kind: string, values: Record<string, string>}>} */ ({
  join: { files: 0, kind: "latents", values: {} },
  trim: { files: 1, kind: "latents", values: { start: "0", end: "0" } },
  fill: { files: 2, kind: "latents", values: { length: "9", prompt: "" } },
  "to-mp4": { files: 1, kind: "latents", values: {} },
  "from-mp4": { files: 1, kind: "video", values: {} },
  extend: { files: 1, kind: "latents", values: { seconds: "10", prompt: "" } },
});
/** @type {any[]} */
let files = [];
/** @type {string[]} ids in the order in which they were ticked */
let picked = [];

async function load() {
  files = (await saying(() => get("latents")))?.files ?? files;
  picked = picked.filter((id) => files.some((file) => file.id === id));
  show();
}

function show() {
  find("#none").hidden = files.length > 0;
  find("#none").textContent = say("latents.none");
  sync(find("#files"), files, (file) => file.id, make, fill);
  sync(find("#tools"), Object.keys(TOOLS), (tool) => tool, makeTool, fillTool);
  sync(find("#runs"), live.runs.toReversed(), (run) => run.id, makeRun, fillRun);
}

/** @param {any} file */
function make(file) {
  const tick = el("input", { type: "checkbox", id: `file-${file.id}` });
  tick.addEventListener("change", () => {
    const on = /** @type {HTMLInputElement} */ (tick).checked;
    picked = on ? [...picked, file.id] : picked.filter((id) => id !== file.id);
    show();
  });
  const save = el("a", { class: "button bare", href: address(`refs/${file.id}/content?download=1`), download: "" });
  save.append(button("download", "", () => {}, { quiet: true }).firstElementChild ?? "");
  return el("li", {}, tick, el("label", { for: `file-${file.id}` }, el("b"), el("small")), el("span", { class: "badge turn", hidden: true }), save);
}

/** @param {HTMLElement} node @param {any} file */
function fill(node, file) {
  const at = picked.indexOf(file.id), turn = find(".turn", node);
  find("input", node).checked = at >= 0;
  find("b", node).textContent = file.name;
  find("small", node).textContent = said(file);
  find("a", node).setAttribute("aria-label", `${say("do.download")}: ${file.name}`);
  turn.hidden = at < 0;
  turn.textContent = String(at + 1);
}

/** @param {any} file */
function said(file) {
  const report = file.report, parts = [file.size ? size(file.size) : ""];
  if (!report) parts.unshift(say("kind.mp4"));
  else parts.unshift(say("latents.about", { latents: report.latents, width: report.width, height: report.height, frames: report.frames }));
  return parts.filter(Boolean).join(" · ");
}

/** What is wrong with the ticked files for a tool, empty where nothing is. @param {string} tool */
function wrong(tool) {
  const { files: count, kind } = TOOLS[tool], chosen = picked.map((id) => files.find((file) => file.id === id)).filter(Boolean);
  const right = chosen.every((file) => (kind === "video") === (file.report === null || file.report === undefined));
  if (count === 0 ? chosen.length < 2 : chosen.length !== count) return say(count === 0 ? "latents.need_more" : "latents.need", { count: count || 2 });
  return right ? "" : say(kind === "video" ? "latents.need_video" : "latents.need_latents");
}

/** @param {string} tool */
function makeTool(tool) {
  const fields = Object.entries(TOOLS[tool].values).map(([name, value]) => {
    const id = `tool-${tool}-${name}`, text = name === "prompt";
    const control = text ? el("textarea", { id, name, rows: "2" }) : el("input", { id, name, type: "text", inputmode: "decimal", value, autocomplete: "off" });
    return el("div", { class: "field" }, el("label", { for: id, dataset: { value: name } }), control);
  });
  const form = el("form", { class: "tool", novalidate: true }, el("h3"), el("p", { class: "soft" }), ...fields, el("p", { class: "wrong", role: "alert" }), el("button", { class: "primary" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    use(tool, /** @type {HTMLFormElement} */ (form));
  });
  return form;
}

/** @param {HTMLElement} node @param {string} tool */
function fillTool(node, tool) {
  const name = tool.replaceAll("-", "_"), go = find("button", node), why = wrong(tool);
  find("h3", node).textContent = say(`tool.${name}`);
  find("p", node).textContent = why || say(`tool.${name}_help`);
  for (const label of node.querySelectorAll("label")) label.textContent = say(`tool.value.${label.dataset.value}`);
  go.textContent = say(`tool.${name}`);
  go.disabled = Boolean(why);
}

/** @param {string} tool @param {HTMLFormElement} form */
async function use(tool, form) {
  const problem = find(".wrong", form), values = /** @type {Record<string, any>} */ ({});
  for (const control of form.querySelectorAll("[name]")) {
    const text = /** @type {HTMLInputElement} */ (control).value.trim();
    if (text) values[/** @type {HTMLInputElement} */ (control).name] = control.tagName === "TEXTAREA" ? text : figure(text);
  }
  tell(problem, "");
  try {
    if (tool === "extend") {
      const job = await post("latents/extend", { file: picked[0], ...values, options: draft("video").options() });
      toast([say("page.queued", { first: job.id, count: 1 }), ...job.notes].join(" "));
    } else await post(`tools/${tool}`, { files: picked, values });
  } catch (error) {
    tell(problem, error.message, error.id);
  }
}

function makeRun() {
  return el("li", {}, el("div", { class: "grow" }, el("b"), el("small"), el("div", { class: "bar" }, el("i")), el("p", { class: "wrong" })), el("span", { class: "row" }));
}

/** @param {HTMLElement} node @param {any} run */
function fillRun(node, run) {
  const open = ["waiting", "running"].includes(run.status), acts = find(".row", node);
  find("b", node).textContent = `${say(`tool.${run.tool.replaceAll("-", "_")}`)}: ${run.result}`;
  find("small", node).textContent = `${say(`status.${run.status}`)} · ${number(Math.round(100 * run.fraction))} %`;
  find(".bar", node).hidden = !open;
  find("i", node).style.width = `${100 * run.fraction}%`;
  find(".wrong", node).textContent = run.said ?? "";
  if (open === Boolean(acts.firstChild)) return;
  acts.replaceChildren(...(open ? [button("stop", say("do.stop_tool"), () => saying(() => del(`tools/${run.id}`)))] : []));
}

taking("files?kind=latents&kind=video", load);
live.addEventListener("results", load);
live.addEventListener("runs", show);
document.addEventListener("words", () => {
  find("#runs").replaceChildren();
  load();
});
await begin(load);

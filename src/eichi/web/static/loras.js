// The LoRA files: which are used and how strongly, what each is, five presets. One choice serves videos and images.

import { get, put } from "./api.js";
import { draft } from "./draft.js";
import { button, el, find, sync } from "./dom.js";
import { taking } from "./given.js";
import { open } from "./dialog.js";
import { begin } from "./shell.js";
import { saying, toast } from "./toast.js";
import { figure as written, number, say, size } from "./words.js";

const KEY = "weights.loras", STANDARD = 0.8, LOW = -2, HIGH = 2, STEP = 0.05;
/** @type {any[]} */
let files = [];
/** @type {Record<string, {loras: {id: string | null, name: string, strength: number, on: boolean}[]}>} */
let presets = {};

/** What is chosen. @returns {{file: string, strength: number}[]} */
const chosen = () => draft("video").get(KEY, []);

/** @param {{file: string, strength: number}[]} loras @param {string} [undo] */
function choose(loras, undo) {
  for (const kind of /** @type {const} */ (["video", "frame"])) {
    draft(kind).change((values) => (values[KEY] = loras.length ? loras : null), undo ? { undo } : {});
  }
  show();
}

async function load() {
  files = (await saying(() => get("loras")))?.files ?? files;
  presets = (await saying(() => get("lora-presets")))?.presets ?? presets;
  show();
}

function show() {
  const words = find("#search").value.trim().toLowerCase();
  const found = files.filter((file) => `${file.folder ?? ""} ${file.name}`.toLowerCase().includes(words));
  const gone = chosen().filter((one) => !files.some((file) => file.id === one.file)).map((one) => ({ id: one.file, name: one.file, gone: true, fits: [] }));
  find("#none").hidden = found.length + gone.length > 0;
  find("#none").textContent = say(files.length ? "history.not_found" : "loras.none");
  sync(find("#loras"), [...gone, ...found], (file) => file.id, make, fill);
  sync(find("#slots"), ["1", "2", "3", "4", "5"], (slot) => slot, makeSlot, fillSlot);
}

/** @param {any} file */
function make(file) {
  const tick = el("input", { type: "checkbox", id: `lora-${file.id}` }), name = el("label", { for: `lora-${file.id}` }, el("b"), el("small"));
  const slider = el("input", { type: "range", min: String(LOW), max: String(HIGH), step: String(STEP), tabindex: "-1", "aria-hidden": "true" });
  const figure = el("input", { type: "text", inputmode: "decimal", autocomplete: "off" });
  const node = el("li", {}, tick, name, el("div", { class: "slide" }, slider, figure), el("div", { class: "row" }), el("p", { class: "wrong", hidden: true }));
  tick.addEventListener("change", () => turn(file.id, /** @type {HTMLInputElement} */ (tick).checked));
  slider.addEventListener("input", () => strengthen(file.id, Number(/** @type {HTMLInputElement} */ (slider).value)));
  figure.addEventListener("change", () => strengthen(file.id, written(/** @type {HTMLInputElement} */ (figure).value)));
  figure.addEventListener("keydown", (event) => {
    const by = { ArrowUp: STEP, ArrowDown: -STEP }[/** @type {KeyboardEvent} */ (event).key];
    if (!by) return;
    event.preventDefault();
    strengthen(file.id, strength(file.id) + by);
    /** @type {HTMLInputElement} */ (figure).value = number(strength(file.id)); // one that is typed in is left alone
  });
  node.querySelector(".row")?.append(button("help", say("loras.report"), () => report(file), { quiet: true }));
  return node;
}

/** @param {HTMLElement} node @param {any} file */
function fill(node, file) {
  const used = chosen().find((one) => one.file === file.id), value = used?.strength ?? STANDARD, figure = find(".slide [type=text]", node);
  find("[type=checkbox]", node).checked = Boolean(used);
  find("b", node).textContent = file.gone ? say("loras.missing") : file.name;
  const parts = [file.folder, file.size ? size(file.size) : "", file.fits.length ? say("loras.fits", { models: file.fits.join(", ") }) : ""];
  find("small", node).textContent = parts.filter(Boolean).join(" · ");
  find(".slide", node).hidden = !used;
  find("[type=range]", node).value = String(value);
  if (document.activeElement !== figure) figure.value = number(value);
  figure.setAttribute("aria-label", say("loras.strength_of", { name: file.name }));
  const wrong = find(".wrong", node);
  wrong.textContent = file.said ?? "";
  wrong.hidden = !file.said;
  find(".row", node).hidden = Boolean(file.gone);
}

/** @param {string} id */
const strength = (id) => chosen().find((one) => one.file === id)?.strength ?? STANDARD;

/** @param {string} id @param {boolean} on */
function turn(id, on) {
  const others = chosen().filter((one) => one.file !== id);
  choose(on ? [...others, { file: id, strength: STANDARD }] : others);
}

/** @param {string} id @param {number} value */
function strengthen(id, value) {
  if (!Number.isFinite(value)) return show();
  const bounded = Math.round(Math.min(HIGH, Math.max(LOW, value)) * 100) / 100;
  if (bounded !== value) toast(say("loras.bounded", { low: LOW, high: HIGH }));
  return choose(chosen().map((one) => ({ file: one.file, strength: one.file === id ? bounded : one.strength })));
}

/** What a file is, every number of it looked at. @param {any} file */
async function report(file) {
  const told = await saying(() => get(`loras/${encodeURIComponent(file.id)}`));
  if (!told) return;
  const body = el("ul", { class: "notes" }, ...told.lines.map((text) => el("li", { text })));
  open(body, { title: file.name });
}

function makeSlot() {
  return el("li", {}, el("b"), el("span", { class: "grow soft" }), button("", "", () => {}), button("save", "", () => {}));
}

/** @param {HTMLElement} node @param {string} slot */
function fillSlot(node, slot) {
  const held = presets[slot]?.loras ?? [], [take, save] = node.querySelectorAll("button");
  const kept = held.filter((one) => one.id && one.on).map((one) => ({ file: one.id, strength: one.strength }));
  find("b", node).textContent = slot;
  find("span.grow", node).textContent = held.map((one) => (one.id ? `${one.name} ${number(one.strength)}` : `${one.name}: ${say("loras.missing")}`)).join(", ") || say("loras.empty");
  take.textContent = say("loras.load");
  take.disabled = !kept.length;
  take.onclick = () => {
    const before = chosen();
    choose(kept);
    toast(say("loras.taken", { slot }), { undo: () => choose(before) });
  };
  save.textContent = say("loras.save");
  save.onclick = () => keep(slot, kept);
}

/** Put the choice into a preset; what was there can be had back. @param {string} slot @param {any[]} before */
async function keep(slot, before) {
  const store = (loras) => saying(() => put(`lora-presets/${slot}`, { loras: loras.map((one) => ({ id: one.file, strength: one.strength })) }));
  if (!(await store(chosen()))) return;
  await load();
  toast(say("keep.saved"), { undo: () => store(before).then(load) });
}

taking("loras", load);
find("#search").addEventListener("input", show);
document.addEventListener("words", load);
await begin(load);

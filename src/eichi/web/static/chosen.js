// What is chosen from elsewhere: LoRA files with their strength, latents to go on from.

import { get } from "./api.js";
import { menu, open } from "./dialog.js";
import { button, el, find, sync } from "./dom.js";
import { saying } from "./toast.js";
import { figure as written, number, say } from "./words.js";

const KEY = "weights.loras", USUAL = 0.8, LOW = -2, HIGH = 2;

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {{file: string, strength?: number}} Chosen */

/**
 * The LoRA files of a draft as sliders, and a way to add one.
 * @param {Draft} draft
 * @param {import("./take.js").Change} change
 */
export async function loras(draft, change) {
  /** @type {any[]} */
  let files = [];
  const learn = async () => {
    files = (await saying(() => get("loras")))?.files ?? files;
    show();
  };
  const name = (file) => files.find((one) => one.id === file)?.name ?? say("page.unknown_lora");
  const show = () => {
    /** @type {Chosen[]} */
    const chosen = draft.get(KEY, []);
    const said = chosen.map((one) => `${short(name(one.file))} ${number(one.strength ?? USUAL, 2)}`).join(" · ");
    find('[data-group="loras"] .set').textContent = said;
    sync(find("#loras"), chosen, (one) => one.file, (one) => row(draft, one.file, change), (node, one) => fill(node, name(one.file), one.strength ?? USUAL));
  };
  menu(find("#add-lora"), () => {
    const taken = new Set(draft.get(KEY, []).map((one) => one.file)), free = files.filter((one) => !taken.has(one.id));
    if (!free.length) return [{ text: say("page.no_loras"), run: () => {}, disabled: true }];
    return free.map((one) => ({ text: one.name, run: () => draft.set(KEY, [...draft.get(KEY, []), { file: one.id, strength: USUAL }]) }));
  });
  draft.addEventListener("change", show);
  document.addEventListener("loras", learn); // there is another file
  document.addEventListener("words", () => {
    find("#loras").replaceChildren();
    learn();
  });
  await learn();
}

/** @param {Draft} draft @param {string} file @param {import("./take.js").Change} change */
function row(draft, file, change) {
  const set = (strength) => draft.change((values) => {
    for (const one of values[KEY] ?? []) if (one.file === file) one.strength = strength;
  });
  const slider = el("input", { type: "range", min: LOW, max: HIGH, step: 0.05, tabindex: "-1", "aria-hidden": "true" });
  const figure = el("input", { type: "text", inputmode: "decimal", autocomplete: "off" });
  slider.addEventListener("input", () => set(Number(/** @type {HTMLInputElement} */ (slider).value)));
  figure.addEventListener("input", () => {
    const value = written(/** @type {HTMLInputElement} */ (figure).value);
    if (Number.isFinite(value)) set(value);
  });
  figure.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 0.05, ArrowDown: -0.05 }[event.key], now = Number(/** @type {HTMLInputElement} */ (slider).value);
    if (!by) return;
    event.preventDefault();
    set(Math.min(HIGH, Math.max(LOW, Math.round((now + by) * 100) / 100)));
  });
  const drop = button("close", "", () => change((values) => {
    values[KEY] = values[KEY].filter((one) => one.file !== file);
    if (!values[KEY].length) delete values[KEY];
  }, "undo.lora"), { quiet: true });
  return el("li", {}, el("span", { class: "name" }), el("div", { class: "slide" }, slider, figure), drop);
}

/** @param {HTMLElement} node @param {string} name @param {number} strength */
function fill(node, name, strength) {
  const [slider, figure] = node.querySelectorAll("input"), drop = node.querySelector("button");
  find(".name", node).textContent = name;
  slider.value = String(strength);
  if (written(figure.value) !== strength || figure.value === "") figure.value = number(strength, 2);
  figure.setAttribute("aria-label", say("page.strength_of", { name }));
  drop.setAttribute("aria-label", say("do.remove_picture", { name }));
  drop.title = say("do.remove_picture", { name });
}

/** @param {string} name */
const short = (name) => name.replace(/\.safetensors$/i, "").slice(0, 16);

/**
 * Latents of an earlier video that the new one goes on from.
 * @param {Draft} draft
 * @param {import("./take.js").Change} change
 */
export function kept(draft, change) {
  const said = find("#kept"), drop = find("#drop-latents");
  let asked = "";
  const show = async () => {
    const id = draft.get("kept.latents");
    drop.hidden = !id;
    if (!id) {
      asked = "";
      said.textContent = say("page.no_latents");
    } else if (asked !== id) {
      asked = id;
      said.textContent = "…";
      const ref = await get(`refs/${id}`).catch(() => null);
      if (asked === id) said.textContent = ref?.name ?? say("page.latents_gone");
    }
  };
  drop.addEventListener("click", () => change((values) => {
    delete values["kept.latents"];
    delete values["kept.sections"];
  }, "undo.latents"));
  find("#choose-latents").addEventListener("click", () => choose(draft));
  draft.addEventListener("change", show);
  document.addEventListener("words", () => {
    asked = "";
    show();
  });
  show();
}

/** @param {Draft} draft */
async function choose(draft) {
  const answer = await saying(() => get("latents"));
  if (!answer) return;
  const found = answer.files.filter((one) => one.kind === "latents");
  const rows = found.map((one) => el("li", {}, button("", one.name, () => {
    draft.set("kept.latents", one.id);
    close();
  })));
  const content = rows.length ? el("ul", { class: "choices" }, ...rows) : el("p", { class: "none", text: say("page.no_latent_files") });
  const close = open(content, { title: say("do.choose_latents") });
}

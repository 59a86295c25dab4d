// What this computer is, for who sits at it, and what the browser may do.

import { get, post, put } from "./api.js";
import { el, find } from "./dom.js";
import { bind, mark } from "./form.js";
import { loud, notices, setLoud, setNotices } from "./alarm.js";
import { tell } from "./more.js";
import { begin } from "./shell.js";
import { tabOnly } from "./storage.js";
import { saying, toast } from "./toast.js";
import { pick, say } from "./words.js";

const UNSAVED = "eichi.settings";

/** The settings as the form has them; what is saved is what is not as it was, and until then it belongs to the tab. */
class Values extends EventTarget {
  /** @type {Record<string, any>} */
  values = {};
  /** @type {Record<string, any>} */
  saved = {};

  /** @param {string} key @param {any} [otherwise] */
  get(key, otherwise = null) {
    return this.values[key] ?? otherwise;
  }

  /** @param {string} key @param {any} value */
  set(key, value) {
    this.values = { ...this.values, [key]: value };
    this.keep();
  }

  /** What is not saved yet; a secret is written down nowhere else than where it belongs. */
  keep() {
    const changed = this.changed, open = Object.entries(changed).filter(([key]) => field(key)?.type !== "password");
    find("#unsaved").hidden = !Object.keys(changed).length;
    if (open.length) tabOnly.setItem(UNSAVED, JSON.stringify(Object.fromEntries(open)));
    else tabOnly.removeItem(UNSAVED);
  }

  /** @param {Record<string, any>} values @param {Record<string, any>} [typed] what was typed and not saved */
  read(values, typed = {}) {
    this.saved = { ...values };
    const known = Object.entries(typed).filter(([key]) => key in values);
    this.values = { ...values, ...Object.fromEntries(known) };
    this.dispatchEvent(new CustomEvent("change"));
    this.keep();
  }

  get changed() {
    const keys = Object.keys(this.saved).filter((key) => said(key, this.values[key]) !== said(key, this.saved[key]));
    return Object.fromEntries(keys.map((key) => [key, this.values[key] ?? null]));
  }
}

/** What a setting comes to: nothing is its default. @param {string} key @param {any} value */
const said = (key, value) => JSON.stringify(value ?? told?.fields.find((/** @type {any} */ one) => one.key === key)?.default ?? null);

/** The control of a setting. @param {string} key @returns {HTMLInputElement | null} */
const field = (key) => form.querySelector(`[name="${key}"]`);

const values = new Values(), form = find("#machine"), old = find("#import");
/** @type {any} */
let told = null;

async function load() {
  told = await saying(() => get("settings"));
  if (!told) return;
  form.hidden = !told.local;
  find("#away").hidden = told.local;
  find("#old").hidden = find("#folder").hidden = !told.local;
  devices();
  values.read(told.values, JSON.parse(tabOnly.getItem(UNSAVED) ?? "{}"));
  dress();
}

/** The devices that there are. */
function devices() {
  const { choices } = told.fields.find((/** @type {any} */ field) => field.key === "device");
  const options = choices.map((/** @type {any} */ one) => new Option(pick(one.label, one.label), one.value));
  find("#settings-device").replaceChildren(...options);
}

/** What is said in the language of the page. */
function dress() {
  if (!told) return;
  const fixed = (told.locked ?? []).map((key) => say(form.querySelector(`.field[data-key="${key}"]`)?.dataset.label ?? key));
  find("#locked").hidden = !fixed.length;
  find("#locked").textContent = fixed.length ? say("setting.fixed", { names: fixed.join(", ") }) : "";
  const rows = Object.entries(told.places ?? {}).flatMap(([name, text]) => [el("dt", { text: pick(`setting.${name}`, pick(`label.setting.${name}`, name)) }), el("dd", { text: String(text) })]);
  find("#places").replaceChildren(...rows);
  mark(form, told.remarks);
}

/** The sentences of the server in another language; what is typed stays. */
async function again() {
  told = (await saying(() => get("settings"))) ?? told;
  dress();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    told = await put("settings", { values: values.changed });
    values.read(told.values);
    dress();
    toast(say("setting.saved"));
  } catch (error) {
    const all = await post("settings/check", { values: values.changed }).catch(() => null);
    const left = mark(form, all?.problems.length ? all.problems : [error]);
    if (left.length) toast(left[0].message, { kind: "problem", id: left[0].id });
    else form.querySelector("[aria-invalid]")?.focus();
  }
});

// What is kept of a secret is not what it is: nothing is added to it.
form.addEventListener("focusin", (event) => event.target.type === "password" && event.target.select());

find("#folder").addEventListener("click", () => saying(() => post("folder")));

old.addEventListener("submit", async (event) => {
  event.preventDefault();
  const wrong = find(".wrong", old);
  wrong.hidden = true;
  try {
    const done = await post("import", { folder: find("#import-folder").value });
    const rows = done.items.flatMap((item) => [item.text, ...item.notes]);
    find("#report").replaceChildren(...[done.summary, ...rows].map((text) => el("li", { text })));
  } catch (error) {
    tell(wrong, error.message, error.id);
    wrong.hidden = false;
  }
});

find("#sound").addEventListener("change", (event) => setLoud(event.target.checked));
find("#notify").addEventListener("change", async (event) => {
  event.target.checked = await setNotices(event.target.checked);
  if (!event.target.checked && Notification.permission === "denied") toast(say("setting.denied"), { kind: "problem" });
});
document.addEventListener("words", again);
await begin(async () => {
  bind(form, /** @type {any} */ (values));
  find("#sound").checked = loud();
  find("#notify").checked = notices();
  await load();
});
document.getElementById(location.hash.slice(1))?.focus(); // the one that somebody was sent to

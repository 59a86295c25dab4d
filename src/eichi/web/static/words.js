// The words of the page. Texts come from the server by id; a switch of the language changes them where they stand.

import { find, findAll } from "./dom.js";

const PLACEHOLDER = /\{(\w+)(?::([^{}]*))?\}/g;
const ATTRIBUTES = { wordTitle: "title", wordLabel: "aria-label", wordPlaceholder: "placeholder", wordGroup: "label" };
/** @type {Record<string, string>} */
let table = {};

/** The code of the language that is shown. @returns {string} */
export const language = () => document.documentElement.lang;

/** The mark of this version of the page. @returns {string} */
export const mark = () => document.documentElement.dataset.mark ?? "";

/**
 * Whether there is a text of an id.
 * @param {string} id
 */
export const known = (id) => Object.hasOwn(table, id);

/**
 * The text of an id, filled.
 * @param {string} id
 * @param {Record<string, any>} [values]
 * @returns {string}
 */
export function say(id, values = {}) {
  return (table[id] ?? id).replace(PLACEHOLDER, (_, name, form = "") => {
    const value = values[name];
    if (form.includes("|")) {
      const [when, texts] = form.split(/=(.*)/s), [then, otherwise] = texts.split("|");
      return String(value) === when ? then : otherwise;
    }
    if (typeof value !== "number") return value ?? "";
    if (form === "bytes") return size(value);
    const digits = /^\.(\d+)f$/.exec(form);
    return digits ? number(value, Number(digits[1])) : number(value);
  });
}

/**
 * The text of an id, or what stands for it where there is none: names of models and profiles.
 * @param {string} id
 * @param {string} otherwise
 */
export const pick = (id, otherwise) => table[id] ?? otherwise;

/**
 * A figure with the language's decimal sign, without digits that say nothing unless `digits` are asked for.
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits) {
  const text = digits === undefined ? String(Math.round(value * 1e6) / 1e6) : value.toFixed(digits);
  return text.replace(".", table["number.point"] ?? ".");
}

/**
 * The figure that somebody wrote: with digits of any width, either decimal sign, and spaces between thousands.
 * @param {string} text
 * @returns {number} none (NaN) where it is not quite clear
 */
export function figure(text) {
  const joined = text.normalize("NFKC").replace("\u2212", "-").trim().replace(/(?<=\d)[\s'\u2019](?=\d{3}(?!\d))/g, "");
  const thousands = (table["number.point"] ?? ".") === "." && /^[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?$/.test(joined);
  const plain = thousands ? joined.replaceAll(",", "") : joined.replace(",", ".");
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

/**
 * A time that something takes, as people say it.
 * @param {number} seconds
 */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds)), minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
  if (hours) return say("page.hours", { hours, minutes: minutes % 60 });
  return minutes ? say("page.minutes", { minutes, seconds: whole % 60 }) : say("page.seconds", { seconds: whole });
}

/**
 * A moment, in seconds since 1970: the time of day, with the date where it is another one.
 * @param {number} seconds
 */
export function when(seconds) {
  const date = new Date(seconds * 1000), today = new Date().toDateString() === date.toDateString();
  const day = today ? {} : { month: "short", day: "numeric" };
  return new Intl.DateTimeFormat(language(), { ...day, hour: "2-digit", minute: "2-digit" }).format(date);
}

/** Bytes for people. @param {number} bytes */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let at = 0, value = bytes;
  for (; value >= 1000 && at < units.length - 1; at++) value /= 1000;
  const digits = at && value < 10 ? 1 : 0;
  return new Intl.NumberFormat(language(), { style: "unit", unit: units[at], maximumFractionDigits: digits }).format(value);
}

/** Fetch the words of the page's language; what was built without them is built again. */
export async function learn() {
  table = await read(language());
  fill();
  document.dispatchEvent(new CustomEvent("words"));
}

/**
 * Say everything in another language, at once and in place; the address follows.
 * @param {string} code
 */
export async function speak(code) {
  table = await read(code);
  document.documentElement.lang = code;
  fill();
  for (const link of findAll("a[data-place]")) link.href = `/${code}/${link.dataset.place}`;
  document.title = `${say(`place.${find("main").dataset.place}`)} · FramePack-eichi`;
  history.replaceState(history.state, "", location.pathname.replace(/^\/[^/]+/, `/${code}`) + location.search);
  document.cookie = `eichi_language=${code};path=/;max-age=31536000;samesite=lax`;
  document.dispatchEvent(new CustomEvent("words"));
}

/** Let everything that names its text say it. */
function fill() {
  for (const node of findAll("[data-word]")) {
    const text = say(node.dataset.word);
    node.textContent = "plain" in node.dataset ? text.replaceAll("`", "") : text;
  }
  for (const link of findAll("a[data-help]")) led(link);
  for (const [from, to] of Object.entries(ATTRIBUTES)) {
    const name = from.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    for (const node of findAll(`[data-${name}]`)) node.setAttribute(to, say(node.dataset[from]));
  }
}

/**
 * Let a link lead to the documents in the page's language, and say what they are about.
 * @template {HTMLElement} T
 * @param {T} link
 * @returns {T}
 */
export function led(link) {
  const said = say("help.more", { label: say(link.dataset.about ?? "") });
  link.setAttribute("href", `/help/${language()}/${link.dataset.help}`);
  link.setAttribute("aria-label", said);
  link.title = said;
  return link;
}

/** @param {string} code */
async function read(code) {
  const answer = await fetch(`/api/v1/words/${code}?v=${mark()}`);
  if (!answer.ok) throw new Error(`words: ${answer.status}`);
  return answer.json();
}

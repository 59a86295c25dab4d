// Two results at once: side by side or under a slider, in step, frame by frame, with the options that differ.

import { get, isId, pictureUrl } from "./api.js";
import { button, el, icon } from "./dom.js";
import { open } from "./dialog.js";
import { flat } from "./draft.js";
import { clipOf, framesOf, moving, seedOf, stillOf } from "./jobtext.js";
import { key } from "./keys.js";
import { saying } from "./toast.js";
import { known, number, pick, say } from "./words.js";

const FPS = 30;
const FINISHED = /^(?:video$|finish\.)/; // what finishing a video is asked for by
const WRITTEN = /^written\./; // prompts before they were drawn differ where those that were read do

/** @typedef {import("./live.js").JobRow} JobRow */

/**
 * Compare two results.
 * @param {JobRow} a
 * @param {JobRow} b
 */
export async function compare(a, b) {
  const told = await saying(() => Promise.all([get(`jobs/${a.id}`), get(`jobs/${b.id}`)]));
  if (!told) return;
  const pair = new Pair(a, b), differ = await table(a, b, told);
  const itself = [a, b].some((job) => moving(job) && !clipOf(job)) ? el("p", { class: "soft", text: say("compare.itself") }) : null;
  open(el("div", { class: "compare" }, pair.view, pair.controls, itself, differ), {
    title: say("compare.title", { a: a.id, b: b.id }),
    class: "wide",
    closed: () => pair.pause(),
  });
  const mine = (keys, text, run) => key(keys, text, run, () => pair.clips.length > 0 && document.activeElement !== pair.edge, false, pair.view);
  mine("Space", "keys.play", () => pair.toggle());
  mine("ArrowLeft", "keys.back", () => pair.step(-1));
  mine("ArrowRight", "keys.forward", () => pair.step(1));
}

/** Two pictures or clips in step. */
class Pair {
  /** @param {JobRow} a @param {JobRow} b */
  constructor(a, b) {
    this.media = [a, b].map(medium);
    this.clips = /** @type {HTMLVideoElement[]} */ (this.media.filter((one) => one instanceof HTMLVideoElement));
    this.frames = Math.max(1, Math.min(...[a, b].filter(clipOf).map((job) => framesOf(job) || 1)));
    const sides = this.media.map((one, at) => el("figure", {}, one, el("figcaption", { text: `#${[a, b][at].id}` })));
    this.edge = /** @type {HTMLInputElement} */ (el("input", { type: "range", class: "edge", min: "0", max: "100", value: "50", "aria-label": say("compare.edge") }));
    this.view = el("div", { class: "pair" }, ...sides, this.edge);
    this.slider = /** @type {HTMLInputElement} */ (el("input", { type: "range", min: "0", max: String(this.frames - 1), value: "0", "aria-label": say("viewer.frame") }));
    this.time = el("span", { class: "time" });
    this.play = button("play", say("viewer.play"), () => this.toggle(), { quiet: true });
    const way = button("compare", say("compare.slider"), () => this.turn(way));
    way.setAttribute("aria-pressed", "false");
    const steps = [button("left", say("viewer.back"), () => this.step(-1), { quiet: true }), button("right", say("viewer.forward"), () => this.step(1), { quiet: true })];
    this.controls = el("div", { class: "controls" }, ...(this.clips.length ? [this.play, ...steps, this.slider, this.time] : []), way);
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.edge.addEventListener("input", () => this.view.style.setProperty("--edge", `${this.edge.value}%`));
    this.seek(0);
  }

  get frame() {
    return Math.min(this.frames - 1, Math.floor((this.clips[0]?.currentTime ?? 0) * FPS + 1e-6));
  }

  /** @param {number} frame */
  seek(frame) {
    const at = Math.min(Math.max(0, frame), this.frames - 1);
    for (const clip of this.clips) clip.currentTime = (at + 0.5) / FPS;
    this.say(at);
  }

  /** @param {number} by */
  step(by) {
    this.pause();
    this.seek(this.frame + by);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.run();
  }

  pause() {
    this.playing = false;
    for (const clip of this.clips) clip.pause();
    this.dress();
  }

  run() {
    this.playing = true;
    if (this.frame >= this.frames - 1) this.seek(0);
    for (const clip of this.clips) clip.play().catch(() => this.pause());
    this.dress();
    this.follow();
  }

  /** The second clip is never more than a frame away from the first. */
  follow() {
    if (!this.playing) return;
    const [first, second] = this.clips;
    if (second && Math.abs(first.currentTime - second.currentTime) > 1 / FPS) second.currentTime = first.currentTime;
    this.say(this.frame);
    if (this.frame >= this.frames - 1) this.seek(0);
    requestAnimationFrame(() => this.follow());
  }

  dress() {
    this.play.querySelector("use")?.setAttribute("href", this.playing ? "#i-pause" : "#i-play");
    this.play.setAttribute("aria-label", say(this.playing ? "viewer.pause" : "viewer.play"));
  }

  /** @param {number} frame */
  say(frame) {
    this.slider.value = String(frame);
    this.time.textContent = say("viewer.at", { seconds: number(frame / FPS, 2), frame: frame + 1, frames: this.frames });
  }

  /** One above the other under a slider, or side by side. @param {HTMLElement} way */
  turn(way) {
    const over = this.view.classList.toggle("over-each-other");
    way.setAttribute("aria-pressed", String(over));
  }
}

/** @param {JobRow} job */
function medium(job) {
  if (!clipOf(job)) return el("img", { src: stillOf(job), alt: `#${job.id}` });
  const clip = /** @type {HTMLVideoElement} */ (el("video", { src: job.video, preload: "auto", playsinline: true, "aria-label": `#${job.id}` }));
  clip.muted = true;
  return clip;
}

/** The options that differ. @param {JobRow} a @param {JobRow} b @param {any[]} told */
async function table(a, b, told) {
  const [one, other] = told.map((job, at) => ({ ...flat(job.request ?? {}), seed: seedOf([a, b][at]) }));
  const all = [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((key) => !WRITTEN.test(key));
  const has = [a, b].map((job, at) => (/** @type {string} */ key) => asks(job, told[at].request ?? {}, key) || a.kind === b.kind);
  const meant = (/** @type {string} */ key) => has.every((asked) => asked(key)) || FINISHED.test(key);
  const keys = all.filter((key) => meant(key) && JSON.stringify(one[key]) !== JSON.stringify(other[key]));
  if (!keys.length) return el("p", { class: "none", text: say("compare.same") });
  const ids = new Set(keys.flatMap((key) => [...idsIn(one[key]), ...idsIn(other[key])]));
  const files = new Map(await Promise.all([...ids].map(async (id) => /** @type {[string, any]} */ ([id, await get(`refs/${id}`).catch(() => null)]))));
  const rows = keys.map((key) => el("tr", {}, el("th", { scope: "row", text: label(key) }), ...[one, other].map((values, at) => el("td", {}, has[at](key) ? value(key, values[key], files) : icon("minus")))));
  const head = el("tr", {}, el("td"), ...[a, b].map((job) => el("th", { scope: "col", text: `#${job.id}` })));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("compare.differ") },
    el("table", { class: "differ" }, el("caption", { text: say("compare.differ") }), el("thead", {}, head), el("tbody", {}, ...rows)));
}

/** Whether a job is asked for by an option; a video that is to be finished is itself not finished. @param {JobRow} job @param {any} request @param {string} key */
function asks(job, request, key) {
  if (FINISHED.test(key) || job.kind === "finish") return job.kind === "finish" && FINISHED.test(key);
  const [first, ...rest] = key.split(".");
  return key === "seed" || rest.reduce((inside, name) => inside?.[name], request[first]) !== undefined;
}

/** The ids of files in a value. @param {any} said @returns {string[]} */
function idsIn(said) {
  if (said && typeof said === "object") return Object.values(said).flatMap(idsIn);
  return typeof said === "string" && isId(said) ? [said] : [];
}

/** @param {string} key */
function label(key) {
  const id = [`label.${key}`, `label.frame.${key}`].find(known);
  return id ? say(id) : say("compare.other");
}

/** @param {string} key @param {any} said @param {Map<string, any>} files what is known of those that are named @returns {Node} */
function value(key, said, files) {
  if (said === undefined || said === null) return el("span", { class: "soft", text: say("value.open") });
  if (typeof said === "boolean") return el("span", { text: say(said ? "value.on" : "value.off") });
  if (typeof said === "number") return el("span", { text: number(said) });
  if (said === "") return icon("minus");
  if (files.has(said)) return file(said, files.get(said));
  if (typeof said === "string") return el("span", { text: pick(`choice.${key}.${said}`, said) });
  const entry = (one) => (one && typeof one === "object" ? entries(Object.values(one)) : [value("", one, files)]);
  const entries = (all) => all.filter((one) => one !== null).flatMap((one, at) => (at ? [" · "] : []).concat(entry(one)));
  const inside = Object.entries(said).map(([name, one]) => el("span", { class: "entry" }, Array.isArray(said) ? "" : `${name}: `, ...entry(one)));
  return el("span", {}, ...(inside.length ? inside : [icon("minus")]));
}

/** A file by what it shows, or its name. @param {string} id @param {any} known */
function file(id, known) {
  if (known?.kind === "picture") return el("img", { src: pictureUrl(id), alt: known.name, title: known.name, class: "small" });
  return el("span", { class: known ? "" : "soft", text: known?.name ?? say("page.file_gone") });
}

// What people do next with a job: its settings again, its frames as pictures, its file. The stage, the latest results
// and the history offer the same.

import { address, del, get, post } from "./api.js";
import { draft } from "./draft.js";
import { el, icon } from "./dom.js";
import { open } from "./dialog.js";
import { showGrid } from "./grid.js";
import { fileOf, inFile, moving } from "./jobtext.js";
import { live } from "./live.js";
import { tell } from "./more.js";
import { saying, toast } from "./toast.js";
import { figure, language, number, say } from "./words.js";

/** @typedef {import("./live.js").JobRow} JobRow */
/** @typedef {{text: string, icon?: string, run: () => void, disabled?: boolean}} Item */

/** A place's address. @param {string} place @param {Record<string, string>} [asked] */
export function placeUrl(place, asked = {}) {
  const query = new URLSearchParams(asked).toString();
  return `/${language()}/${place}${query ? `?${query}` : ""}`;
}

/**
 * What is done with a job of the queue by a call alone; refusals are said.
 * @param {JobRow} job
 * @param {string} action
 */
export const act = (job, action) => saying(() => post(`jobs/${job.id}/${action}`));

/** The place that a kind of job is asked for in. @param {JobRow} job */
export const home = (job) => ({ frame: "frame", finish: "finish" })[job.kind] ?? "create";

/** A result to finish, in the place for that. @param {JobRow} job */
export const finishing = (job) => (location.href = placeUrl("finish", { job: String(job.id) }));

/** The settings of a job, in the place where it is asked for. @param {JobRow} job @param {"same" | "new"} seed */
export function useAgain(job, seed) {
  location.href = placeUrl(home(job), { use: String(job.id), seed });
}

/**
 * A frame of a result as a picture that was given.
 * @param {JobRow} job
 * @param {number} frame
 * @returns {Promise<string | undefined>} its id
 */
export async function picture(job, frame) {
  return (await saying(() => post(`jobs/${job.id}/frames/${inFile(job, frame)}`)))?.id;
}

/**
 * Where a frame can be used.
 * @param {JobRow} job
 * @param {() => number} frame the one that is meant
 * @returns {Item[]}
 */
export function frameItems(job, frame) {
  const take = (text, put, place) => ({
    text: say(text),
    icon: "image",
    run: async () => {
      const id = await picture(job, frame());
      if (!id) return;
      put(id);
      taken(place);
    },
  });
  const video = draft("video"), single = draft("frame");
  return [
    take("result.as_image", (id) => video.change((v) => {
      v.image = id;
      delete v.start; // what else a video begins with takes the picture's place
      delete v["source.before"];
    }, { undo: "undo.picture" }), "create"),
    take("result.as_final", (id) => video.change((v) => (v["keyframes.final"] = id), { undo: "undo.picture" }), "create"),
    { text: say("result.as_section"), icon: "image", run: () => askSection(job, frame()) },
    take("result.as_start", (id) => single.change((v) => (v.image = id), { undo: "undo.picture" }), "frame"),
    take("result.as_reference", (id) => single.change((v) => (v.references = [...(v.references ?? []), { image: id }]), { undo: "undo.picture" }), "frame"),
    { text: say("result.save_frame"), icon: "download", run: () => follow(address(`jobs/${job.id}/frames/${inFile(job, frame())}.png?download=1`)) },
  ];
}

/** Say that a frame was taken, with the way there. @param {string} place */
function taken(place) {
  const there = placeUrl(place), here = location.pathname.endsWith(`/${place}`);
  toast(say("result.taken"), here ? {} : { action: { text: say(`place.${place}`), run: () => (location.href = there) } });
}

/** Ask which section a frame is for. @param {JobRow} job @param {number} frame */
function askSection(job, frame) {
  const input = /** @type {HTMLInputElement} */ (el("input", { type: "number", min: "0", max: "120", value: "0", id: "result-section", required: true }));
  const form = el("form", { class: "stack", novalidate: true },
    el("div", { class: "field" }, el("label", { for: "result-section", text: say("result.which_section") }), input),
    el("div", { class: "row end" }, el("button", { class: "primary", text: say("do.use_frame") })));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const section = String(Math.max(0, Math.trunc(Number(input.value) || 0)));
    close();
    const id = await picture(job, frame);
    if (!id) return;
    draft("video").change((values) => {
      values["keyframes.sections"] = { ...values["keyframes.sections"], [section]: id };
    }, { undo: "undo.picture" });
    taken("create");
  });
  const close = open(form, { title: say("result.as_section") });
}

/** A longer video that begins as a result does. @param {JobRow} job */
export function extend(job) {
  const latents = job.files?.find((name) => name.endsWith(".safetensors"));
  const seconds = /** @type {HTMLInputElement} */ (el("input", { type: "text", inputmode: "decimal", id: "extend-seconds", value: number((job.seconds ?? 5) + 5, 1) }));
  const prompt = /** @type {HTMLTextAreaElement} */ (el("textarea", { id: "extend-prompt", rows: "3", placeholder: job.prompt }));
  const wrong = el("p", { class: "wrong", role: "alert" });
  const form = el("form", { class: "stack", novalidate: true },
    el("p", { class: "soft", text: say("result.extend_help") }),
    el("div", { class: "field" }, el("label", { for: "extend-seconds", text: say("result.extend_to") }), seconds),
    el("div", { class: "field" }, el("label", { for: "extend-prompt", text: say("result.extend_prompt") }), prompt),
    wrong,
    el("div", { class: "row end" }, el("button", { class: "primary", text: say("do.start") })));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const asked = { seconds: figure(seconds.value), prompt: prompt.value.trim() || null };
      const made = whole(job)
        ? await post(`jobs/${job.id}/branch`, { order: job.sections, options: given(asked) })
        : await post("latents/extend", { file: `job:${job.id}/${latents}`, ...asked });
      close();
      document.dispatchEvent(new CustomEvent("started", { detail: { jobs: [made.id] } }));
      toast([say("page.queued", { first: made.id, count: 1 }), ...(made.notes ?? [])].join(" ")); // a branch has none
    } catch (error) {
      tell(wrong, error.message, error.id);
      if (error.status === undefined) throw error; // no answer of ours: a fault of the page
    }
  });
  const close = open(form, { title: say("do.extend") });
}

/** A video of ours that a new one follows, in Create. @param {JobRow} job */
function followOn(job) {
  draft("video").change((values) => {
    values["source.before"] = `job:${job.id}/${fileOf(job)}`;
    delete values["kept.latents"];
  }, { undo: "undo.video_taken" });
  const here = location.pathname.endsWith("/create");
  toast(say("undo.video_taken"), here ? { undo: draft("video").back() } : { action: { text: say("place.create"), run: () => (location.href = placeUrl("create")) } });
}

/** Whether all sections of a job are kept. @param {JobRow} job */
const whole = (job) => job.actions.includes("redo") && job.made === job.sections;

/** What is said of some options; the others stay as they are. @param {Record<string, any>} asked */
const given = (asked) => Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null));

/** Whether a result can be made longer: its sections or its latents are there. @param {JobRow} job */
export const extensible = (job) =>
  job.kind === "video" && (whole(job) || Boolean(job.files?.some((name) => name.endsWith(".safetensors"))));

/**
 * Everything that can be done with a job, for a menu.
 * @param {JobRow} job
 * @param {() => number} frame
 * @returns {Item[]}
 */
export function resultItems(job, frame) {
  const items = [{ text: say(job.kind === "finish" ? "do.use" : "result.same_seed"), icon: "copy", run: () => useAgain(job, "same") }];
  if (job.kind !== "finish") items.push({ text: say("result.new_seed"), icon: "dice", run: () => useAgain(job, "new") });
  if (job.actions.includes("resume")) items.unshift({ text: say("do.resume"), icon: "play", run: () => act(job, "resume") });
  if (job.actions.includes("retry")) items.push({ text: say("do.retry"), icon: "redo", run: () => act(job, "retry") });
  if (job.video && job.kind === "video") items.push({ text: say("do.extend"), icon: "extend", run: () => extend(job), disabled: !extensible(job) });
  if (job.batch) items.push({ text: say("do.grid"), icon: "compare", run: () => showGrid(job) });
  if (moving(job)) items.push({ text: say("do.finish"), icon: "brush", run: () => finishing(job) });
  if (moving(job)) items.push({ text: say("result.continue"), icon: "extend", run: () => followOn(job) });
  if (moving(job) || job.kind === "frame") items.push(...frameItems(job, frame));
  if (document.body.dataset.local) items.push({ text: say("do.open_folder"), icon: "folder", run: () => saying(() => post(`jobs/${job.id}/folder`)) });
  return items;
}

/** Where a job's video or image is, null where there is none. @param {JobRow} job @returns {string | null} */
export const made = (job) => job.video ?? null;

/** Save a job's file. @param {JobRow} job */
export function download(job) {
  const url = made(job);
  if (url) follow(`${url}${url.includes("?") ? "&" : "?"}download=1`);
}

/** Forget a job and its files; it can be had back for a while. @param {JobRow} job */
export async function remove(job) {
  const done = await saying(() => del(`jobs/${job.id}?files=true`));
  if (done) toast(say("undo.removed", { job: job.id }), { undo: () => saying(() => post(`jobs/${job.id}/restore`)) });
}

/** Let the browser fetch something that comes as an attachment. @param {string} url */
function follow(url) {
  const link = /** @type {HTMLAnchorElement} */ (el("a", { href: url, download: "" }));
  link.click();
}

/** A job of the stream, or an older one. @param {number} id @returns {Promise<JobRow | undefined>} */
export async function jobRow(id) {
  return live.jobs.get(id) ?? (await saying(() => get(`jobs?id=${id}&limit=1`)))?.rows?.[0];
}

/** A picture of a result, small. @param {JobRow} job */
export function thumb(job) {
  const url = job.thumb ?? job.image;
  return url ? el("img", { src: url, alt: "", loading: "lazy", draggable: "false" }) : el("span", { class: "blank" }, icon("image"));
}

// A sound and a notification when a job ends, where the browser was asked for them. Of several tabs one tells.

import { titleOf } from "./jobtext.js";
import { live } from "./live.js";
import { shared } from "./storage.js";

const SOUND = "eichi.sound", NOTICE = "eichi.notify", TOLD = "eichi.told";
const OVER = new Set(["done", "failed"]);

/** Whether a sound is played. */
export const loud = () => shared.getItem(SOUND) === "on";
/** @param {boolean} on */
export function setLoud(on) {
  shared.setItem(SOUND, on ? "on" : "off");
  if (on) ring(); // so that one hears what it will be, and the browser allows it
}

/** Whether a notification is shown. */
export const notices = () => shared.getItem(NOTICE) === "on" && globalThis.Notification?.permission === "granted";

/**
 * Ask the browser.
 * @param {boolean} on
 * @returns {Promise<boolean>} whether it will show any
 */
export async function setNotices(on) {
  shared.setItem(NOTICE, on ? "on" : "off"); // at once: a page that goes away while the browser asks must not lose it
  const allowed = on && globalThis.Notification && (await Notification.requestPermission()) === "granted";
  if (!allowed) shared.setItem(NOTICE, "off");
  return Boolean(allowed);
}

/** Tell of jobs that end from now on. */
export function watch() {
  live.addEventListener("jobs", (event) => {
    const { changed, before } = /** @type {CustomEvent} */ (event).detail;
    for (const id of changed) {
      const job = live.jobs.get(id), was = before.get(id);
      if (job && was && !OVER.has(was.status) && OVER.has(job.status) && first(job)) tell(job);
    }
  });
}

/** Whether no other tab has told of this yet. @param {import("./live.js").JobRow} job */
function first(job) {
  const mark = `${job.id} ${job.ended}`;
  if (shared.getItem(TOLD) === mark) return false;
  shared.setItem(TOLD, mark);
  return true;
}

/** @param {import("./live.js").JobRow} job */
function tell(job) {
  if (loud()) ring();
  if (!notices()) return;
  const body = titleOf(job), shown = new Notification(`#${job.id} · ${job.status_text}`, { body, tag: `eichi-${job.id}` });
  shown.addEventListener("click", () => globalThis.focus());
}

/** Two soft tones; no file is needed for them. */
function ring() {
  const audio = new AudioContext(), begin = audio.currentTime;
  for (const [at, tone] of [[0, 660], [0.18, 880]]) {
    const source = audio.createOscillator(), volume = audio.createGain();
    source.frequency.value = tone;
    volume.gain.setValueAtTime(0.0001, begin + at);
    volume.gain.exponentialRampToValueAtTime(0.2, begin + at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, begin + at + 0.4);
    source.connect(volume).connect(audio.destination);
    source.start(begin + at);
    source.stop(begin + at + 0.45);
  }
}

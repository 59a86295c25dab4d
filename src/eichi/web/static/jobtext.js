// What is said of a job in a line, wherever jobs are listed.

import { number, pick, say } from "./words.js";

const FPS = 30;

/** How long a job's video is, and how much of it is new. @param {import("./live.js").JobRow} job */
export function lengthOf(job) {
  if (!job.seconds) return say(`kind.${job.kind}`);
  return job.whole ? say("page.length_whole", { whole: job.whole.seconds, seconds: job.seconds }) : say("page.length", { seconds: job.seconds });
}

/** What is said of a video's length and rate, where it is not thirty frames a second throughout. @param {import("./live.js").JobRow} job */
const paced = (job) => job.whole ?? (job.kind === "finish" && job.seconds ? { seconds: job.seconds, frames: job.frames ?? 0 } : null);

/** The ending of a job's result. @param {import("./live.js").JobRow} job */
const ending = (job) => (job.video ?? "").split("?")[0].split(".").pop() ?? "";

/** A result that is played, null where it is none. @param {import("./live.js").JobRow} job */
export const clipOf = (job) => (job.video && job.kind !== "frame" && ["mp4", "mov", "webm"].includes(ending(job)) ? job.video : null);

/** A result that is shown as a picture, moving or not; of an archive a frame of it. @param {import("./live.js").JobRow} job */
export const stillOf = (job) => (!job.video || clipOf(job) ? null : ending(job) === "zip" ? job.thumb : job.video);

/** The frames of a job's video as they are looked at, thirty a second. @param {import("./live.js").JobRow} job */
export const framesOf = (job) => (paced(job) ? Math.round(paced(job).seconds * FPS) : (job.frames ?? 0));

/** The number that such a frame has in the file, which may have another rate. @param {import("./live.js").JobRow} job @param {number} frame */
export function inFile(job, frame) {
  const whole = paced(job);
  if (!whole) return frame;
  return Math.min(whole.frames - 1, Math.floor(((frame + 0.5) / FPS) * (whole.frames / whole.seconds)));
}

/**
 * A job's number, length, size, model and seed.
 * @param {import("./live.js").JobRow} job
 */
export function figures(job) {
  const parts = [`#${job.id}`, lengthOf(job), `${job.width} × ${job.height}`, ...(job.model ? [modelName(job)] : [])];
  if (job.seed !== null) parts.push(say("page.seed", { seed: job.seed }));
  if (job.priority) parts.push(say("queue.priority", { priority: number(job.priority) }));
  if (job.owner) parts.push(job.owner);
  return parts.join(" · ");
}

/**
 * What a job's model is called; a folder of somebody's own has its name.
 * @param {import("./live.js").JobRow} job
 */
export const modelName = (job) => pick(`choice.model.${job.model.replaceAll("-", "_")}`, job.model);

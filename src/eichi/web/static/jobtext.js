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

/** The name of the file of a job's result, empty where there is none. @param {import("./live.js").JobRow} job */
export const fileOf = (job) => decodeURIComponent((job.video ?? "").split("?")[0].split("/").pop() ?? "");

/** What a job is called: by its prompt, one that finished a video by the file that it made. @param {import("./live.js").JobRow} job */
export const titleOf = (job) => (job.kind === "finish" && fileOf(job)) || job.prompt || say("page.no_prompt");

/** The seed that a job drew; what finishes a video draws nothing. @param {import("./live.js").JobRow} job */
export const seedOf = (job) => (job.kind === "finish" ? null : job.seed);

/** A result that is played, null where it is none. @param {import("./live.js").JobRow} job */
export const clipOf = (job) => (job.video && job.kind !== "frame" && ["mp4", "mov", "webm"].includes(ending(job)) ? job.video : null);

/** A result that is shown as a picture, moving or not; of an archive a frame of it. @param {import("./live.js").JobRow} job */
export const stillOf = (job) => (!job.video || clipOf(job) ? null : ending(job) === "zip" ? job.thumb : job.video);

/** Whether a result has frames in one file, played or shown as a picture that moves. @param {import("./live.js").JobRow} job */
export const moving = (job) => Boolean(clipOf(job)) || (job.kind === "finish" && ["gif", "webp"].includes(ending(job)));

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
  if (seedOf(job) !== null) parts.push(say("page.seed", { seed: job.seed }));
  if (job.priority) parts.push(say("queue.priority", { priority: number(job.priority) }));
  if (job.owner) parts.push(job.owner);
  return parts.join(" · ");
}

/**
 * What a job's model is called; a folder of somebody's own has its name.
 * @param {import("./live.js").JobRow} job
 */
export const modelName = (job) => pick(`choice.model.${job.model.replaceAll("-", "_")}`, job.model);

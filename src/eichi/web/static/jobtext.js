// What is said of a job in a line, wherever jobs are listed.

import { number, pick, say } from "./words.js";

const FPS = 30;

/** How long a job's video is, and how much of it is new. @param {import("./live.js").JobRow} job */
export function lengthOf(job) {
  if (!job.seconds) return say(`kind.${job.kind}`);
  return job.whole ? say("page.length_whole", { whole: job.whole.seconds, seconds: job.seconds }) : say("page.length", { seconds: job.seconds });
}

/** The frames of a job's video as they are looked at, thirty a second. @param {import("./live.js").JobRow} job */
export const framesOf = (job) => (job.whole ? Math.round(job.whole.seconds * FPS) : (job.frames ?? 0));

/** The number that such a frame has in the file, which may have another rate. @param {import("./live.js").JobRow} job @param {number} frame */
export function inFile(job, frame) {
  if (!job.whole) return frame;
  return Math.min(job.whole.frames - 1, Math.floor(((frame + 0.5) / FPS) * (job.whole.frames / job.whole.seconds)));
}

/**
 * A job's number, length, size, model and seed.
 * @param {import("./live.js").JobRow} job
 */
export function figures(job) {
  const parts = [`#${job.id}`, lengthOf(job), `${job.width} × ${job.height}`, modelName(job)];
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

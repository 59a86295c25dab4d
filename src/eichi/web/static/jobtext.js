// What is said of a job in a line, wherever jobs are listed.

import { number, pick, say } from "./words.js";

/**
 * A job's number, length, size, model and seed.
 * @param {import("./live.js").JobRow} job
 */
export function figures(job) {
  const length = job.seconds ? say("page.length", { seconds: job.seconds }) : say(`kind.${job.kind}`);
  const parts = [`#${job.id}`, length, `${job.width} × ${job.height}`, modelName(job)];
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

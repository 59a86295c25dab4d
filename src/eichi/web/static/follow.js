// Whether a job that is about to be changed still can be: it may start, end or be deleted meanwhile, by the queue or in
// another tab. Knows no form.

import { get } from "./api.js";
import { live } from "./live.js";

const OVER = new Set(["done", "stopped", "failed"]);

/**
 * Tell what becomes of a job, whenever something does.
 * @param {() => number | null} which the job, null for none
 * @param {(text: string) => void} tell is told the id of what keeps it from being changed, nothing where it can be
 * @returns {() => Promise<void>} asks now, where the stream may not have told yet
 */
export function follow(which, tell) {
  let turn = 0;
  const ask = async () => {
    const mine = ++turn, id = which();
    if (id === null) return;
    const found = await get(`jobs?id=${id}&limit=1`).catch(() => null); // a server that is away is said elsewhere
    if (found && mine === turn && id === which()) tell(kept(found.rows[0]));
  };
  live.addEventListener("jobs", (event) => {
    const { changed, removed } = /** @type {CustomEvent} */ (event).detail, id = which();
    if (changed.includes(id)) {
      turn++; // what was asked before is older
      tell(kept(live.jobs.get(id)));
    } else if (removed.includes(id)) ask(); // or it is only far behind the others
  });
  live.addEventListener("connected", () => live.connected && ask());
  return ask;
}

/** @param {import("./live.js").JobRow | undefined} job */
function kept(job) {
  if (!job) return "page.edit_deleted";
  if (job.actions.includes("edit")) return "";
  return OVER.has(job.status) ? "page.edit_over" : "page.edit_begun";
}

// A picture from a result: the first or the last frame of what was made lately.

import { address, post } from "./api.js";
import { open } from "./dialog.js";
import { button, el } from "./dom.js";
import { framesOf, inFile, titleOf } from "./jobtext.js";
import { live } from "./live.js";
import { saying } from "./toast.js";
import { say } from "./words.js";

const MOST = 24;

/**
 * Let a frame of a result be chosen for an option.
 * @param {import("./draft.js").Draft} draft
 * @param {string} key
 */
export function fromResult(draft, key) {
  const made = live.ended().filter((job) => job.status === "done" && (job.frames || job.kind === "frame")).slice(0, MOST);
  const take = async (job, number) => {
    const given = await saying(() => post(`jobs/${job.id}/frames/${number}`));
    if (!given) return;
    draft.set(key, given.id);
    close();
  };
  const rows = made.map((job) => {
    const first = shown(job, "first", () => take(job, 0));
    const last = framesOf(job) > 1 ? shown(job, "last", () => take(job, inFile(job, framesOf(job) - 1))) : null;
    return el("li", {}, el("p", { text: `#${job.id} · ${titleOf(job)}` }), el("div", { class: "row" }, first, last));
  });
  const content = rows.length ? el("ul", { class: "result-frames" }, ...rows) : el("p", { class: "none", text: say("page.no_results") });
  const close = open(content, { title: say("do.from_result"), class: "wide" });
}

/** @param {any} job @param {"first" | "last"} at @param {() => void} run */
function shown(job, at, run) {
  // The small picture of a video is of its last frame; what it began from is no frame of it.
  const picture = at === "last" || framesOf(job) <= 1 ? address(`jobs/${job.id}/thumb.webp?at=last`) : address(`jobs/${job.id}/frames/0.png`);
  const node = button("", say(`page.frame_${at}`), run, { class: "frame" });
  node.prepend(el("img", { src: picture, alt: "", loading: "lazy" }));
  return node;
}

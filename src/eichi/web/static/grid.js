// The results of a batch side by side, with what tells them apart along the sides.

import { address } from "./api.js";
import { el } from "./dom.js";
import { open } from "./dialog.js";
import { language, say } from "./words.js";

/** Show the batch of a job. @param {import("./live.js").JobRow} job */
export function showGrid(job) {
  const from = (ending) => address(`batches/${job.batch}/grid.${ending}?language=${language()}`);
  const picture = el("img", { src: from("png"), alt: say("batch.grid"), class: "still" }), wrong = el("p", { class: "wrong", role: "alert", hidden: true });
  picture.addEventListener("error", () => {
    picture.hidden = true;
    wrong.hidden = false;
    wrong.textContent = say("error.grid.nothing");
  });
  const clip = /** @type {any} */ (job.kind === "frame" ? null : document.createElement("clip-viewer"));
  const save = ["png", ...(clip ? ["mp4"] : [])].map((ending) => el("a", { class: "button", href: from(ending), download: `grid_${job.batch}.${ending}`, text: `${say("do.download")} (${ending.toUpperCase()})` }));
  open(el("div", { class: "stack" }, picture, wrong, clip, el("div", { class: "row" }, ...save)), { title: say("batch.grid"), class: "wide" });
  clip?.show(from("mp4"), 0, { label: say("batch.grid") });
}

// The results of a batch side by side, with what tells them apart along the sides. As long as some are still to come, it
// is drawn anew with each that is done.

import { address, get } from "./api.js";
import { el } from "./dom.js";
import { open } from "./dialog.js";
import { live } from "./live.js";
import { more, tell } from "./more.js";
import { language, say } from "./words.js";
import "./viewer.js";

const WAIT = 500; // milliseconds after a job has ended
const OVER = new Set(["done", "stopped", "failed"]);

/** Show the batch of a job. @param {import("./live.js").JobRow} job */
export function showGrid(job) {
  const said = el("p", { class: "soft", role: "status", text: say("batch.making") }), notes = el("ul", { class: "notes" });
  const wrong = el("p", { class: "wrong", role: "alert", hidden: true }), sheet = el("div", { class: "stack" });
  const path = `batches/${job.batch}/grid`, query = `language=${language()}`;
  let seen = "", timer = 0;
  const draw = async () => {
    let told;
    try {
      told = await get(`${path}?${query}`);
    } catch (error) {
      said.textContent = "";
      tell(wrong, error.message, error.id);
      wrong.hidden = false;
      return;
    }
    wrong.hidden = true;
    said.textContent = told.done < told.jobs ? say("batch.done_of", told) : "";
    notes.replaceChildren(...told.notes.map((text, at) => el("li", {}, text, " ", more(told.note_ids[at]))));
    if (told.mark !== seen) show(sheet, (ending) => address(`${path}.${ending}?${query}&v=${told.mark}`), job, told.played);
    seen = told.mark;
  };
  const heard = (event) => {
    const rows = event.detail.changed.map((/** @type {number} */ id) => live.jobs.get(id));
    if (!rows.some((row) => row?.batch === job.batch && OVER.has(row.status))) return;
    clearTimeout(timer);
    timer = setTimeout(draw, WAIT);
  };
  live.addEventListener("jobs", heard);
  open(el("div", { class: "stack" }, said, wrong, sheet, notes), {
    title: say("batch.grid"),
    class: "wide",
    closed: () => {
      clearTimeout(timer);
      live.removeEventListener("jobs", heard);
    },
  });
  draw();
}

/** The picture, the video where there is one, and both to be had. @param {HTMLElement} sheet @param {(ending: string) => string} from @param {import("./live.js").JobRow} job @param {boolean} played */
function show(sheet, from, job, played) {
  const clip = /** @type {any} */ (played ? document.createElement("clip-viewer") : null);
  const save = ["png", ...(clip ? ["mp4"] : [])].map((ending) => el("a", { class: "button", href: from(ending), download: `grid_${job.batch}.${ending}`, text: `${say("do.download")} (${ending.toUpperCase()})` }));
  const whole = el("a", { href: from("png"), target: "_blank", title: say("batch.whole"), class: "whole" }, el("img", { src: from("png"), alt: `${say("batch.grid")} – ${say("batch.whole")}`, class: "still" }));
  sheet.replaceChildren(whole, ...(clip ? [clip] : []), el("div", { class: "row" }, ...save));
  clip?.show(from("mp4"), 0, { label: say("batch.grid") });
}

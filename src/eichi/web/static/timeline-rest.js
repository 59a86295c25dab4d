// What lies on a section that the video does not have: it stays, says so, and can be dropped or moved.

import { button, el } from "./dom.js";
import { say } from "./words.js";

/** @typedef {{place: import("./timeline-items.js").Place, kind: import("./timeline-items.js").Kind, name: string, url: string, text: string, said: string, problem: string}} Lost */

/**
 * @param {Lost} lost
 * @param {{move: () => void, remove: () => void}} act
 * @returns {HTMLElement}
 */
export function makeRest(lost, act) {
  const what = lost.kind === "picture" ? el("img", { alt: "", draggable: "false" }) : el("span", { class: "said" });
  const node = el("li", { draggable: "true", dataset: { lost: String(lost.place), kind: lost.kind } }, what, el("p", {}, el("b"), el("span", { class: "wrong" })));
  node.append(button("right", say("timeline.elsewhere"), act.move, { class: "move" }), button("trash", "", act.remove, { quiet: true, class: "drop" }));
  return node;
}

/** @param {HTMLElement} node @param {Lost} lost */
export function fillRest(node, lost) {
  const picture = /** @type {HTMLImageElement | null} */ (node.querySelector("img"));
  if (picture && picture.getAttribute("src") !== lost.url) picture.src = lost.url;
  write(node, ".said", lost.text);
  write(node, "b", lost.said);
  write(node, ".wrong", lost.problem);
  write(node, ".move span", say("timeline.elsewhere"));
  const label = say(lost.kind === "picture" ? "timeline.remove_picture" : "timeline.remove_prompt"), drop = node.querySelector(".drop");
  drop?.setAttribute("aria-label", `${label} · ${lost.name}`);
  drop?.setAttribute("title", label);
}

/** @param {HTMLElement} node @param {string} part @param {string} text */
function write(node, part, text) {
  const one = node.querySelector(part);
  if (one && one.textContent !== text) one.textContent = text;
}

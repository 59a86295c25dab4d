// The pieces of the common prompt as bars on the axis of seconds, above the sections that take them: drawn while one
// types, each with the room that its tokens take.

import { el, sync } from "./dom.js";
import { read } from "./timeline-edit.js";
import { say } from "./words.js";

const FPS = 30; // frames a second

/** A lane without any pieces. @returns {HTMLElement} */
export const makePieces = () => el("ol", { class: "pieces", hidden: true });

/**
 * The pieces of a plan, in the order that they are written; those that begin behind its end are told elsewhere.
 * @param {any} plan
 * @returns {{at: number, start: number, end: number, text: string, sections: number[]}[]}
 */
function piecesOf(plan) {
  const seconds = (plan?.frames ?? 0) / FPS, all = plan?.pieces ?? [];
  const found = all.map(({ start, end, text, sections }, at) => ({ at, start, end: Math.min(end, seconds), text, sections }));
  return found.filter((/** @type {any} */ piece) => piece.start < seconds);
}

/**
 * Show the pieces of a plan.
 * @param {HTMLElement} lane
 * @param {import("./timeline-shown.js").State} state
 */
export function drawPieces(lane, { plan, tokens }) {
  const seconds = (plan?.frames ?? 0) / FPS, pieces = piecesOf(plan);
  lane.hidden = !pieces.length;
  lane.setAttribute("aria-label", say("timeline.pieces"));
  sync(lane, pieces, (piece) => piece.at, make, (node, piece) => fill(node, piece, seconds, tokens[`pieces.${piece.at}`]));
}

/** @returns {HTMLElement} */
const make = () => el("li", {}, el("b"), el("span", { class: "bar", hidden: true }, el("i")));

/** @param {HTMLElement} node @param {any} piece @param {number} seconds of the video @param {any} tokens */
function fill(node, piece, seconds, tokens) {
  const text = /** @type {HTMLElement} */ (node.firstElementChild), bar = /** @type {HTMLElement} */ (node.lastElementChild);
  const said = piece.text || say("timeline.common"), times = say("timeline.times", { start: piece.start, end: piece.end });
  node.style.left = `${(100 * piece.start) / seconds}%`;
  node.style.width = `${(100 * (piece.end - piece.start)) / seconds}%`;
  node.style.zIndex = String(Math.round(10 * piece.start)); // the later one counts
  node.classList.toggle("unused", !piece.sections.length);
  if (text.textContent !== said) text.textContent = said;
  const used = tokens?.llama?.limit ? tokens.llama.used / tokens.llama.limit : undefined;
  bar.hidden = used === undefined;
  bar.classList.toggle("over-limit", (used ?? 0) > 1);
  /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${Math.min(100, 100 * (used ?? 0))}%`;
  node.title = [times, said, tokens ? read(tokens) : ""].filter(Boolean).join(" · ");
  node.setAttribute("aria-label", node.title);
}

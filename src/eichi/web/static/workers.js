// Who works for the queue: machines, their cards, what each holds and does. Asked for while somebody looks.

import { get } from "./api.js";
import { el, find, sync } from "./dom.js";
import { live } from "./live.js";
import { number, pick, say } from "./words.js";

const AGAIN = 5000; // milliseconds between two questions
const box = find("#workers"), list = find("#worker-list");
/** @type {any[]} */
let found = [];
let timer = 0;

/** A worker's line. @param {any} one */
function doing(one) {
  const parts = [];
  if (one.holds) parts.push(say("workers.holds", { model: pick(`choice.model.${one.holds.replaceAll("-", "_")}`, one.holds) }));
  parts.push(one.job !== null ? say("workers.job", { job: one.job }) : one.message || say("workers.idle"));
  return parts.join(" · ");
}

/** What a worker has. @param {any} one */
function place(one) {
  const parts = [one.node, one.card ?? one.device];
  if (one.memory_gib !== null) parts.push(say("workers.memory", { memory: number(Math.round(one.memory_gib * 10) / 10) }));
  return parts.join(" · ");
}

function show() {
  box.hidden = !found.length;
  sync(list, found, (one) => one.runner, () => el("li", {}, el("b"), el("span", { class: "soft" })), (node, one) => {
    find("b", node).textContent = place(one);
    find("span", node).textContent = doing(one);
    node.classList.toggle("active", one.job !== null);
  });
}

async function look() {
  clearTimeout(timer);
  timer = setTimeout(look, AGAIN);
  if (document.hidden || !live.connected) return;
  try {
    found = (await get("workers")).workers;
  } catch {
    return; // the page says by itself that the server does not answer
  }
  show();
}

document.addEventListener("visibilitychange", () => document.hidden || look());
document.addEventListener("words", show);
look();

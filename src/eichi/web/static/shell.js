// What is on every place: language, colours, the queue's badge, whether the program answers, last drafts, keys.

import { draft, lastDrafts } from "./draft.js";
import { open } from "./dialog.js";
import { button, el, find } from "./dom.js";
import { help, key } from "./keys.js";
import { watch } from "./alarm.js";
import { live } from "./live.js";
import { shared } from "./storage.js";
import { toast } from "./toast.js";
import { language, learn, say, speak, when } from "./words.js";

const SCHEME = "eichi.scheme";

/**
 * Begin a place: words, then what changes by itself. Nothing on it can be used before it has its values.
 * @param {() => unknown} [show] builds what the place shows, once there are words
 */
export async function begin(show = () => {}) {
  dress(shared.getItem(SCHEME));
  center();
  const tongue = find("#language");
  tongue.value = language();
  tongue.addEventListener("change", () => speak(tongue.value).catch(() => {
    tongue.value = language(); // its words did not come
    toast(say("page.unanswered"), { kind: "problem" });
  }));
  find("#scheme").addEventListener("click", turn);
  find("#keys").addEventListener("click", help);
  find("#drafts").addEventListener("click", showDrafts);
  key("?", "", help);
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => stray(/** @type {DragEvent} */ (event)));
  live.addEventListener("jobs", badge);
  live.addEventListener("connected", connection);
  document.addEventListener("unkept", () => toast(say("page.unkept"), { kind: "problem" }), { once: true });
  await learn();
  await show();
  watch();
  live.start();
  find("#main").inert = false;
  document.body.dataset.ready = "1";
}

/** A file that falls where nothing takes it is not opened in place of the page. @param {DragEvent} event */
function stray(event) {
  if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}

/** Light, dark, or as the system has it. */
function turn() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches, now = document.documentElement.dataset.scheme;
  const next = now ? null : dark ? "light" : "dark";
  if (next) shared.setItem(SCHEME, next);
  else shared.removeItem(SCHEME);
  dress(next);
}

/** @param {string | null} scheme */
function dress(scheme) {
  if (scheme) document.documentElement.dataset.scheme = scheme;
  else delete document.documentElement.dataset.scheme;
}

/** How many jobs are to come or being made. */
function badge() {
  const count = live.total + live.active().filter((job) => !live.order.includes(job.id)).length;
  const node = find("#queue-count");
  if (node.textContent === String(count)) return;
  node.hidden = !count;
  node.textContent = String(count);
  center(); // the link of this place may have been moved out of sight
}

/** Show the link of this place where not all of them have room, without moving the page. */
function center() {
  const here = find("nav [aria-current]"), nav = here.parentElement;
  const [link, whole] = [here, nav].map((node) => node.getBoundingClientRect());
  nav.scrollLeft += link.left + link.width / 2 - whole.left - whole.width / 2;
}

function connection() {
  find("#lost").hidden = live.connected;
}

/** Drafts of other tabs, closed or not, to begin with. */
function showDrafts() {
  const rows = lastDrafts().map((one) => {
    const text = one.values.prompt || say("page.no_prompt"), kind = say(`kind.${one.kind}`);
    const take = button("", say("do.use_draft"), () => {
      draft(one.kind).replace(one.values, { undo: "undo.draft" });
      location.href = `/${language()}/${one.kind === "frame" ? "frame" : "create"}`;
    });
    return el("li", {}, el("p", { text }), el("small", { text: `${kind} · ${when(one.time / 1000)}` }), take);
  });
  const content = rows.length ? el("ul", { class: "drafts" }, ...rows) : el("p", { class: "none", text: say("page.no_drafts") });
  open(content, { title: say("page.drafts") });
}

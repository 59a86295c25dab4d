// A video that there is, finished: what it comes to is said while one chooses, one frame can be looked at before.

import { Refused, get, isId, post, put } from "./api.js";
import { el, find, findAll } from "./dom.js";
import { draft } from "./draft.js";
import { follow } from "./follow.js";
import { bind, mark, reveal } from "./form.js";
import { key } from "./keys.js";
import { live } from "./live.js";
import { more, tell } from "./more.js";
import { droppable } from "./picture.js";
import { fileOf } from "./jobtext.js";
import { placeUrl } from "./results.js";
import { begin } from "./shell.js";
import { saying, toast } from "./toast.js";
import { offerUpscalers } from "./upscalers.js";
import { figure, number, say } from "./words.js";
import "./filedrop.js";
import "./stage.js";

const WAIT = 250; // milliseconds after the last change
const form = find("#form"), mine = draft("finish"), picture = find("#glimpse"), second = find("#second");
let turn = 0, timer = 0, shown = "";
/** The option that the problem is about. @type {string | null} */
let wrong = null;
/** The job that is changed, null for a new one. @type {number | null} */
let edited = null;
/** The id of what keeps it from being changed, nothing where it can be. */
let lost = "";
const ask = follow(() => edited, (text) => {
  lost = text;
  editing();
});

/** The request of the draft. */
const asked = () => mine.options();

/** Say what the chain comes to, or what is wrong with it. */
async function plan() {
  const mark_ = ++turn, ready = Boolean(mine.get("video"));
  find("#start").disabled = find("#look").disabled = !ready;
  if (!ready) return told(say("finish.empty"), [], []);
  try {
    const made = await post("plan/finish", asked());
    if (mark_ !== turn) return;
    const line = say("finish.line", { width: made.width, height: made.height, seconds: number(made.seconds, 2), frames: made.frames, rate: number(made.rate) });
    second.dataset.high = String(Math.max(0, made.seconds));
    told(line, made.notes, []);
  } catch (error) {
    if (mark_ !== turn || !(error instanceof Refused)) return;
    told("", [], [error]);
  }
}

/**
 * @param {string} line
 * @param {{id: string, values: Record<string, any>}[]} notes
 * @param {{id?: string, key?: string | null, message: string}[]} problems
 */
function told(line, notes, problems) {
  mark(form, problems);
  find("#line").textContent = line;
  find("#line").hidden = !line;
  find("#notes").replaceChildren(...notes.map((note) => el("li", {}, say(note.id, note.values), " ", more(note.id))));
  const [first] = problems, problem = find("#problem");
  tell(problem.firstElementChild, first?.message, first?.id);
  problem.hidden = !first;
  wrong = first?.key ?? null;
  find("#problem-go").hidden = !wrong;
  if (first) find("#start").disabled = find("#look").disabled = true;
}

/** One frame as it will be. */
async function look() {
  const go = find("#look");
  go.disabled = true;
  find("#looking").hidden = false;
  const at = figure(second.value || "0");
  const made = await saying(() => post("finish/frame.png", { options: asked(), second: Number.isFinite(at) ? at : 0 }));
  go.disabled = !mine.get("video");
  find("#looking").hidden = true;
  if (!made) return;
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(made);
  picture.src = shown;
  picture.hidden = false;
  old(false);
}

/** The frame that is shown is of other settings than those that stand there now. @param {boolean} is */
function old(is) {
  picture.classList.toggle("old", is);
  find("#old").hidden = !is || picture.hidden;
}

/** Add the job, or change it; a press while that is asked, or while something is wrong, does nothing. */
async function start() {
  const go = find("#start");
  if (go.disabled) return;
  go.disabled = true;
  const saved = edited !== null && !lost; // as it was offered, whatever is told meanwhile
  const made = await saying(() => (saved ? put(`jobs/${edited}`, asked()) : post("jobs/finish", asked())));
  go.disabled = false;
  if (!made) return saved ? ask() : undefined; // it may have been too late
  document.dispatchEvent(new CustomEvent("started", { detail: { jobs: [made.id] } }));
  if (saved) return void (location.href = placeUrl("queue"));
  if (matchMedia("(max-width: 900px)").matches) find("job-stage").scrollIntoView({ block: "start" });
  toast(say("page.queued", { first: made.id, count: 1 }), { action: { text: say("place.queue"), run: () => (location.href = placeUrl("queue")) } });
  edited = null;
  lost = "";
  editing();
}

/** Say that a job is changed, where one is, and what keeps it from that. */
function editing() {
  const banner = find("#editing"), text = edited === null ? "" : say(lost || "page.editing", { job: edited });
  banner.hidden = edited === null;
  banner.classList.toggle("missed", Boolean(lost));
  if (banner.textContent !== text) banner.textContent = text; // what is written anew is read out again
  find("#start span").textContent = say(edited === null || lost ? "do.finish" : "do.save");
}

/** What the address asks for: the result of a job to finish, the settings of a job again, a job to change. */
async function arrive() {
  const query = new URLSearchParams(location.search), of = query.get("job"), again = query.get("use") ?? query.get("edit");
  history.replaceState(null, "", location.pathname);
  if (again && /^[1-9]\d*$/.test(again)) {
    const job = await saying(() => get(`jobs/${again}`));
    if (job?.request && job.kind === "finish") {
      if (mine.replace(flattened(job.request), { undo: "undo.used" })) toast(say("undo.used"), { undo: mine.back() });
      edited = query.has("edit") ? job.id : null;
    }
  } else if (of && /^[1-9]\d*$/.test(of)) {
    const row = live.jobs.get(Number(of)) ?? (await saying(() => get(`jobs?id=${of}&limit=1`)))?.rows?.[0];
    const name = row ? fileOf(row) : "";
    const id = `job:${of}/${name}`;
    if (name && isId(id)) mine.change((values) => (values.video = id), { undo: "undo.taken" });
  }
}

/** A request as a draft keeps it. @param {any} request */
function flattened(request) {
  const values = /** @type {Record<string, any>} */ ({ video: request.video });
  for (const one of findAll(".field[data-key]", form)) {
    const key = one.dataset.key, value = request.finish[key.replace("finish.", "")];
    if (key.startsWith("finish.") && JSON.stringify(value ?? null) !== one.dataset.default) values[key] = value;
  }
  return values;
}

/** The settings that a video was finished with before, where they are others than those that stand there. */
async function offer() {
  const video = mine.get("video");
  if (!video) return;
  const told = await get(`finish/settings?video=${encodeURIComponent(video)}`).catch(() => null); // the plan says what is wrong with it
  if (!told?.finish || mine.get("video") !== video) return;
  const values = flattened({ video, finish: told.finish }), now = mine.values;
  if (Object.keys({ ...values, ...now }).every((key) => JSON.stringify(values[key] ?? null) === JSON.stringify(now[key] ?? null))) return;
  const use = () => mine.replace(values, { undo: "undo.settings" }) && toast(say("undo.settings"), { undo: mine.back() });
  toast(say("finish.settings"), { said: told, action: { text: say("do.use"), run: use } });
}

mine.addEventListener("change", (event) => {
  if (/** @type {CustomEvent} */ (event).detail.keys.includes("video")) void offer();
  clearTimeout(timer);
  timer = setTimeout(plan, WAIT);
  old(true);
});
key("Ctrl+Enter", "do.finish", start);
// A video that falls beside its place is meant for it, too.
const beside = (/** @type {DragEvent} */ event) => Boolean(event.dataTransfer?.types.includes("Files")) && !/** @type {HTMLElement} */ (event.target).closest?.("file-drop");
droppable(find("main"), (transfer) => find("file-drop").take(transfer.files[0]), beside);
find("#start").addEventListener("click", start);
find("#look").addEventListener("click", look);
find("#problem-go").addEventListener("click", () => reveal(wrong));
find("#clear").addEventListener("click", () => {
  const video = mine.get("video");
  if (mine.replace(video ? { video } : {}, { undo: "undo.cleared" })) toast(say("undo.cleared"), { undo: mine.back() });
});
document.addEventListener("words", () => {
  editing();
  void plan();
});
await begin(async () => {
  await offerUpscalers();
  bind(form, mine);
  await arrive();
  editing();
  await plan();
});

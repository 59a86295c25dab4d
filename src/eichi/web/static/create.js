// Create: the form, what it comes to, and Generate.

import { draft as draftOf, flat } from "./draft.js";
import { menu } from "./dialog.js";
import { find, findAll } from "./dom.js";
import { bind } from "./form.js";
import { key, shown } from "./keys.js";
import { get, post, save } from "./api.js";
import { begin } from "./shell.js";
import { batch } from "./batch.js";
import { kept, loras } from "./chosen.js";
import { fromResult } from "./frames.js";
import { pictureOf } from "./picture.js";
import { plan, request } from "./plan.js";
import { shelf, startUp } from "./shelf.js";
import { figures, Models } from "./sizes.js";
import { edit, starting } from "./start.js";
import { takeAnywhere } from "./take.js";
import { saying, toast } from "./toast.js";
import { say } from "./words.js";
import "./latest.js";
import "./stage.js";
import "./timeline.js";

const draft = draftOf("video"), TYPING = "input:not([type=checkbox], [type=radio], [type=range], [type=file]), textarea, select";
const facts = JSON.parse(find("#facts").textContent), fields = find("#fields");

/** Whether somebody is typing. */
const typing = () => Boolean(document.activeElement?.matches(TYPING));

/** Go back by one step, and say so. */
function undo() {
  toast(say(draft.undo() ? "undo.done" : "undo.nothing"));
}

/**
 * Change the draft in a way that can be had back.
 * @param {(values: Record<string, any>) => void} mutate
 * @param {string} text the id of what was done
 */
function change(mutate, text) {
  draft.change(mutate, { undo: text });
  toast(say(text), { undo: () => draft.undo() });
}

/**
 * What a draft is of nested options, as a file or a job has them: only what is not as by default, and the kind of model.
 * @param {Record<string, any>} nested
 * @param {Models} models
 */
function drafted(nested, models) {
  const values = flat(nested);
  for (const [name, value] of Object.entries(values)) {
    if (JSON.stringify(value) === JSON.stringify(facts.defaults[name] ?? null)) delete values[name];
  }
  if (models.direction(values.model ?? "tiny") === "forward") values["page.direction"] = "forward";
  return values;
}

/** Pictures: from results, swapped, pasted. */
function pictures() {
  find("#from-result").addEventListener("click", () => fromResult(draft, "image"));
  find("#swap").addEventListener("click", () => {
    change((values) => {
      const first = values.image;
      values.image = values["keyframes.final"];
      values["keyframes.final"] = first;
    }, "undo.swapped");
  });
  const show = () => {
    const standard = draft.get("page.direction", "reverse") === "reverse";
    find("#swap").hidden = !(standard && draft.get("keyframes.final"));
  };
  draft.addEventListener("change", show);
  show();
  document.addEventListener("paste", (event) => {
    if (typing() || document.querySelector("dialog[open]") || !event.clipboardData?.files.length) return;
    event.preventDefault();
    find('picture-drop[name="image"]').take(pictureOf(event.clipboardData));
  });
}

/** Advice sets what it speaks of. */
function advice() {
  fields.addEventListener("click", (event) => {
    const { set, value, example } = /** @type {HTMLElement} */ (event.target).dataset ?? {};
    if (set) change((values) => (values[set] = Number(value) === facts.defaults[set] ? null : Number(value)), "undo.advice");
    if (example) change((values) => (values.prompt = example), "undo.prompt");
  });
  document.addEventListener("words", () => {
    for (const node of findAll("[data-plain]")) node.textContent = node.textContent.replaceAll("`", "");
  });
}

/** What is not needed each time. */
function more() {
  menu(find("#more"), () => [
    { text: say("keep.archive"), icon: "save", run: archive },
    { text: say("do.clear_all"), icon: "trash", run: () => {
      draft.replace({}, { undo: "undo.cleared" });
      toast(say("undo.cleared"), { undo: () => draft.undo() });
    } },
  ]);
}

async function archive() {
  const blob = await saying(() => post("archive", request(draft).options));
  if (blob) save(blob, "sections.zip");
}

/**
 * What the address asks for: a job's options again, a waiting job to change, a picture or latents to begin with.
 * @param {Models} models
 */
async function asked(models) {
  const query = new URLSearchParams(location.search);
  if (!query.size) return false;
  history.replaceState(history.state, "", location.pathname);
  const id = Number(query.get("use")), changed = Number(query.get("edit"));
  if (changed) await edit(draft, changed, (nested) => drafted(nested, models));
  if (id) {
    await saying(async () => {
      const read = await get(`jobs/${id}/options?seed=${query.get("seed") === "new" ? "new" : "same"}`);
      draft.replace(drafted(read.options, models), { undo: "undo.used" });
      toast([say("undo.used"), ...read.notes].join(" "), { undo: () => draft.undo() });
    });
  }
  for (const [name, option] of Object.entries({ image: "image", final: "keyframes.final", latents: "kept.latents" })) {
    if (query.get(name)) change((values) => (values[option] = query.get(name)), "undo.taken");
  }
  return true;
}

await begin(async () => {
  const models = new Models(draft);
  await models.learn();
  bind(fields, draft);
  models.show();
  figures(draft, facts.lengths);
  pictures();
  advice();
  more();
  kept(draft, change);
  batch(draft);
  shelf(draft, change, (nested) => drafted(nested, models));
  takeAnywhere(draft, (nested) => drafted(nested, models), change);
  const start = starting(draft);
  key("Ctrl+Enter", "do.start", start);
  key("Ctrl+Z", "do.undo", undo, () => !typing());
  find("#start kbd").textContent = shown("Ctrl+Enter").replace("+", " ");
  if (!(await asked(models)) && !Object.keys(draft.values).length) await startUp(draft, models);
  await loras(draft, change);
  plan(draft);
});

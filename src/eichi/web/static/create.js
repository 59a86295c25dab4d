// Create: the form, what it comes to, and Generate.

import { Asking, typing } from "./asking.js";
import { post, save } from "./api.js";
import { batch } from "./batch.js";
import { kept, loras } from "./chosen.js";
import { menu } from "./dialog.js";
import { find, findAll } from "./dom.js";
import { draft as draftOf } from "./draft.js";
import { bind } from "./form.js";
import { fromResult } from "./frames.js";
import { key, shown } from "./keys.js";
import { plan, request } from "./plan.js";
import { shelf, startUp } from "./shelf.js";
import { begin } from "./shell.js";
import { figures, Models } from "./sizes.js";
import { starting } from "./start.js";
import { takeAnywhere } from "./take.js";
import { saying } from "./toast.js";
import { offerUpscalers } from "./upscalers.js";
import { number, pick, say } from "./words.js";
import "./filedrop.js";
import "./latest.js";
import "./picture.js";
import "./stage.js";
import "./timeline.js";

const draft = draftOf("video"), facts = JSON.parse(find("#facts").textContent), fields = find("#fields");
const GIVEN = { image: "image", final: "keyframes.final", latents: "kept.latents", video: "source.before" }; // what an address can bring

/** Pictures from results, and the two of them swapped. @param {Asking} form */
function pictures(form) {
  find("#from-result").addEventListener("click", () => fromResult(draft, "image"));
  find("#swap").addEventListener("click", () => {
    form.change((values) => {
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
}

/** What is set of keyframes: also what stands on the timeline; a picture only by the name of its place. */
function keyframes() {
  const group = find('[data-group="keyframes"]'), said = find(".set", group);
  const counted = (/** @type {string} */ key) => {
    const all = Object.values(draft.get(key) ?? {}).filter((one) => one.trim()).length;
    return all ? `${say(`label.${key}`)} ${number(all)}` : "";
  };
  const told = (/** @type {HTMLElement} */ field) => {
    const value = draft.get(field.dataset.key), label = say(field.dataset.label);
    if (field.hidden || value === null) return "";
    if ("picture" in field.dataset) return label;
    if (typeof value === "boolean") return `${label}: ${say(value ? "value.on" : "value.off")}`;
    return `${label} ${typeof value === "number" ? number(value) : pick(`choice.${field.dataset.name}.${value}`, value)}`;
  };
  const show = () => {
    const pictured = draft.get("page.direction", "reverse") === "reverse" ? counted("keyframes.sections") : "";
    const all = [...findAll(".field[data-key]", group).map(told), pictured, counted("keyframes.prompts")];
    said.textContent = all.filter(Boolean).join(" · ");
  };
  draft.addEventListener("change", show);
  document.addEventListener("words", show);
  show();
}

/** The sections of the draft as a file. */
async function archive() {
  const blob = await saying(() => post("archive", request(draft).options));
  if (blob) save(blob, "sections.zip");
}

await begin(async () => {
  void offerUpscalers();
  const models = new Models(draft), form = new Asking(draft, facts, models);
  await models.learn();
  bind(fields, draft);
  models.show();
  figures(draft, facts.lengths);
  pictures(form);
  keyframes();
  form.advice(fields);
  menu(find("#more"), () => [
    { text: say("keep.archive"), icon: "save", run: archive },
    { text: say("do.clear_all"), icon: "trash", run: () => form.clear() },
  ]);
  kept(draft, form.change);
  batch(draft);
  shelf(draft, form.change, form.drafted);
  const start = starting(draft);
  key("Ctrl+Enter", "do.start", start);
  key("Ctrl+Z", "do.undo", () => form.undo(), () => !typing());
  find("#start kbd").textContent = shown("Ctrl+Enter").replace("+", " ");
  if (!(await form.asked(GIVEN)) && !Object.keys(draft.values).length) await startUp(draft, models);
  await loras(draft, form.change);
  form.paste("image"); // what comes from outside does not come before the values that it is put among
  takeAnywhere(draft, form.drafted, form.change);
  plan(draft);
});

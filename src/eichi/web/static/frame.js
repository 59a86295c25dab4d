// One frame: its picture with a mask, references, positions, what it comes to, and Generate.

import { Asking, typing } from "./asking.js";
import { batch } from "./batch.js";
import { loras } from "./chosen.js";
import { menu } from "./dialog.js";
import { find } from "./dom.js";
import { draft as draftOf } from "./draft.js";
import { bind } from "./form.js";
import { fromResult } from "./frames.js";
import { key, shown } from "./keys.js";
import { changed, paint } from "./painter.js";
import { plan } from "./plan.js";
import { references } from "./references.js";
import { begin } from "./shell.js";
import { shelf, startUp } from "./shelf.js";
import { figures, Models } from "./sizes.js";
import { starting } from "./start.js";
import { takeAnywhere } from "./take.js";
import { toast } from "./toast.js";
import { say } from "./words.js";
import "./latest.js";
import "./picture.js";
import "./stage.js";

const draft = draftOf("frame"), fields = find("#fields");

/** The mask of the start image. @param {Asking} form */
function mask(form) {
  const node = find("#image-mask");
  const show = () => {
    node.hidden = !draft.get("image");
    node.textContent = say(draft.get("mask") ? "single.edit_mask" : "single.paint_mask");
  };
  node.addEventListener("click", async () => {
    const painted = await paint(draft.get("image"), draft.get("mask"));
    if (painted !== undefined && painted !== draft.get("mask")) form.change((values) => (values.mask = painted), changed(painted));
  });
  draft.addEventListener("change", (event) => {
    const { lost } = /** @type {CustomEvent} */ (event).detail;
    if (lost.includes("mask") && draft.get("image")) toast(say("undo.mask_lost"), { undo: draft.back() });
    show();
  });
  document.addEventListener("words", show);
  show();
}

await begin(async () => {
  const models = new Models(draft), form = new Asking(draft, JSON.parse(find("#facts").textContent), models);
  await models.learn();
  bind(fields, draft);
  models.show();
  figures(draft, {});
  form.advice(fields);
  mask(form);
  references(form);
  batch(draft);
  shelf(draft, form.change, form.drafted);
  find("#from-result").addEventListener("click", () => fromResult(draft, "image"));
  menu(find("#more"), () => [{ text: say("do.clear_all"), icon: "trash", run: () => form.clear() }]);
  const start = starting(draft);
  key("Ctrl+Enter", "do.start", start);
  key("Ctrl+Z", "do.undo", () => form.undo(), () => !typing());
  find("#start kbd").textContent = shown("Ctrl+Enter").replace("+", " ");
  if (!(await form.asked({ image: "image" })) && !Object.keys(draft.values).length) await startUp(draft, models);
  await loras(draft, form.change);
  form.paste("image"); // what comes from outside does not come before the values that it is put among
  takeAnywhere(draft, form.drafted, form.change);
  plan(draft);
});

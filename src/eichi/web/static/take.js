// Files that are dropped or chosen anywhere: settings of results and other programs, pictures, archives, favourites.

import { upload } from "./api.js";
import { el, find } from "./dom.js";
import { isVideo } from "./picture.js";
import { request, used } from "./plan.js";
import { toast } from "./toast.js";
import { language, say } from "./words.js";

/** @typedef {(mutate: (values: Record<string, any>) => void, text: string) => void} Change */

/**
 * Take what is dropped outside a place for pictures, and what is chosen with the button.
 * @param {import("./draft.js").Draft} draft
 * @param {(nested: any) => Record<string, any>} drafted a draft of nested options
 * @param {Change} change
 */
export function takeAnywhere(draft, drafted, change) {
  const input = find("#take-file");
  find("#take").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take(draft, input.files[0], drafted, change);
    input.value = "";
  });
  const cover = el("div", { class: "cover", "aria-hidden": "true" }, el("p", { text: say("page.drop_anywhere") }));
  document.addEventListener("words", () => (cover.firstElementChild.textContent = say("page.drop_anywhere")));
  let depth = 0;
  const files = (event) => event.dataTransfer?.types.includes("Files");
  const leave = () => {
    depth = 0;
    cover.remove();
  };
  document.addEventListener("dragenter", (event) => {
    if (!files(event)) return;
    depth++;
    if (!cover.isConnected) document.body.append(cover);
  });
  document.addEventListener("dragleave", () => (depth = Math.max(0, depth - 1)) || leave());
  document.addEventListener("dragover", (event) => files(event) && event.preventDefault());
  document.addEventListener("drop", leave, true);
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    const [file, ...others] = event.dataTransfer.files;
    if (others.length) toast(say("page.first_only", { name: file.name }));
    take(draft, file, drafted, change);
  });
}

/**
 * Ask what a file is, and take what it gives. What it does not say stays as it is.
 * @param {import("./draft.js").Draft} draft
 * @param {File | undefined} file
 * @param {(nested: any) => Record<string, any>} drafted
 * @param {Change} change
 */
export async function take(draft, file, drafted, change) {
  if (!file) return;
  const done = toast(say("page.reading", { name: file.name }));
  let read;
  try {
    read = await upload(`read?kind=${draft.kind}`, file, { options: JSON.stringify(request(draft).options) });
  } catch (error) {
    if (error.status === undefined) throw error;
    const place = /** @type {any} */ (isVideo(file) ? document.querySelector('file-drop[name="source.before"]') : null);
    toast(error.message, { kind: "problem", id: error.id, ...(place && { action: { text: say("result.continue"), run: () => place.take(file) } }) });
    return;
  } finally {
    done();
  }
  const fill = (values) => read.options && fillFrom(draft, values, drafted(read.options), read.picture?.id);
  if (read.options && read.kind !== "latents") change(fill, "undo.settings");
  else if (read.kind === "picture") change((values) => (values.image = read.picture.id), "undo.image_taken");
  else if (read.kind === "latents") change((values) => {
    fill(values);
    values["kept.latents"] = read.ref.id;
  }, "undo.latents_taken");
  else if (read.kind === "lora") {
    document.dispatchEvent(new CustomEvent("loras"));
    toast(say("page.lora_taken", { name: read.ref.name }), { action: { text: say("place.loras"), run: () => (location.href = `/${language()}/loras`) } });
  } else if (read.kind === "favourites") toast(say("page.favourites_taken", { names: read.names.join(", ") }));
  if (read.notes.length) toast("", { said: read });
}

/** Options take the place of those of the draft; what it has for the other kind of model and for several jobs stays. */
function fillFrom(draft, values, taken, picture) {
  for (const key of Object.keys(values)) if (used(draft, key) && !key.startsWith("page.batch.")) delete values[key];
  Object.assign(values, taken);
  if (picture && !values.image) values.image = picture;
}

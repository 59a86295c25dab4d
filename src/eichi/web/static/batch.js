// Several jobs at once: how many, a list of prompts, pictures with texts beside them.

import { pictureUrl, upload } from "./api.js";
import { axes } from "./axes.js";
import { button, el, find, sync } from "./dom.js";
import { droppable } from "./picture.js";
import { axesOf } from "./plan.js";
import { say } from "./words.js";

const KEY = "page.batch.pictures", TEXT = /\.txt$/i;

/** @typedef {{id: string, name: string, prompt?: string}} Given */

/** What a file is called without its ending, however its letters are written. @param {string} name */
const stem = (name) => name.replace(/\.[^.]*$/, "").normalize("NFC").toLowerCase();

/**
 * Let several pictures be given, each with the text of the same name.
 * @param {import("./draft.js").Draft} draft
 */
export function batch(draft) {
  const input = find("#batch-files"), wrong = find("#batch-wrong");
  const take = async (files) => {
    const texts = new Map(), lost = [];
    for (const file of files.filter((one) => TEXT.test(one.name))) texts.set(stem(file.name), (await file.text()).trim());
    find("#batch-drop").classList.add("busy");
    for (const file of files.filter((one) => !TEXT.test(one.name))) {
      try {
        const { id } = await upload("pictures", file);
        draft.set(KEY, [...draft.get(KEY, []), { id, name: file.name }]);
      } catch (error) {
        lost.push(error.message);
      }
    }
    draft.change((values) => {
      // Texts that came after their pictures.
      for (const one of values[KEY] ?? []) if (texts.has(stem(one.name))) one.prompt = texts.get(stem(one.name));
    });
    find("#batch-drop").classList.remove("busy");
    wrong.textContent = lost.join(" ");
    wrong.hidden = !lost.length;
    input.value = "";
  };
  input.addEventListener("change", () => take([...input.files]));
  droppable(find("#batch-drop"), (transfer) => take([...transfer.files]));
  const show = () => {
    /** @type {Given[]} */
    const given = draft.get(KEY, []);
    sync(find("#batch-pictures"), given, (one) => one.id, (one) => row(draft, one), (node, one) => fill(node, one));
    const count = draft.get("page.batch.count"), lines = (draft.get("page.batch.prompts") ?? "").split("\n").filter((line) => line.trim()).length;
    find('[data-group="batch"] .set').textContent = [
      count > 1 ? `×${count}` : null,
      lines ? say("batch.lines", { count: lines }) : null,
      given.length ? say("batch.images", { count: given.length }) : null,
      axesOf(draft).length ? say("batch.grid") : null,
    ].filter(Boolean).join(" · ");
  };
  draft.addEventListener("change", show);
  document.addEventListener("words", show);
  axes(draft);
  show();
}

/** @param {import("./draft.js").Draft} draft @param {Given} one */
function row(draft, one) {
  const drop = () => draft.change((values) => {
    values[KEY] = values[KEY].filter((other) => other.id !== one.id);
    if (!values[KEY].length) delete values[KEY];
  });
  const image = el("img", { src: pictureUrl(one.id), alt: "", loading: "lazy" });
  return el("li", {}, image, el("span", { class: "grow" }, el("b", {}), el("small", {})), button("close", "", drop, { quiet: true }));
}

/** @param {HTMLElement} node @param {Given} one */
function fill(node, one) {
  const drop = find("button", node), name = say("do.remove_picture", { name: one.name });
  find("b", node).textContent = one.name;
  find("small", node).textContent = one.prompt ?? "";
  drop.setAttribute("aria-label", name);
  drop.title = name;
}

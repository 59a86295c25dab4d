// The reference pictures of a single frame, each with its history index and its mask, in the order in which they are fed.

import { isId, pictureUrl, upload } from "./api.js";
import { button, el, find, sync } from "./dom.js";
import { menu } from "./dialog.js";
import { tell } from "./more.js";
import { changed, paint } from "./painter.js";
import { droppable, KINDS } from "./picture.js";
import { figure, say } from "./words.js";

const KEY = "references", MOST = 8, HIGHEST = 64;

/** @typedef {{image: string, index?: number | null, mask?: string | null}} Reference */

/**
 * Let references be given, painted on, moved and removed.
 * @param {import("./asking.js").Asking} form
 */
export function references(form) {
  const { draft } = form, list = find("#references"), wrong = el("p", { class: "wrong", role: "alert", hidden: true });
  const all = () => /** @type {Reference[]} */ (draft.get(KEY, []));
  const put = (references, text) => {
    const mutate = (values) => (values[KEY] = references.length ? references : null);
    if (text) form.change(mutate, text);
    else draft.change(mutate);
  };
  const add = async (files, at = all().length) => {
    wrong.hidden = true;
    for (const file of files) {
      if (at >= MOST) {
        tell(wrong, say("single.most", { most: MOST }));
        wrong.hidden = false;
        return;
      }
      try {
        const { id } = await upload("pictures", file), now = all(), had = now[at];
        const one = had?.image === id ? had : { image: id, index: had?.index ?? null };
        put([...now.slice(0, at), one, ...now.slice(at + 1)], had?.mask && !one.mask ? "undo.mask_lost" : undefined);
        at++;
      } catch (error) {
        tell(wrong, error.message, error.id);
        wrong.hidden = false;
      }
    }
  };
  const show = () => {
    const rows = all().map((one, at) => Object.assign({ at }, one));
    sync(list, [...rows, ...(rows.length < MOST ? [null] : [])], (row) => (row ? `${row.at} ${row.image}` : "add"), (row) => (row ? make(row.at) : adder()), fill);
    if (!wrong.isConnected) list.after(wrong);
  };
  const adder = () => {
    const input = /** @type {HTMLInputElement} */ (el("input", { type: "file", accept: KINDS, multiple: true, class: "unseen" }));
    input.addEventListener("change", () => add([...(input.files ?? [])]).then(() => (input.value = "")));
    const node = el("li", { class: "adder" }, el("label", {}, el("span"), input));
    droppable(node, (transfer) => {
      const id = transfer.getData("application/x-eichi");
      if (isId(id) && all().length < MOST) put([...all(), { image: id }]);
      else add([...transfer.files]);
    });
    return node;
  };
  const make = (at) => {
    const index = /** @type {HTMLInputElement} */ (el("input", { type: "text", inputmode: "numeric", autocomplete: "off" }));
    index.addEventListener("input", () => {
      const text = index.value.trim(), value = text === "" ? null : figure(text);
      put(all().map((one, n) => ({ image: one.image, mask: one.mask ?? null, index: n === at ? (Number.isFinite(value) ? value : text) : (one.index ?? null) })));
    });
    const mask = button("brush", "", async () => {
      const had = all()[at].mask ?? null, painted = await paint(all()[at].image, had);
      if (painted === undefined || painted === had) return;
      put(all().map((one, n) => ({ image: one.image, index: one.index ?? null, mask: n === at ? painted : (one.mask ?? null) })), changed(painted));
    });
    const more = button("more", say("do.more"), () => {}, { quiet: true });
    menu(more, () => [
      { text: say("single.earlier"), icon: "left", run: () => move(at, at - 1), disabled: at === 0 },
      { text: say("single.later"), icon: "right", run: () => move(at, at + 1), disabled: at >= all().length - 1 },
      { text: say("single.as_image"), icon: "swap", run: () => swap(at) },
      { text: say("do.delete"), icon: "trash", run: () => put(all().filter((_, n) => n !== at), "undo.picture") },
    ]);
    const node = el("li", {}, el("div", { class: "shown" }, el("img", { alt: "", draggable: "false" }), el("span", { class: "badge" })), el("label", {}, el("span"), index), el("div", { class: "row" }, mask, more));
    droppable(node, (transfer) => add([...transfer.files].slice(0, 1), at));
    return node;
  };
  const move = (from, to) => {
    const now = [...all()], [one] = now.splice(from, 1);
    now.splice(to, 0, one);
    put(now);
  };
  const swap = (at) => form.change((values) => {
    const one = values[KEY][at], image = values.image;
    values.image = one.image;
    values.mask = one.mask ?? null;
    values[KEY] = values[KEY].flatMap((other, n) => (n === at ? (image ? [{ image }] : []) : [other]));
  }, "undo.swapped");
  const fill = (node, row) => {
    if (!row) {
      const label = find("span", node);
      label.textContent = say("single.add");
      return;
    }
    const image = find("img", node), url = pictureUrl(row.image), [name, index] = [find("label > span", node), find("input", node)];
    if (image.getAttribute("src") !== url) image.src = url;
    image.alt = say("single.reference", { number: row.at + 1 });
    find(".badge", node).textContent = row.mask ? say("painter.title") : "";
    find(".badge", node).hidden = !row.mask;
    name.textContent = say("single.index");
    index.placeholder = say("page.auto");
    index.dataset.high = String(HIGHEST);
    if (document.activeElement !== index) index.value = row.index === null || row.index === undefined ? "" : String(row.index);
    const text = find(".row button span", node);
    text.textContent = say("painter.title");
    find(".row button", node).setAttribute("aria-label", `${say("painter.title")}: ${say("single.reference", { number: row.at + 1 })}`);
  };
  draft.addEventListener("change", show);
  document.addEventListener("words", () => {
    list.replaceChildren();
    show();
  });
  show();
}

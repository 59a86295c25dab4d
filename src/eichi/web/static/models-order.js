// What a download comes to, before it begins: files, room, what is here already, and the terms, which are asked once.

import { get, post } from "./api.js";
import { button, el } from "./dom.js";
import { open } from "./dialog.js";
import { more, tell } from "./more.js";
import { number, say, size } from "./words.js";

/**
 * Show what a model's download comes to, and begin it when somebody says so.
 * @param {any} model
 * @param {number} free
 * @param {() => void} begun
 */
export async function offerDownload(model, free, begun) {
  const order = await get(`models/${model.name}/download`).catch((error) => unasked(model, free, error));
  if (!order) return;
  const asked = order.licences.filter((one) => one.asked && !one.agreed);
  const agree = asked.length ? /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", id: "agree" })) : null;
  const wrong = el("p", { class: "wrong", role: "alert", hidden: true });
  const yes = button("download", say(order.here || model.interrupted ? "models.resume" : "models.download"), start, { class: "primary" });
  yes.disabled = !order.fits || Boolean(agree);
  agree?.addEventListener("change", () => (yes.disabled = !order.fits || !agree.checked));
  const close = open(
    el("div", { class: "ask-box order" },
      el("p", { text: say("models.sum", { left: size(order.left), count: order.files.length, server: order.server, folder: order.folder }) }),
      el("p", { class: order.fits ? "" : "wrong", text: room(order) }),
      ...lists(order),
      terms(order),
      agree && el("div", { class: "field tick" }, el("label", { for: "agree" }, agree, " ", el("span", { text: say("models.agree") }))),
      wrong,
      el("div", { class: "row end" }, button("", say("do.cancel"), () => close()), yes)),
    { title: model.label },
  );

  async function start() {
    yes.disabled = true;
    try {
      await post(`models/${model.name}/download`, { agreed: asked.map((one) => one.id) });
      close();
      begun();
    } catch (error) {
      tell(wrong, error.message, error.id);
      wrong.hidden = false;
      yes.disabled = false;
      if (error.status === undefined) throw error; // no answer of ours: a fault of the page
    }
  }
}

/**
 * What is known of a download that the server tells nothing of: rough sizes, and the terms.
 * @param {any} model
 * @param {number} free
 * @param {any} error
 */
function unasked(model, free, error) {
  if (error.status === undefined) throw error; // no answer of ours: a fault of the page
  const missing = model.parts.filter((part) => !part.place);
  const rows = missing.map((part) => el("li", {}, el("span", { class: "grow", text: part.label }), el("span", { text: say("models.nowhere", { size: size(part.size) }) })));
  const close = open(
    el("div", { class: "ask-box order" },
      el("p", { class: "wrong", role: "alert" }, error.message, " ", more(error.id)),
      el("p", { text: say("models.fetch", { size: size(model.size), room: size(free) }) }),
      el("ul", { class: "order-files" }, ...rows),
      terms({ licences: model.licences, repositories: [] }),
      el("div", { class: "row end" }, button("", say("do.close"), () => close()))),
    { title: model.label },
  );
}

/** @param {any} order */
function room(order) {
  if (order.fits) return say("models.after", { free: size(order.free), after: size(order.after) });
  return say("models.tight", { free: size(order.free), missing: size(order.room - order.after) });
}

/** What comes, and what does not have to. @param {any} order */
function lists(order) {
  const files = order.files.map((one) => el("li", {}, el("span", { class: "grow", title: one.file, text: `${one.label} · ${one.file.split("/").at(-1)}` }), el("span", { text: size(one.size - one.here) })));
  const found = order.found.map((one) => el("li", {}, el("span", { class: "grow", text: `${one.label} · ${one.place}` })));
  return [
    files.length && folded(say("models.files", { count: number(files.length) }), files),
    found.length && folded(say("models.found", { count: number(found.length) }), found),
  ].filter(Boolean);
}

/** @param {string} title @param {HTMLElement[]} rows */
const folded = (title, rows) => el("details", {}, el("summary", { text: title }), el("ul", { class: "order-files" }, ...rows));

/** The licences, each with what it is about and where it stands, and what the sources say themselves. @param {any} order */
function terms(order) {
  const rows = order.licences.map((one) => el("li", {}, el("span", { text: one.text }), " ", link(one.url, say("models.read", { name: one.name }))));
  const cards = order.repositories.filter((one) => one.licence).map((one) => el("li", {}, say("models.card", { repository: one.name, licence: one.licence, link: "" }), one.link && link(one.link, say("models.read", { name: one.licence }))));
  return el("section", {}, el("h3", { text: say("models.licences") }), el("ul", { class: "notes" }, ...rows, ...cards));
}

/** @param {string} href @param {string} text */
const link = (href, text) => el("a", { href, text, target: "_blank", rel: "noopener noreferrer" });

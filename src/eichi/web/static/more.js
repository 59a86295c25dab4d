// Quiet links into the documents, beside what a message says: there it is told what it means and what helps.

import { el, icon } from "./dom.js";
import { led } from "./words.js";

const KNOWN = /^(?:error|note|reason)\./; // what the documents have a place for

/**
 * A link to where the documents say more of a message; none for what they do not know.
 * @param {string | null | undefined} id
 * @returns {HTMLElement | null}
 */
export function more(id) {
  if (!id || !KNOWN.test(id)) return null;
  const help = `reference/messages.html#message-${id.replace(/[._]/g, "-")}`;
  return led(el("a", { class: "more", target: "_blank", rel: "noopener", dataset: { help, about: "help.message" } }, icon("help")));
}

/**
 * Say a message in a node, with its link. What is said already stays as it is, so that the link keeps the focus.
 * @param {HTMLElement} node
 * @param {string | null | undefined} text
 * @param {string | null} [id]
 */
export function tell(node, text, id) {
  const said = `${id ?? ""} ${text ?? ""}`, link = text ? more(id) : null;
  if (node.dataset.told === said) return;
  node.dataset.told = said;
  node.replaceChildren(text ?? "", ...(link ? [" ", link] : []));
}

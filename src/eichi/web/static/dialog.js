// Dialogs and menus, on the browser's own: focus goes in and comes back, Escape closes.

import { button, el, icon } from "./dom.js";
import { say } from "./words.js";

/**
 * Open a dialog with something in it.
 * @param {Node} content
 * @param {{title: string, class?: string, leave?: () => void, closed?: () => void}} more `leave` is done where somebody
 *   leaves it by Escape, its cross, or a click beside it, and closes it itself
 * @returns {() => void} closes it
 */
export function open(content, more) {
  const title = el("h2", { text: more.title, id: "dialog-title" });
  const dialog = /** @type {HTMLDialogElement} */ (
    el("dialog", { class: `dialog ${more.class ?? ""}`, "aria-labelledby": "dialog-title" })
  );
  const close = () => dialog.close(), leave = more.leave ?? close;
  dialog.append(el("header", {}, title, button("close", say("do.close"), leave, { quiet: true })), content);
  dialog.addEventListener("click", (event) => event.target === dialog && leave());
  dialog.addEventListener("cancel", (event) => {
    if (event.target !== dialog) return; // of a choice of files in it
    event.preventDefault();
    leave();
  });
  const toasts = document.querySelector("#toasts"); // what lies outside of a dialog cannot be pressed meanwhile
  dialog.addEventListener("close", () => {
    const below = [...document.querySelectorAll("dialog[open] > header")].at(-1); // a closed one is not among them
    if (toasts && dialog.contains(toasts)) (below ?? dialog).after(toasts);
    dialog.remove();
    more.closed?.();
  });
  document.body.append(dialog);
  if (toasts) dialog.firstElementChild.after(toasts);
  dialog.showModal();
  return close;
}

/**
 * Ask for a yes.
 * @param {string} text
 * @param {{yes: string, title?: string, danger?: boolean}} more
 * @returns {Promise<boolean>}
 */
export function ask(text, more) {
  return new Promise((answer) => {
    let said = false;
    const yes = button("", more.yes, () => {
      said = true;
      close();
    }, { class: more.danger ? "danger" : "primary" });
    const no = button("", say("do.cancel"), () => close());
    const close = open(el("div", { class: "ask-box" }, el("p", { text }), el("div", { class: "row end" }, no, yes)), {
      title: more.title ?? more.yes,
      closed: () => answer(said),
    });
    yes.focus();
  });
}

/**
 * A menu below a button.
 * @param {HTMLElement} from
 * @param {() => {text: string, icon?: string, run: () => void, disabled?: boolean}[]} items asked for when it opens
 */
export function menu(from, items) {
  const list = el("div", { class: "menu", role: "menu", popover: "auto" });
  from.setAttribute("aria-haspopup", "menu");
  from.setAttribute("aria-expanded", "false");
  const close = () => list.hidePopover();
  from.addEventListener("click", () => {
    list.replaceChildren(
      ...items().map((one) => {
        const entry = el("button", { type: "button", role: "menuitem", disabled: one.disabled, tabindex: "-1" });
        entry.append(one.icon ? icon(one.icon) : "", el("span", { text: one.text }));
        entry.addEventListener("click", () => {
          close();
          one.run();
        });
        return entry;
      }),
    );
    (from.closest("dialog, main, header") ?? document.body).append(list); // a dialog is all that can be used while it is open
    list.showPopover();
    place(list, from);
    /** @type {HTMLElement} */ (list.querySelector("button:not(:disabled)"))?.focus();
  });
  list.addEventListener("toggle", (event) => {
    const shown = /** @type {ToggleEvent} */ (event).newState === "open";
    from.setAttribute("aria-expanded", String(shown));
    if (!shown) {
      if (list.contains(document.activeElement)) from.focus();
      list.remove();
    }
  });
  list.addEventListener("keydown", (event) => {
    const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("button:not(:disabled)")]);
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all[to % all.length]?.focus();
  });
}

/** Below the button, within the window. @param {HTMLElement} list @param {HTMLElement} from */
function place(list, from) {
  const at = from.getBoundingClientRect(), box = list.getBoundingClientRect();
  const below = at.bottom + 4 + box.height <= innerHeight || at.top < box.height;
  list.style.top = `${below ? Math.min(at.bottom + 4, innerHeight - box.height) : at.top - box.height - 4}px`;
  list.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.width - 8))}px`;
}

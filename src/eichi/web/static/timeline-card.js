// One place of a timeline as a card: made once, then changed where it stands, so that focus, scroll and a picture that
// is being dragged over it stay.

import { button, el, icon } from "./dom.js";
import { menu } from "./dialog.js";
import { number, say } from "./words.js";

/**
 * @typedef {object} Shown what a card shows
 * @property {import("./timeline-items.js").Place} place
 * @property {string} name what it is called
 * @property {string} head its number, or its name where it has none
 * @property {number} [order] of generation, from 1
 * @property {string} [times]
 * @property {number} [share] of the time, 1 for an ordinary section
 * @property {string} [url] of the picture
 * @property {boolean} [own] whether the picture is its own
 * @property {string} [source] where the picture is from
 * @property {string} [padding] how far it is from that
 * @property {string} [prompt] its own
 * @property {string} [spoken] what it is drawn from, where that is more
 * @property {number} [read] share of its prompt's tokens that there is room for
 * @property {string} [colour] of copies
 * @property {string} [copies] in words
 * @property {boolean} [kept]
 * @property {string} [problem]
 * @property {"done" | "running" | "waiting" | ""} [state] in a job
 * @property {string} [said] of the state
 * @property {string} [short] the same where there is little room
 * @property {{icon: string, text: string, run: () => void}[]} [quick] beside its menu
 */

const HOLD = 500, SHAKE = 10; // milliseconds and pixels that tell a long press

/**
 * A card without anything in it.
 * @param {Shown} shown
 * @param {{items: (place: any) => any[], press: (place: any) => void, enter: (place: any) => void}} act
 * @returns {HTMLElement}
 */
export function makeCard(shown, act) {
  const { place } = shown, section = typeof place === "number";
  const picture = el("img", { alt: "", draggable: "false", loading: "lazy" });
  const thumb = el("span", { class: "thumb" }, picture, el("span", { class: "from" }));
  const head = el("span", { class: "head" }, el("b"), el("small"), el("span", { class: "told" }));
  const face = el("div", { class: "face", role: "button", tabindex: "-1" }, head, thumb);
  if (section) face.append(el("span", { class: "said" }), el("span", { class: "bar", hidden: true }, el("i")), el("small", { class: "times" }));
  face.append(el("span", { class: "wrong", hidden: true }));
  const more = button("more", "", () => {}, { quiet: true, class: "more" });
  menu(more, () => act.items(place));
  const node = el("li", { class: `cell ${section ? "section" : place}`, dataset: { place: String(place) } }, face, el("div", { class: "quick" }), more);
  face.addEventListener("click", () => act.press(place));
  face.addEventListener("focus", () => act.enter(place));
  node.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    show(more);
  });
  hold(node, face, more);
  return node;
}

/** Open the menu of a button, unless it is. @param {HTMLElement} more */
function show(more) {
  if (more.getAttribute("aria-expanded") !== "true") more.click();
}

/** A long press opens the menu; only a mouse drags. @param {HTMLElement} node @param {HTMLElement} face @param {HTMLElement} more */
function hold(node, face, more) {
  let timer = 0, x = 0, y = 0, held = false;
  face.addEventListener("pointerdown", (event) => {
    node.draggable = event.pointerType === "mouse" && node.dataset.owned !== undefined;
    held = false;
    if (event.pointerType === "mouse") return;
    [x, y] = [event.clientX, event.clientY];
    timer = setTimeout(() => {
      held = true;
      show(more);
    }, HOLD);
  });
  face.addEventListener("pointermove", (event) => {
    if (Math.hypot(event.clientX - x, event.clientY - y) > SHAKE) clearTimeout(timer);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    face.addEventListener(name, () => {
      clearTimeout(timer);
      if (held) setTimeout(() => show(more)); // a finger that leaves closes what is open
    });
  }
  face.addEventListener("touchend", (event) => {
    if (held) event.preventDefault(); // else it would press what has come under the finger
  });
}

/**
 * Let a card show something.
 * @param {HTMLElement} node
 * @param {Shown} shown
 * @param {boolean} current whether the keyboard is on it
 * @param {boolean} edited
 */
export function fillCard(node, shown, current, edited) {
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (node.querySelector(name));
  const face = part(".face"), picture = /** @type {HTMLImageElement} */ (part("img"));
  const { state = "", url = "", problem = "", prompt = "" } = shown;
  node.dataset.state = state;
  node.dataset.colour = shown.colour ?? "";
  node.classList.toggle("own", Boolean(shown.own));
  node.classList.toggle("kept", Boolean(shown.kept));
  node.classList.toggle("edited", edited);
  if (shown.own || (prompt && typeof shown.place === "number")) node.dataset.owned = "";
  else delete node.dataset.owned;
  node.style.setProperty("--share", String(shown.share ?? 1));
  write(part("b"), shown.head);
  write(part(".head small"), shown.order ? `·${shown.order}` : "");
  write(part(".told"), shown.said || (shown.kept ? say("timeline.kept") : ""));
  if (shown.short) part(".told").dataset.short = shown.short;
  else delete part(".told").dataset.short;
  if (url && picture.getAttribute("src") !== url) picture.src = url;
  if (!url) picture.removeAttribute("src");
  picture.hidden = !url;
  write(part(".from"), shown.source ?? "");
  if (part(".said")) {
    write(part(".said"), shown.spoken || say("timeline.common"));
    part(".said").classList.toggle("common", !prompt);
    write(part(".times"), shown.times ?? "");
    meter(part(".bar"), shown.read);
  }
  write(part(".wrong"), problem);
  part(".wrong").hidden = !problem;
  face.tabIndex = current ? 0 : -1;
  face.setAttribute("aria-label", told(shown));
  face.title = told(shown);
  const more = part(".more"), label = say("timeline.more", { name: shown.name });
  more.tabIndex = current ? 0 : -1;
  more.setAttribute("aria-label", label);
  more.title = label;
  quick(part(".quick"), shown, current);
}

/** Everything about a card in one line, for those who hear it. @param {Shown} shown */
function told(shown) {
  const order = shown.order ? say("timeline.order", { order: shown.order }) : "";
  const prompt = typeof shown.place === "number" ? shown.spoken || say("timeline.common") : "";
  const kept = shown.kept ? say("timeline.kept") : "", read = shown.read === undefined ? "" : `${number(Math.round(shown.read * 100))} %`;
  const all = [shown.name, shown.times, order, shown.said, kept, shown.source, shown.padding, shown.copies, prompt, shown.read && shown.read > 1 ? read : "", shown.problem];
  return all.filter(Boolean).join(" · ");
}

/** @param {HTMLElement} bar @param {number | undefined} read */
function meter(bar, read) {
  bar.hidden = read === undefined;
  if (read === undefined) return;
  bar.classList.toggle("over-limit", read > 1);
  /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${Math.min(100, read * 100)}%`;
}

/** What can be done by one click. @param {HTMLElement} holder @param {Shown} shown @param {boolean} current */
function quick(holder, shown, current) {
  const wanted = shown.quick ?? [], key = wanted.map((one) => one.icon + one.text).join();
  if (holder.dataset.holds !== key) {
    holder.dataset.holds = key;
    holder.replaceChildren(...wanted.map((one) => {
      const made = el("button", { type: "button", "aria-label": `${one.text} · ${shown.name}`, title: one.text });
      made.append(icon(one.icon));
      made.addEventListener("click", one.run);
      return made;
    }));
  }
  for (const one of holder.children) /** @type {HTMLElement} */ (one).tabIndex = current ? 0 : -1;
}

/** @param {Element} node @param {string} text */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

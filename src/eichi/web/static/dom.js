// Building nodes. Text is always text: nothing here or anywhere else on the page reads markup from a string.

const SVG = "http://www.w3.org/2000/svg";

/**
 * A node with properties and children.
 *
 * `class`, `text`, `dataset` (a table), `on` (a table of listeners) and `style` (a table, set through CSSOM, which the
 * policy allows) are special; other names are attributes, true being an empty one, null and false none.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (name === "style") for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/**
 * An icon of the sprite in the page.
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * A button with an icon, whose text is shown or, where it is `quiet`, only said.
 * @param {string} name of the icon, empty for none
 * @param {string} text
 * @param {(event: MouseEvent) => void} run
 * @param {{class?: string, quiet?: boolean, dataset?: Record<string, string>, disabled?: boolean}} [more]
 * @returns {HTMLButtonElement}
 */
export function button(name, text, run, more = {}) {
  const { quiet, ...props } = more;
  const node = /** @type {HTMLButtonElement} */ (el("button", { type: "button", ...props, on: { click: run } }));
  if (name) node.append(icon(name));
  if (quiet) {
    node.setAttribute("aria-label", text);
    node.title = text;
    node.classList.add("bare");
  } else node.append(el("span", { text }));
  return node;
}

/**
 * Make the children of a list those for some values, keeping the nodes that are there: focus and scroll stay.
 * @template T
 * @param {HTMLElement} parent
 * @param {T[]} values
 * @param {(value: T) => string | number} key
 * @param {(value: T) => HTMLElement} make
 * @param {(node: HTMLElement, value: T) => void} [fill] called for new nodes, too
 */
export function sync(parent, values, key, make, fill) {
  const known = new Map([...parent.children].map((node) => [/** @type {HTMLElement} */ (node).dataset.key, node]));
  const wanted = new Set(values.map((value) => String(key(value))));
  // First what goes: a node that stays would be moved past it, and one that is moved loses the focus.
  for (const [name, node] of known) if (!wanted.has(name ?? "")) node.remove();
  let at = parent.firstElementChild;
  for (const value of values) {
    const name = String(key(value));
    let node = /** @type {HTMLElement | undefined} */ (known.get(name));
    if (!node) {
      node = make(value);
      node.dataset.key = name;
    }
    if (node !== at) put(parent, node, at);
    else at = at.nextElementSibling;
    fill?.(node, value);
  }
}

/** Put a node before another; one that is moved keeps its focus, also in browsers that cannot move. */
function put(parent, node, at) {
  if (node.parentElement === parent && parent.moveBefore) return parent.moveBefore(node, at);
  const focus = node.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
  parent.insertBefore(node, at);
  focus?.blur();
  focus?.focus({ preventScroll: true });
  return node;
}

/**
 * The first node that fits.
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any}
 */
export const find = (selector, root = document) => root.querySelector(selector);

/**
 * All nodes that fit.
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any[]}
 */
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

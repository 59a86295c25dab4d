// What a tab is about to ask for. A draft belongs to its tab: it outlives a reload and a restart of browser and server,
// no other tab reads or changes it, and a tab that was closed leaves it among the last drafts, as does what is set
// aside. Whatever is cleared, deleted or replaced can be had back.

import { fresh } from "./api.js";
import { shared, tabOnly } from "./storage.js";

const TAB = "eichi.tab", MINE = "eichi.draft.", LAST = "eichi.drafts";
const KEPT = 12, STEPS = 30; // drafts of closed tabs and those set aside, states to go back to
const TABLES = ["keyframes.sections", "keyframes.prompts"];
const ON = { mask: "image" }; // what was made on another option and goes with it

/** @typedef {Record<string, any>} Values flat dotted keys; only what differs from the default */
/** @typedef {{undo: string, keys: string[], had: Values, made: Values}} Step what one change changed, and from what */

/** One request of one tab. */
export class Draft extends EventTarget {
  /** @param {"video" | "frame" | "finish"} kind */
  constructor(kind) {
    super();
    this.kind = kind;
    /** @type {Values} */
    this.values = stored(tabOnly, MINE + kind) ?? {};
    /** @type {Step[]} */
    this.before = [];
  }

  /** @param {string} key @param {any} [otherwise] */
  get(key, otherwise = null) {
    return this.values[key] ?? otherwise;
  }

  /**
   * Set an option; null or undefined makes it what it is by default.
   * @param {string} key
   * @param {any} value
   */
  set(key, value) {
    this.change((values) => (values[key] = value));
  }

  /**
   * Change several at once; with `undo`, the id of a text for it, the state before can be had back. So it can where
   * something goes with what it was made on.
   * @param {(values: Values) => void} mutate
   * @param {{undo?: string}} [more]
   * @returns {boolean} whether anything is another now
   */
  change(mutate, more = {}) {
    const values = structuredClone(this.values);
    mutate(values);
    const keys = [...new Set([...Object.keys(values), ...Object.keys(this.values)])];
    const changed = keys.filter((key) => !same(values[key] ?? null, this.values[key] ?? null));
    if (!changed.length) return false;
    const lost = orphans(values, changed), all = [...changed, ...lost], undo = more.undo ?? (lost.length ? "undo.mask_lost" : "");
    for (const key of lost) delete values[key];
    if (undo) this.before = [...this.before.slice(1 - STEPS), { undo, keys: all, had: this.values, made: values }];
    this._put(values, all, lost);
    return true;
  }

  /**
   * Everything anew.
   * @param {Values} values
   * @param {{undo?: string}} [more]
   */
  replace(values, more = {}) {
    return this.change((all) => {
      for (const key of Object.keys(all)) delete all[key];
      Object.assign(all, structuredClone(values));
    }, more);
  }

  /** Back to before the last change that can be undone. @returns {boolean} */
  undo() {
    const last = this.before.pop();
    if (last) this._back(last);
    return Boolean(last);
  }

  /**
   * What takes back the last change and no other, whatever comes after it.
   * @returns {() => void}
   */
  back() {
    const step = this.before.at(-1);
    return () => {
      const at = step ? this.before.indexOf(step) : -1;
      if (at < 0 || !step) return; // taken back already
      this.before.splice(at, 1);
      this._back(step);
    };
  }

  /** What a step changed is as before it; what else was written since stays. @param {Step} step */
  _back({ keys, had, made }) {
    const values = { ...this.values };
    for (const key of keys) values[key] = TABLES.includes(key) ? entries(had[key], made[key], values[key]) : had[key];
    for (const key of orphans(values, keys)) delete values[key];
    this._put(values, keys);
  }

  /**
   * The request as the HTTP interface takes it: nested.
   * @param {(key: string) => boolean} [wanted] which options are meant
   * @returns {Record<string, any>}
   */
  options(wanted = () => true) {
    /** @type {Record<string, any>} */
    const nested = {};
    for (const [key, value] of Object.entries(this.values)) {
      if (key.startsWith("page.") || !wanted(key)) continue; // what only this page knows
      const parts = key.split("."), last = /** @type {string} */ (parts.pop());
      let holder = nested;
      for (const part of parts) holder = holder[part] ??= {};
      holder[last] = value;
    }
    return nested;
  }

  /** @param {Values} values @param {string[]} keys @param {string[]} [lost] of those, what went with another one */
  _put(values, keys, lost = []) {
    for (const key of Object.keys(values)) if (values[key] === null || values[key] === undefined) delete values[key];
    for (const key of TABLES) if (values[key] && !Object.keys(values[key]).length) delete values[key];
    this.values = values;
    keep(this);
    this.dispatchEvent(new CustomEvent("change", { detail: { keys, lost } }));
  }
}

/** What was made on an option that is another now, and stayed the same. @param {Values} values @param {string[]} changed */
const orphans = (values, changed) => Object.keys(ON).filter((key) => values[key] && changed.includes(ON[key]) && !changed.includes(key));

/**
 * A request as the interface answers it, flat.
 * @param {Record<string, any>} nested
 * @param {string} [prefix] of the keys
 * @returns {Values}
 */
export function flat(nested, prefix = "") {
  /** @type {Values} */
  const values = {};
  for (const [name, value] of Object.entries(nested)) {
    const key = prefix + name, table = value && typeof value === "object" && !Array.isArray(value);
    if (table && !TABLES.includes(key)) Object.assign(values, flat(value, `${key}.`));
    else if (value !== null) values[key] = value;
  }
  return values;
}

/** @type {Map<string, Draft>} */
const drafts = new Map();

/**
 * The draft of this tab.
 * @param {"video" | "frame" | "finish"} kind
 * @returns {Draft}
 */
export function draft(kind) {
  let one = drafts.get(kind);
  if (!one) drafts.set(kind, (one = new Draft(kind)));
  return one;
}

/**
 * Keep values among the last drafts before others take their place.
 * @param {Draft["kind"]} kind
 * @param {Values} values
 * @returns {boolean} whether anything is set in them
 */
export function aside(kind, values) {
  if (!lastDrafts().some((one) => one.kind === kind && same(one.values, values))) list(`${fresh()}.${kind}`, "", kind, values);
  return begun(kind, values);
}

/**
 * The drafts that other tabs had when they were last changed, and those that were set aside, the newest first.
 * @returns {{tab: string, kind: "video" | "frame", time: number, values: Values}[]}
 */
export function lastDrafts() {
  const all = stored(shared, LAST) ?? {};
  return Object.values(all).filter((one) => one.tab !== tab()).sort((a, b) => b.time - a.time);
}

/** The name of this tab. */
function tab() {
  let name = tabOnly.getItem(TAB);
  if (!name) tabOnly.setItem(TAB, (name = fresh()));
  return name;
}

// A duplicated tab begins as a copy, with the other's name: whoever else has it says so, and the copy takes another.
const here = fresh(), tabs = channel();
tabs?.addEventListener("message", ({ data }) => {
  if (data.to === here) tabOnly.setItem(TAB, fresh());
  else if (data.name === tab() && data.from !== here) tabs.postMessage({ to: data.from });
});
tabs?.postMessage({ name: tab(), from: here });

/** Where tabs hear of each other, null in a browser that lets none. */
function channel() {
  try {
    return new BroadcastChannel(TAB);
  } catch {
    return null;
  }
}

/** @param {Draft} one */
function keep(one) {
  const there = tabOnly.setItem(MINE + one.kind, JSON.stringify(one.values));
  list(`${tab()}.${one.kind}`, tab(), one.kind, one.values);
  if (!there) document.dispatchEvent(new CustomEvent("unkept")); // no room, or a browser that keeps nothing
}

/** Whether more is set than a form begins with. @param {Draft["kind"]} kind @param {Values} values */
const begun = (kind, values) => kind !== "finish" && Object.keys(values).some((key) => key !== "model" && !key.startsWith("page."));

/** Note a draft among the last ones. @param {string} name @param {string} of the tab @param {Draft["kind"]} kind @param {Values} values */
function list(name, of, kind, values) {
  const all = stored(shared, LAST) ?? {};
  delete all[name];
  if (begun(kind, values)) all[name] = { tab: of, kind, time: Date.now(), values };
  const newest = Object.entries(all).sort(([, a], [, b]) => b.time - a.time).slice(0, KEPT);
  // The oldest make room; where none is left, the tab still has its own.
  while (!shared.setItem(LAST, JSON.stringify(Object.fromEntries(newest))) && newest.length) newest.pop();
}

/** @param {typeof shared} storage @param {string} key */
function stored(storage, key) {
  try {
    const value = JSON.parse(storage.getItem(key) ?? "null");
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** A table without what a step made of some of its entries. @param {Values} had @param {Values} made @param {Values} now */
function entries(had = {}, made = {}, now = {}) {
  const table = { ...now };
  for (const name of new Set([...Object.keys(had), ...Object.keys(made)])) {
    if (same(had[name], made[name])) continue;
    if (had[name] === undefined) delete table[name];
    else table[name] = had[name];
  }
  return table;
}

/** @param {any} a @param {any} b */
export function same(a, b) {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

// What changes by itself, as this tab knows it: jobs, the queue, tools, downloads. Everything that shows them listens
// here, so that a page that was reloaded and a server that was started anew need nothing more.

import { language, mark } from "./words.js";

const AGAIN = 2000; // milliseconds until a stream that was refused is asked for once more

/** @typedef {Record<string, any> & {id: number, status: string, actions: string[]}} JobRow */

class Live extends EventTarget {
  /** @type {Map<number, JobRow>} */
  jobs = new Map();
  /** @type {number[]} the next jobs to come, in their order */
  order = [];
  /** How many are to come in all. */
  total = 0;
  held = false;
  /** @type {any[]} */
  runs = [];
  /** @type {any[]} */
  downloads = [];
  connected = true;
  /** Whether anything has been heard yet. */
  known = false;
  /** @type {(() => void) | null} */
  _leave = null;

  /** Listen, in the language of the page. */
  start() {
    this._leave?.();
    try {
      this._leave = globalThis.SharedWorker ? this._share() : this._alone();
    } catch {
      this._leave = this._alone(); // a browser that keeps nothing refuses what tabs would share
    }
  }

  /** Jobs that a worker has. @returns {JobRow[]} */
  active() {
    return [...this.jobs.values()].filter((job) => job.status === "running" || job.status === "stopping");
  }

  /** Jobs that have ended, the latest first. @returns {JobRow[]} */
  ended() {
    const over = [...this.jobs.values()].filter((job) => ["done", "stopped", "failed"].includes(job.status));
    return over.sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0));
  }

  /** The next jobs to come, in order. @returns {JobRow[]} */
  coming() {
    return this.order.map((id) => this.jobs.get(id)).filter((job) => job !== undefined);
  }

  _share() {
    const at = `/static/${mark()}/live-worker.js?language=${language()}`;
    const port = new SharedWorker(/** @type {any} */ (trusted(at)), { name: `${mark()} ${language()}` }).port;
    const hello = () => port.postMessage("hello"), bye = () => port.postMessage("bye");
    port.onmessage = ({ data }) => this._hear(data);
    addEventListener("pagehide", bye);
    addEventListener("pageshow", hello);
    port.start();
    hello();
    return () => {
      bye();
      removeEventListener("pagehide", bye);
      removeEventListener("pageshow", hello);
      port.close();
    };
  }

  /** Without a shared worker a tab streams while it is seen. */
  _alone() {
    /** @type {EventSource | null} */
    let source = null;
    let timer = 0;
    const leave = () => {
      clearTimeout(timer);
      source?.close();
      source = null;
    };
    const look = () => {
      if (document.hidden) leave();
      else if (!source) {
        source = new EventSource(`/api/v1/events?language=${language()}`);
        source.onopen = () => this._hear({ open: true });
        source.onerror = () => {
          this._hear({ open: false });
          if (source?.readyState !== EventSource.CLOSED) return; // else it is not tried again by itself
          leave();
          timer = setTimeout(look, AGAIN);
        };
        source.onmessage = (event) => this._hear(JSON.parse(event.data));
      }
    };
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      document.removeEventListener("visibilitychange", look);
      leave();
    };
  }

  /** @param {any} change */
  _hear(change) {
    if (change.open !== undefined && change.open !== this.connected) {
      this.connected = change.open;
      this._tell("connected");
    }
    if (change.held !== undefined) {
      this.held = change.held;
      this._tell("held");
    }
    if (change.order) this.order = change.order;
    if (change.coming !== undefined) this.total = change.coming;
    if (change.full || change.jobs || change.removed || change.order || change.coming !== undefined) this._jobs(change);
    for (const name of ["runs", "downloads"]) {
      if (!change[name]) continue;
      this[name] = change[name];
      this._tell(name);
    }
    if (change.results !== undefined) this._tell("results");
  }

  /** @param {any} change */
  _jobs({ full, jobs = [], removed = [] }) {
    const before = new Map(this.jobs), gone = new Set(removed);
    if (full) {
      const here = new Set(jobs.map((job) => job.id));
      for (const id of this.jobs.keys()) if (!here.has(id)) gone.add(id);
    }
    for (const id of gone) this.jobs.delete(id);
    for (const job of jobs) this.jobs.set(job.id, job);
    this.known = true;
    this._tell("jobs", { changed: jobs.map((job) => job.id), removed: [...gone], before });
  }

  /** @param {string} name @param {any} [detail] */
  _tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** An address that a policy of trusted types lets a worker be made from. @param {string} at */
function trusted(at) {
  policy ??= globalThis.trustedTypes?.createPolicy("eichi", { createScriptURL: (url) => url }) ?? null;
  return policy ? policy.createScriptURL(at) : at;
}

/** @type {any} */
let policy = null;

/** What this tab follows. */
export const live = new Live();
document.addEventListener("words", () => live._leave && live.start());

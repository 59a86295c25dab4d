// The job that one looks at: what is there of it, how far it is, how long it still takes, what can be done now. Drawn
// from the stream's row alone, so that a reload, a second tab and a server that was started anew show the same.

import { button, el } from "./dom.js";
import { menu } from "./dialog.js";
import { draft } from "./draft.js";
import { showGrid } from "./grid.js";
import { clipOf, framesOf, lengthOf, modelName, moving, seedOf, stillOf } from "./jobtext.js";
import { live } from "./live.js";
import { tell } from "./more.js";
import { act, download, extend, extensible, finishing, home, jobRow, made, placeUrl, resultItems, useAgain } from "./results.js";

import { say, span } from "./words.js";
import "./viewer.js";

/** @typedef {import("./live.js").JobRow} JobRow */

/** What a job does before its first step. @param {{said: string, fraction: number | null}} told */
const preparing = (told) => (told.fraction === null ? told.said : `${told.said} · ${say("stage.whole", { percent: Math.round(100 * told.fraction) })}`);
const ACTIVE = new Set(["running", "stopping"]), OVER = new Set(["done", "stopped", "failed"]);

/**
 * `<job-stage>`. Which job it shows is told by "stage" on the document. One of a `kind` shows jobs of that kind that run
 * or were started here, until another video is chosen, and lets its card go where there is none.
 */
export class JobStage extends HTMLElement {
  connectedCallback() {
    if (this.view) return;
    /** @type {number | null} the job that was chosen to be looked at */
    this.chosen = null;
    /** @type {number[]} jobs that were started here and have not been heard of */
    this.awaited = [];
    this.kind = this.getAttribute("kind");
    this.draft = draft(/** @type {any} */ (this.kind ?? "video"));
    this.clip = /** @type {import("./viewer.js").ClipViewer} */ (document.createElement("clip-viewer"));
    this.image = /** @type {HTMLImageElement} */ (el("img", { class: "still", alt: "" }));
    this.image.addEventListener("error", () => (this.image.hidden = true));
    this.image.addEventListener("load", () => this.loaded());
    this.hint = el("p", { class: "hint" });
    this.line = el("p", { class: "line" });
    this.whole = el("i");
    this.over = el("div", { class: "over-view" }, this.line, el("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, this.whole));
    this.film = el("div", { class: "film" }, this.image);
    this.view = el("div", { class: "view" }, this.film, this.clip, this.hint, this.over);
    this.head = el("h2", {});
    this.figures = el("dl", { class: "figures" });
    this.said = el("p", { class: "wrong", role: "alert" });
    this.flags = el("ul", { class: "notes" });
    this.acts = el("div", { class: "acts" });
    this.append(this.view, el("div", { class: "side" }, this.head, this.said, this.figures, this.flags, this.acts));
    live.addEventListener("jobs", () => this.show());
    this.draft.addEventListener("change", (event) => this.asked(/** @type {CustomEvent} */ (event).detail.keys));
    document.addEventListener("words", () => this.show(true));
    document.addEventListener("started", (event) => this.started(/** @type {CustomEvent} */ (event).detail.jobs));
    document.addEventListener("look", (event) => this.look(/** @type {CustomEvent} */ (event).detail));
    this.timer = setInterval(() => this.progress(), 1000);
    const asked = new URLSearchParams(location.search).get("job");
    if (asked && !this.kind) this.look(Number(asked));
    this.show();
  }

  /** @param {number[]} jobs */
  started(jobs) {
    this.awaited = jobs;
    this.chosen = null;
    this.show();
  }

  /** Something else is asked for; a result is not of another video. @param {string[]} keys */
  asked(keys) {
    if (this.kind && keys.includes("video")) {
      this.awaited = [];
      this.show();
    } else if (!this.job) this.nothing();
  }

  /** Look at a job. @param {number} id */
  async look(id) {
    const job = await jobRow(id);
    if (!job) return;
    live.jobs.set(id, job); // an older one than the stream begins with
    this.chosen = id;
    this.show();
    this.scrollIntoView({ block: "nearest" });
  }

  /** The job to show: the one that was chosen, that runs, that was started here, that was paused, that ended last. */
  current() {
    const chosen = this.chosen === null ? undefined : live.jobs.get(this.chosen);
    if (this.kind) return chosen ?? this.followed();
    const awaited = this.awaited.map((id) => live.jobs.get(id)).find((job) => job && !OVER.has(job.status));
    const held = live.coming().find((job) => job.begun);
    const last = live.ended()[0];
    return chosen ?? live.active()[0] ?? awaited ?? held ?? last;
  }

  /** The job of the kind that runs or was started here, over or not. */
  followed() {
    const running = live.active().find((job) => job.kind === this.kind);
    if (running && !this.awaited.includes(running.id)) this.awaited = [running.id, ...this.awaited];
    return running ?? this.awaited.map((id) => live.jobs.get(id)).find(Boolean);
  }

  /** @param {boolean} [anew] words have changed */
  show(anew = false) {
    const job = this.current();
    const before = this.job;
    this.job = job;
    this.heard = performance.now();
    if (before?.id !== job?.id) document.dispatchEvent(new CustomEvent("stage", { detail: job ?? null }));
    this.dataset.status = job?.status ?? "empty";
    this.dataset.job = String(job?.id ?? "");
    if (this.kind) /** @type {HTMLElement} */ (this.closest(".card")).hidden = !job && !this.awaited.length;
    if (!job) return this.nothing();
    this.picture(job);
    this.progress();
    this.tell(job, anew);
    return undefined;
  }

  nothing() {
    const waiting = this.awaited.length > 0;
    this.clip.hidden = this.image.hidden = this.over.hidden = true;
    this.hint.hidden = false;
    const empty = this.draft.get("source.before") ? "stage.empty_video" : "stage.empty";
    this.hint.textContent = say(waiting ? "stage.queued" : live.known ? empty : "stage.asking");
    for (const node of [this.head, this.figures, this.flags, this.acts, this.said]) node.replaceChildren();
    this.head.hidden = true;
  }

  /** What there is of a job. @param {JobRow} job */
  picture(job) {
    const active = ACTIVE.has(job.status), still = stillOf(job);
    const sofar = active && this.sofar !== job.id ? null : job.so_far; // while it runs only where that was asked for
    const clip = clipOf(job) ?? (still ? null : sofar);
    const preview = active ? job.preview : null;
    this.clip.hidden = !clip;
    if (clip) this.clip.show(clip, job.video ? framesOf(job) : 0, { label: say("stage.result"), play: !job.video });
    else this.clip.clear();
    const shown = still ? still : clip ? null : (preview ?? job.image);
    this.image.classList.toggle("rough", Boolean(preview && !still && !clip));
    this.image.classList.toggle("dim", !preview && !still);
    if (shown && this.image.getAttribute("src") !== shown) this.image.src = shown;
    if (!shown) this.image.removeAttribute("src");
    this.image.hidden = !shown;
    this.image.alt = shown ? say(still ? "stage.result" : preview ? "stage.preview" : "label.image") : "";
    this.hint.hidden = Boolean(shown || clip);
    this.hint.textContent = say("stage.wait");
  }

  /** A preview is a strip of moments, side by side: it is played as a film of them. */
  loaded() {
    const { naturalWidth: width, naturalHeight: height } = this.image, job = this.job;
    this.image.hidden = false;
    if (!job) return;
    const moments = this.image.classList.contains("rough") ? Math.max(1, Math.round((width * job.height) / (height * job.width))) : 1;
    this.film.classList.toggle("playing", moments > 1);
    this.film.style.setProperty("--moments", String(moments));
    this.film.style.aspectRatio = moments > 1 ? `${job.width} / ${job.height}` : "";
  }

  /** How far it is, by the second. */
  progress() {
    const job = this.job;
    const playing = !this.clip.hidden, active = job && ACTIVE.has(job.status);
    this.over.hidden = !job || OVER.has(job.status) || (playing && !active);
    this.over.classList.toggle("above", playing);
    if (!job || this.over.hidden) return;
    const step = job.progress, bar = /** @type {HTMLElement} */ (this.over.querySelector(".bar"));
    const known = step ? step.fraction : job.preparing?.fraction, percent = Math.round(100 * (known ?? 0));
    this.line.textContent = this.words(job);
    this.whole.style.width = `${percent}%`;
    bar.setAttribute("aria-valuenow", String(percent));
    bar.setAttribute("aria-label", this.line.textContent);
    bar.classList.toggle("busy", ACTIVE.has(job.status) && (known ?? null) === null);
  }

  /** @param {JobRow} job */
  words(job) {
    const step = job.progress;
    if (job.status === "waiting") return this.waiting(job);
    if (job.status === "held") return say("stage.paused");
    if (!step && job.preparing) return preparing(job.preparing);
    if (!step) return say(job.kind === "finish" ? "stage.opening" : "stage.loading");
    if (step.fraction >= 1) return say("stage.finishing");
    const left = step.left === null || step.left === undefined ? null : step.left - (live.connected ? (performance.now() - this.heard) / 1000 : 0);
    const parts = job.kind !== "finish" && job.sections > 1 ? [say("stage.section", { order: step.order + 1, sections: step.sections })] : [];
    if (job.kind !== "finish") parts.push(say("stage.step", { step: step.step, steps: step.steps }));
    parts.push(say("stage.whole", { percent: Math.round(100 * step.fraction) }));
    parts.push(left === null ? say("stage.measuring") : say("stage.left", { time: span(left) }));
    return parts.join(" · ");
  }

  /** What a job waits for. @param {JobRow} job */
  waiting(job) {
    const at = live.order.indexOf(job.id), before = (at < 0 ? live.order.length : at) + live.active().length;
    if (!live.held && at < 0) return say("stage.waiting_more", { before });
    return live.held ? say("stage.held_queue") : before > 0 ? say("stage.waiting", { before }) : say("stage.queued");
  }

  /** State, figures, what went wrong, what can be done. @param {JobRow} job @param {boolean} anew */
  tell(job, anew) {
    this.head.hidden = false;
    this.head.replaceChildren(el("span", { class: `state ${job.status}`, text: job.status_text }), el("span", { text: ` #${job.id}` }));
    const rows = this.rows(job).flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })]);
    this.figures.replaceChildren(...rows);
    tell(this.said, job.message, job.message_id);
    this.said.hidden = !job.message;
    this.flags.replaceChildren(...(job.flags ?? []).map((text) => el("li", { text })));
    const key = `${job.id} ${job.status} ${job.actions} ${made(job)} ${job.files} ${job.so_far}`;
    if (anew || key !== this.offered) this.offer(job);
    this.offered = key;
  }

  /** @param {JobRow} job @returns {[string, string][]} */
  rows(job) {
    const step = job.progress, rows = /** @type {[string, string][]} */ ([]);
    const made = ACTIVE.has(job.status) ? (step?.order ?? 0) : (job.made ?? 0);
    if (made && job.status !== "done" && job.sections > 1) rows.push([say("stage.done"), say("stage.of", { done: made, all: job.sections })]);
    if (job.seconds) rows.push([say("label.seconds"), lengthOf(job)]);
    rows.push([say("label.resolution"), `${job.width} × ${job.height}`]);
    if (step?.pace) rows.push([say("stage.pace"), span(step.pace)]);
    if (job.started && job.ended) rows.push([say("stage.took"), span(job.ended - job.started)]);
    if (seedOf(job) !== null) rows.push([say("label.seed"), String(job.seed)]);
    if (step?.cached) rows.push([say("stage.reused"), `${Math.round(100 * step.cached)} %`]);
    if (job.model) rows.push([say(job.kind === "finish" ? "label.finish.upscale" : "label.model"), modelName(job)]);
    return rows;
  }

  /** The buttons for a job's state. @param {JobRow} job */
  offer(job) {
    const focus = this.acts.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.do : null;
    const can = (action) => job.actions.includes(action), nodes = [];
    const add = (name, id, run, wide = false) => nodes.push(button(name, say(id), run, { class: wide ? "wide" : "", dataset: { do: id } }));
    const call = (action) => () => act(job, action);
    if (ACTIVE.has(job.status)) {
      if (can("hold")) add("pause", "do.hold", call("hold"));
      if (can("stop")) add("stop", "do.stop", call("stop"));
      if (can("stop-section")) add("check", "do.stop_section", call("stop-section"), true);
      if (can("ahead") && document.querySelector("time-line")) add("edit", "do.ahead", () => document.dispatchEvent(new CustomEvent("ahead")), true);
      if (job.so_far) add("play", "stage.play_so_far", () => this.playSoFar(job), true);
    } else {
      if (can("resume")) add("play", "do.resume", call("resume"), !made(job));
      if (made(job)) add("download", "do.download", () => download(job));
      if (job.video && extensible(job)) add("extend", "do.extend", () => extend(job));
      if (job.status !== "waiting" && job.status !== "held") {
        if (moving(job) && !this.kind) add("brush", "do.finish", () => finishing(job));
        if (job.batch) add("compare", "do.grid", () => showGrid(job), true);
        add("copy", job.kind === "finish" ? "do.use" : "result.same_seed", () => useAgain(job, "same"), true);
        if (job.kind !== "finish") add("dice", "result.new_seed", () => useAgain(job, "new"), true);
      }
      if (can("edit")) add("edit", "do.edit", () => (location.href = placeUrl(home(job), { edit: String(job.id) })));
    }
    if (made(job) || job.status === "done") {
      const more = button("more", say("do.more"), () => {}, { dataset: { do: "do.more" } });
      menu(more, () => resultItems(job, () => this.clip.frame));
      nodes.push(more);
    }
    this.acts.replaceChildren(...nodes);
    if (focus) /** @type {HTMLElement | null} */ (this.acts.querySelector(`[data-do="${focus}"]`))?.focus();
  }

  /** @param {JobRow} job */
  playSoFar(job) {
    this.sofar = this.sofar === job.id ? null : job.id;
    this.picture(job);
  }
}

customElements.define("job-stage", JobStage);

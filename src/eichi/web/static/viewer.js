// A clip to look at: play, loop, frame by frame, the whole screen. Frames are counted as the plan counts them, thirty a
// second, so that what is seen can be taken as a picture. Knows no job.

import { button, el } from "./dom.js";
import { key, shown } from "./keys.js";
import { shared } from "./storage.js";
import { number, say } from "./words.js";

const FPS = 30;
const LOOP = "eichi.loop";

/** Whether there is something to be heard; browsers tell it by names of their own, some only once it plays. @param {any} video */
const sounding = (video) => Boolean(video.mozHasAudio || video.webkitAudioDecodedByteCount || video.audioTracks?.length);

/** `<clip-viewer>`: give it something by `show`. It tells of another frame by "frame". */
export class ClipViewer extends HTMLElement {
  connectedCallback() {
    if (this.video) return;
    this.frames = 0;
    this.video = /** @type {HTMLVideoElement} */ (el("video", { playsinline: true, preload: "metadata", tabindex: "-1" }));
    this.video.muted = true;
    this.video.loop = shared.getItem(LOOP) !== "off";
    this.slider = /** @type {HTMLInputElement} */ (el("input", { type: "range", min: "0", step: "1", value: "0" }));
    this.time = el("span", { class: "time" });
    this.problem = el("p", { class: "wrong", role: "alert", hidden: true });
    this.controls_ = el("div", { class: "controls" });
    this.append(this.video, this.problem, this.controls_);
    this.video.addEventListener("click", () => this.toggle());
    this.video.addEventListener("loadedmetadata", () => this.count(Math.max(1, Math.round(this.video.duration * FPS)))); // a stopped one has fewer
    for (const event of ["play", "pause", "loadedmetadata", "seeked"]) this.video.addEventListener(event, () => this.tell());
    this.video.addEventListener("error", () => this.failed());
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("words", () => this.dress());
    const mine = (keys, text, run) => key(keys, text, run, () => this.seen(), false, this);
    mine("Space", "keys.play", () => this.toggle());
    mine("ArrowLeft", "keys.back", () => this.step(-1));
    mine("ArrowRight", "keys.forward", () => this.step(1));
    this.dress();
  }

  /** Whether there is something to play. */
  seen() {
    return this.isConnected && !this.hidden && Boolean(this.video.getAttribute("src"));
  }

  /**
   * Show a clip; the same one again changes nothing.
   * @param {string} url
   * @param {number} frames 0 for as many as it turns out to have
   * @param {{label?: string, play?: boolean}} [more]
   */
  show(url, frames, more = {}) {
    if (frames && this.video.getAttribute("src") !== url) this.count(frames);
    this.video.setAttribute("aria-label", more.label ?? "");
    if (this.video.getAttribute("src") === url) return;
    this.problem.hidden = true;
    this.video.src = url;
    if (more.play) this.video.play().catch(() => {});
    this.tell();
  }

  /** @param {number} frames */
  count(frames) {
    this.frames = frames;
    this.slider.max = String(Math.max(0, frames - 1));
  }

  /** Show nothing. */
  clear() {
    if (!this.video.getAttribute("src")) return;
    this.video.removeAttribute("src");
    this.video.load();
  }

  /** The frame that is seen, from 0. */
  get frame() {
    return Math.min(Math.max(0, this.frames - 1), Math.floor(this.video.currentTime * FPS + 1e-6));
  }

  /** @param {number} frame */
  seek(frame) {
    const to = Math.min(Math.max(0, frame), Math.max(0, this.frames - 1));
    this.video.currentTime = (to + 0.5) / FPS;
    this.say(to);
  }

  /** @param {number} by */
  step(by) {
    this.video.pause();
    this.seek(this.frame + by);
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => this.failed());
    else this.video.pause();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.target === this.slider && event.key.startsWith("Arrow")) this.video.pause();
  }

  failed() {
    if (!this.video.getAttribute("src")) return;
    this.problem.textContent = say("viewer.broken");
    this.problem.hidden = false;
  }

  /** The buttons, in the language of the page. */
  dress() {
    this.said = ""; // the time, too
    const focus = document.activeElement?.closest("clip-viewer") === this ? /** @type {HTMLElement} */ (document.activeElement).dataset.do : null;
    const make = (name, text, run) => button(name, text, run, { quiet: true, dataset: { do: name } });
    this.play_ = make("play", `${say("viewer.play")} (${shown("Space")})`, () => this.toggle());
    this.loop_ = make("loop", say("viewer.loop"), () => this.loop());
    this.sound_ = make("sound", say("viewer.sound"), () => this.hear());
    this.slider.setAttribute("aria-label", say("viewer.frame"));
    this.controls_.replaceChildren(
      this.play_,
      make("left", say("viewer.back"), () => this.step(-1)),
      make("right", say("viewer.forward"), () => this.step(1)),
      this.slider,
      this.time,
      this.loop_,
      this.sound_,
      make("full", say("viewer.full"), () => this.full()),
    );
    /** @type {HTMLElement | null} */ (focus ? this.controls_.querySelector(`[data-do=${focus}]`) : null)?.focus();
    this.tell();
  }

  loop() {
    this.video.loop = !this.video.loop;
    shared.setItem(LOOP, this.video.loop ? "on" : "off");
    this.tell();
  }

  /** Let it be heard, or not; one is silent until it is asked for. */
  hear() {
    this.video.muted = !this.video.muted;
    this.tell();
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.requestFullscreen().catch(() => {});
  }

  /** What is played and where, as it is now; again with each frame while it plays. */
  tell() {
    const playing = !this.video.paused, use = this.play_.querySelector("use");
    use?.setAttribute("href", playing ? "#i-pause" : "#i-play");
    this.play_.setAttribute("aria-label", say(playing ? "viewer.pause" : "viewer.play"));
    this.loop_.setAttribute("aria-pressed", String(this.video.loop));
    this.sound_.setAttribute("aria-pressed", String(!this.video.muted));
    this.sound_.hidden = !sounding(this.video);
    this.say(this.frame);
    if (playing && !this.asked) {
      this.asked = true;
      requestAnimationFrame(() => {
        this.asked = false;
        this.tell();
      });
    }
  }

  /** @param {number} frame */
  say(frame) {
    if (this.said === `${frame}/${this.frames}`) return;
    this.said = `${frame}/${this.frames}`;
    this.slider.value = String(frame);
    this.time.textContent = say("viewer.at", { seconds: number(frame / FPS, 2), frame: frame + 1, frames: this.frames });
    this.slider.setAttribute("aria-valuetext", this.time.textContent);
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }
}

customElements.define("clip-viewer", ClipViewer);

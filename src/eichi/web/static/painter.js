// A mask painted over a picture: black where the picture may change, white where it is kept. It is kept at the picture's
// own size, bounded, and becomes a picture that was given like any other. Knows no request.

import { pictureUrl, upload } from "./api.js";
import { button, el } from "./dom.js";
import { open } from "./dialog.js";
import { saying } from "./toast.js";
import { number, say } from "./words.js";

const MOST = 1024, STEPS = 40; // pixels of a side, strokes that can be taken back
const SHADE = "rgba(214, 69, 69, 0.55)";

/**
 * Paint a mask. What was painted is kept however it is left.
 * @param {string} picture its id
 * @param {string | null} mask the one there is
 * @returns {Promise<string | null | undefined>} the mask's id, null for none, undefined where it was left as it is
 */
export function paint(picture, mask) {
  return new Promise((answer) => {
    /** @type {string | null | undefined} */
    let made;
    let over = false, close = () => {};
    const painter = new Painter(picture, mask);
    const end = (/** @type {string | null | undefined} */ id) => {
      made = id;
      over = true;
      close();
    };
    const leave = async () => {
      if (!painter.painted) return end(undefined);
      const id = await painter.save();
      if (id !== undefined) end(id);
    };
    const done = button("check", say("painter.done"), leave, { class: "primary" });
    const none = button("trash", say("painter.remove"), () => end(null));
    const body = el("div", { class: "painter" }, el("p", { class: "soft", text: say("painter.help") }), painter.tools, painter.board, el("div", { class: "row end" }, none, done));
    // The browser asks before it leaves the page: saving would take longer than it waits.
    const warn = (/** @type {BeforeUnloadEvent} */ event) => painter.painted && event.preventDefault();
    addEventListener("beforeunload", warn);
    // A browser closes it at a second Escape, whatever is still being saved.
    const closed = () => {
      if (!over) return show();
      removeEventListener("beforeunload", warn);
      answer(made);
    };
    const show = () => (close = open(body, { title: say("painter.title"), class: "wide", leave, closed }));
    show();
    painter.load();
  });
}

/** The word on a mask that is another now. @param {string | null} mask */
export const changed = (mask) => (mask ? "undo.mask" : "undo.mask_removed");

class Painter {
  /** @param {string} picture @param {string | null} mask */
  constructor(picture, mask) {
    this.picture = picture;
    this.mask = mask;
    this.erasing = false;
    this.zoom = 1;
    this.painted = false; // whether anything was done to the mask
    /** @type {ImageData[]} */
    this.before = [];
    /** @type {ImageData[]} */
    this.after = [];
    this.image = /** @type {HTMLImageElement} */ (el("img", { alt: "", draggable: "false" }));
    this.canvas = /** @type {HTMLCanvasElement} */ (el("canvas", { tabindex: "0", role: "img", "aria-label": say("painter.title") }));
    this.cursor = el("i", { class: "cursor", hidden: true });
    this.sheet = el("div", { class: "sheet" }, this.image, this.canvas, this.cursor);
    this.board = el("div", { class: "board" }, this.sheet);
    this.size = /** @type {HTMLInputElement} */ (el("input", { type: "range", min: "1", max: "40", value: "10", id: "painter-size" }));
    this.tools = this.makeTools();
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerleave", () => (this.cursor.hidden = true));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => (this.last = null));
    this.board.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.board.addEventListener("keydown", (event) => this.press(event));
  }

  makeTools() {
    const make = (name, id, run) => button(name, say(id), run, { quiet: true, dataset: { tool: name } });
    this.brush = make("brush", "painter.brush", () => this.hold(false));
    this.eraser = make("eraser", "painter.erase", () => this.hold(true));
    const acts = [make("undo", "do.undo", () => this.undo()), make("redo", "painter.redo", () => this.redo())];
    const whole = [make("invert", "painter.invert", () => this.invert()), make("trash", "painter.clear", () => this.fill(false))];
    const zoom = [make("minus", "painter.smaller", () => this.magnify(1 / 1.4)), make("plus", "painter.larger", () => this.magnify(1.4))];
    const label = el("label", { for: "painter-size", class: "row", text: say("painter.size") });
    this.hold(false);
    return el("div", { class: "row tools-row", role: "toolbar", "aria-label": say("painter.title") }, this.brush, this.eraser, label, this.size, ...acts, ...whole, ...zoom);
  }

  /** @param {boolean} erasing */
  hold(erasing) {
    this.erasing = erasing;
    this.brush.setAttribute("aria-pressed", String(!erasing));
    this.eraser.setAttribute("aria-pressed", String(erasing));
  }

  async load() {
    this.image.src = pictureUrl(this.picture, MOST);
    await this.image.decode().catch(() => {});
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.canvas.width = width || 1;
    this.canvas.height = height || 1;
    this.pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d", { willReadFrequently: true }));
    if (this.mask) await this.read(this.mask);
    this.magnify(1);
    this.canvas.focus();
  }

  /** A mask that was painted before: what is black there is painted. @param {string} mask */
  async read(mask) {
    const image = /** @type {HTMLImageElement} */ (el("img", { src: pictureUrl(mask, MOST) })), { width, height } = this.canvas;
    await image.decode().catch(() => {});
    if (!image.naturalWidth) return;
    this.pen.drawImage(image, 0, 0, width, height);
    const data = this.pen.getImageData(0, 0, width, height);
    for (let at = 0; at < data.data.length; at += 4) this.dot(data.data, at, data.data[at] < 128);
    this.pen.putImageData(data, 0, 0);
  }

  /** @param {Uint8ClampedArray} data @param {number} at @param {boolean} painted */
  dot(data, at, painted) {
    [data[at], data[at + 1], data[at + 2], data[at + 3]] = painted ? [214, 69, 69, 140] : [0, 0, 0, 0];
  }

  /** @param {PointerEvent} event */
  at(event) {
    const box = this.canvas.getBoundingClientRect(), scale = this.canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  }

  /** The width of the brush in pixels of the mask. */
  get width() {
    return Math.max(1, (Number(this.size.value) / 100) * Math.max(this.canvas.width, this.canvas.height));
  }

  /** @param {PointerEvent} event */
  begin(event) {
    if (event.button > 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.remember();
    this.last = this.at(event);
    this.stroke(this.last);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const to = this.at(event), box = this.canvas.getBoundingClientRect(), shown = (this.width * box.width) / this.canvas.width;
    this.cursor.hidden = event.pointerType === "touch";
    this.cursor.style.width = this.cursor.style.height = `${shown}px`;
    this.cursor.style.left = `${event.clientX - box.left - shown / 2}px`;
    this.cursor.style.top = `${event.clientY - box.top - shown / 2}px`;
    if (this.last) this.stroke(to);
  }

  /** A line from where the brush was; what is painted twice is no darker. @param {{x: number, y: number}} to */
  stroke(to) {
    const pen = this.pen, from = this.last ?? to;
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = this.width;
    for (const mode of this.erasing ? ["destination-out"] : ["destination-out", "source-over"]) {
      pen.globalCompositeOperation = /** @type {GlobalCompositeOperation} */ (mode);
      pen.strokeStyle = mode === "destination-out" ? "#000" : SHADE;
      pen.beginPath();
      pen.moveTo(from.x, from.y);
      pen.lineTo(to.x + 0.01, to.y);
      pen.stroke();
    }
    pen.globalCompositeOperation = "source-over";
    this.last = to;
  }

  now() {
    return this.pen.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  remember() {
    this.painted = true;
    this.before = [...this.before.slice(1 - STEPS), this.now()];
    this.after = [];
  }

  undo() {
    const last = this.before.pop();
    if (!last) return;
    this.after.push(this.now());
    this.pen.putImageData(last, 0, 0);
  }

  redo() {
    const next = this.after.pop();
    if (!next) return;
    this.before.push(this.now());
    this.pen.putImageData(next, 0, 0);
  }

  invert() {
    this.remember();
    const data = this.now();
    for (let at = 0; at < data.data.length; at += 4) this.dot(data.data, at, data.data[at + 3] < 64);
    this.pen.putImageData(data, 0, 0);
  }

  /** @param {boolean} painted */
  fill(painted) {
    this.remember();
    const data = this.now();
    for (let at = 0; at < data.data.length; at += 4) this.dot(data.data, at, painted);
    this.pen.putImageData(data, 0, 0);
  }

  /** @param {number} by */
  magnify(by) {
    this.zoom = Math.min(8, Math.max(1, this.zoom * by));
    const high = Math.min(innerHeight * 0.58, 620), fit = Math.min(high / this.canvas.height, (this.board.clientWidth || 600) / this.canvas.width);
    this.sheet.style.width = `${this.canvas.width * fit * this.zoom}px`;
    this.sheet.style.height = `${this.canvas.height * fit * this.zoom}px`;
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.magnify(event.deltaY < 0 ? 1.15 : 1 / 1.15);
  }

  /** Keys while the picture has the focus. @param {KeyboardEvent} event */
  press(event) {
    const run = { z: () => event.ctrlKey && (event.shiftKey ? this.redo() : this.undo()), b: () => this.hold(false), e: () => this.hold(true), i: () => this.invert(), "+": () => this.magnify(1.4), "-": () => this.magnify(1 / 1.4) }[event.key.toLowerCase()];
    const by = { "[": -2, "]": 2 }[event.key];
    if (by) this.size.value = String(Number(this.size.value) + by);
    if (!run && !by) return;
    event.preventDefault();
    run?.();
  }

  /** Give the mask to the program; null where nothing is painted. */
  async save() {
    const { width, height } = this.canvas, data = this.now();
    let painted = 0;
    for (let at = 0; at < data.data.length; at += 4) {
      const on = data.data[at + 3] >= 64, shade = on ? 0 : 255;
      painted += on ? 1 : 0;
      [data.data[at], data.data[at + 1], data.data[at + 2], data.data[at + 3]] = [shade, shade, shade, 255];
    }
    if (!painted) return null;
    const paper = /** @type {HTMLCanvasElement} */ (el("canvas", { width: String(width), height: String(height) }));
    paper.getContext("2d")?.putImageData(data, 0, 0);
    const blob = await new Promise((done) => paper.toBlob(done, "image/png"));
    const name = `mask-${number(width)}x${number(height)}.png`;
    return (await saying(() => upload("pictures", new File([blob], name, { type: "image/png" }))))?.id;
  }
}


// A place for a picture of a draft: by click, drop, paste, or from a result. What cannot be read is said in its place.

import { isId, pictureUrl } from "./api.js";
import { draft } from "./draft.js";
import { button, el } from "./dom.js";
import { Drop } from "./drop.js";
import { say } from "./words.js";

/** Kinds of pictures that are asked for, as a browser takes them. */
export const KINDS = ".png,.jpg,.jpeg,.webp,.gif,.bmp,.tif,.tiff,.avif,.heic,.heif,image/*";

/**
 * The first picture of what was dropped or pasted; also what has the name of one and no kind.
 * @param {DataTransfer | null} transfer
 * @returns {File | undefined}
 */
export function pictureOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/") || /\.(heic|heif|avif|tiff?)$/i.test(file.name)) ?? files[0];
}

/**
 * Whether a file is a video, by what the browser says of it or by its name.
 * @param {File | undefined} file
 */
export const isVideo = (file) => Boolean(file && (file.type.startsWith("video/") || /\.(mp4|m4v|mov|mkv|webm|avi|ts|mts|m2ts|mpg)$/i.test(file.name)));

/**
 * Let something take what is dropped on it, and show that it would.
 * @param {HTMLElement} node
 * @param {(transfer: DataTransfer, event: DragEvent) => void} take
 * @param {(event: DragEvent) => boolean} [wanted]
 */
export function droppable(node, take, wanted = () => true) {
  let depth = 0;
  const mark = (on) => node.classList.toggle("over", on);
  node.addEventListener("dragenter", (event) => {
    if (!wanted(event)) return;
    depth++;
    mark(true);
  });
  node.addEventListener("dragover", (event) => {
    if (!wanted(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  node.addEventListener("dragleave", () => mark((depth = Math.max(0, depth - 1)) > 0));
  node.addEventListener("drop", (event) => {
    depth = 0;
    mark(false);
    if (!wanted(event) || !event.dataTransfer) return;
    event.preventDefault();
    event.stopPropagation();
    take(event.dataTransfer, event);
  });
}

/** `<picture-drop name="image" data-draft="video">`: the picture of an option. */
export class PictureDrop extends Drop {
  undo = { out: "undo.picture", replaced: "undo.picture_replaced" };

  connectedCallback() {
    if (this.image) return;
    this.draft = draft(this.dataset.draft === "frame" ? "frame" : "video");
    this.name = this.getAttribute("name") ?? "image";
    this.input = /** @type {HTMLInputElement} */ (el("input", { type: "file", accept: KINDS, class: "unseen" }));
    this.image = /** @type {HTMLImageElement} */ (el("img", { alt: "", draggable: "false" }));
    this.crop = el("div", { class: "crop", hidden: true });
    this.text = el("span", { class: "hint" });
    this.problem = el("p", { class: "wrong", role: "alert", hidden: true });
    this.label = el("label", {}, this.image, this.crop, this.text, this.input);
    this.remove_ = button("close", "", () => this.clear(), { quiet: true, class: "remove" });
    this.append(this.label, this.remove_, this.problem);
    this.input.addEventListener("change", () => this.take(this.input.files?.[0]));
    this.image.addEventListener("load", () => this.frame());
    this.image.addEventListener("error", () => this.image.getAttribute("src") && this.say(say("page.picture_gone")));
    new ResizeObserver(() => this.frame()).observe(this);
    droppable(this, (transfer) => this.drop(transfer));
    this.draft.addEventListener("change", (event) => this.changed(/** @type {CustomEvent} */ (event).detail.keys));
    document.addEventListener("words", () => this.show());
    document.addEventListener("planned", (event) => this.planned(/** @type {CustomEvent} */ (event).detail));
    this.show();
  }

  /** Another picture, or another way to fit it; what is typed elsewhere costs nothing here. @param {string[]} keys */
  changed(keys) {
    if (keys.includes(this.name)) this.say("");
    if (keys.includes(this.name) || keys.includes("fit")) this.show();
  }

  /** @param {DataTransfer} transfer */
  drop(transfer) {
    const id = transfer.getData("application/x-eichi"); // dragged from elsewhere on the page
    if (isId(id)) this.draft.set(this.name, id);
    else this.take(pictureOf(transfer));
  }

  /** Give a file to the server; what it refuses is said here. @param {File | undefined} file */
  async take(file) {
    if (!file) return;
    const following = /** @type {any} */ (isVideo(file) && this.name === "image" ? document.querySelector('file-drop[name="source.before"]') : null);
    if (following) return following.take(file); // a video in the place of the first picture is one to continue
    await this.give("pictures", file);
  }

  show() {
    const id = this.draft.get(this.name), label = say(this.dataset.label ?? `label.${this.name}`);
    const url = id ? pictureUrl(id, 1024) : "";
    this.classList.toggle("filled", Boolean(id));
    if (id && this.image.getAttribute("src") !== url) this.image.src = url;
    if (!id) this.image.removeAttribute("src");
    this.image.hidden = !id;
    this.image.alt = id ? label : "";
    this.remove_.hidden = !id && this.problem.hidden;
    this.remove_.setAttribute("aria-label", say("do.remove_picture", { name: label }));
    this.remove_.title = say("do.remove_picture", { name: label });
    this.text.textContent = id ? "" : say("page.drop", { name: label });
    this.text.hidden = Boolean(id);
    this.input.setAttribute("aria-label", label);
    this.frame();
  }

  /** @param {any} planned the draft's plan */
  planned(planned) {
    const { width = 0, height = 0 } = planned.plan ?? {};
    if (width === (this.size?.width ?? 0) && height === (this.size?.height ?? 0)) return;
    this.size = width ? { width, height } : null;
    this.frame();
  }

  /** Show what of the picture will be seen. */
  frame() {
    const { naturalWidth: width, naturalHeight: height } = this.image, seen = this.size && width && !this.image.hidden;
    this.crop.hidden = !seen || this.draft.get("fit", "crop") === "letterbox";
    if (!seen || !this.size) return;
    this.text.textContent = say("page.shown_at", this.size);
    this.text.hidden = false;
    const { clientWidth, clientHeight } = this.label, shown = Math.min(clientWidth / width, clientHeight / height);
    const scale = Math.min(width / this.size.width, height / this.size.height) * shown;
    const wide = this.size.width * scale, high = this.size.height * scale;
    this.crop.style.width = `${wide}px`;
    this.crop.style.height = `${high}px`;
    this.crop.style.left = `${(clientWidth - wide) / 2}px`;
    this.crop.style.top = `${(clientHeight - high) / 2}px`;
  }
}

customElements.define("picture-drop", PictureDrop);

// A place for a video or a sound of a draft: by click, drop, or from the results. What cannot be read is said in its
// place. A picture has a place of its own, `picture.js`.

import { address, get, isId } from "./api.js";
import { open } from "./dialog.js";
import { button, el } from "./dom.js";
import { draft } from "./draft.js";
import { Drop } from "./drop.js";
import { fileOf } from "./jobtext.js";
import { live } from "./live.js";
import { droppable } from "./picture.js";
import { saying } from "./toast.js";
import { number, say } from "./words.js";

/** What a browser is asked for, by the kind of file. */
const KINDS = /** @type {Record<string, string>} */ ({
  video: ".mp4,.m4v,.mov,.mkv,.webm,.avi,.ts,.mts,.m2ts,.mpg,.gif,.webp,.apng,video/*",
  sound: ".wav,.mp3,.m4a,.aac,.flac,.ogg,.opus,audio/*",
});

/** `<file-drop name="source.before" kind="video">`: the video, or the sound, of an option of a draft, of one of a video where nothing else is said. */
export class FileDrop extends Drop {
  connectedCallback() {
    if (this.input) return;
    this.draft = draft(/** @type {any} */ (this.dataset.draft ?? "video"));
    this.name = this.getAttribute("name") ?? "";
    this.kind = this.getAttribute("kind") ?? "video";
    this.asked = "";
    this.input = /** @type {HTMLInputElement} */ (el("input", { type: "file", accept: KINDS[this.kind], class: "unseen" }));
    this.image = /** @type {HTMLImageElement} */ (el("img", { alt: "", draggable: "false", hidden: true }));
    this.text = el("span", { class: "hint" });
    this.problem = el("p", { class: "wrong", role: "alert", hidden: true });
    this.label = el("label", {}, this.image, this.text, this.input);
    this.remove_ = button("close", "", () => this.clear(), { quiet: true, class: "remove" });
    this.choose_ = button("", "", () => this.choose(), { class: "link" });
    this.choose_.hidden = this.kind !== "video";
    this.append(this.label, this.remove_, this.problem, this.choose_);
    this.input.addEventListener("change", () => this.take(this.input.files?.[0]));
    this.image.addEventListener("error", () => (this.image.hidden = true));
    droppable(this, (transfer) => this.take([...transfer.files][0]));
    this.draft.addEventListener("change", (event) => this.changed(/** @type {CustomEvent} */ (event).detail.keys));
    document.addEventListener("words", () => {
      this.asked = "";
      this.show();
    });
    this.show();
  }

  /** @param {string[]} keys */
  changed(keys) {
    if (!keys.includes(this.name)) return;
    this.say("");
    this.show();
  }

  /** Give a file to the server; what it refuses is said here. @param {File | undefined} file */
  async take(file) {
    if (!file) return;
    this.text.hidden = false;
    this.text.textContent = say("page.reading", { name: file.name });
    await this.give(`files?kind=${this.kind}`, file);
    this.asked = "";
    this.show();
  }

  /** One of the videos among the results. */
  async choose() {
    const answer = await saying(() => get("latents"));
    if (!answer) return;
    const ended = live.ended();
    const rows = answer.files.filter((one) => one.kind === "video").map((one) => {
      const job = ended.find((each) => fileOf(each) === one.name);
      const node = button("", job ? `#${job.id} · ${one.name}` : one.name, () => {
        this.draft.set(this.name, one.id);
        close();
      });
      node.prepend(el("img", { src: address(`refs/${one.id}/picture`), alt: "", loading: "lazy" }));
      return el("li", {}, node);
    });
    const content = rows.length ? el("ul", { class: "choices" }, ...rows) : el("p", { class: "none", text: say("page.no_videos") });
    const close = open(content, { title: say("do.choose_video") });
  }

  async show() {
    const id = this.draft.get(this.name), label = say(`label.${this.name}`);
    if (id && !this.classList.contains("filled")) this.closest("details")?.setAttribute("open", "");
    this.classList.toggle("filled", Boolean(id));
    this.remove_.hidden = !id && this.problem.hidden;
    this.remove_.setAttribute("aria-label", say("do.remove_picture", { name: label }));
    this.remove_.title = say("do.remove_picture", { name: label });
    this.choose_.textContent = say("do.choose_video");
    this.input.setAttribute("aria-label", label);
    if (!id) {
      this.asked = "";
      this.image.hidden = true;
      this.text.textContent = say(`page.drop_${this.kind}`, { name: label });
    } else if (this.asked !== id) {
      this.asked = id;
      const ref = isId(id) ? await get(`refs/${id}`).catch(() => null) : null;
      if (this.asked === id) this.told(id, ref);
    }
  }

  /** What is known of the file. @param {string} id @param {any} ref */
  told(id, ref) {
    const seen = ref?.kind === "video";
    this.image.hidden = !seen;
    if (seen) this.image.src = address(`refs/${id}/picture?size=1024${this.name === "source.before" ? "&at=last" : ""}`);
    const parts = [ref?.name ?? say("page.file_gone")];
    if (ref?.seconds) parts.push(say("page.length", { seconds: number(ref.seconds, 1) }));
    if (seen && ref.sound !== null) parts.push(say(ref.sound ? "page.with_sound" : "page.silent"));
    this.text.textContent = parts.join(" · ");
  }
}

customElements.define("file-drop", FileDrop);

// What is kept to be used again: prompts with a name, and whole forms with a name.

import { del, get, post, put, save, upload } from "./api.js";
import { open } from "./dialog.js";
import { button, el, find } from "./dom.js";
import { request } from "./plan.js";
import { saying, toast } from "./toast.js";
import { say } from "./words.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("./take.js").Change} Change */

const at = encodeURIComponent;

/**
 * Presets of prompts and favourites, each in a dialog of its own.
 * @param {Draft} draft
 * @param {Change} change
 * @param {(nested: any) => Record<string, any>} drafted a draft of nested options
 */
export function shelf(draft, change, drafted) {
  find("#presets").addEventListener("click", () => new Presets(draft, change).show());
  find("#favourites").addEventListener("click", () => new Favourites(draft, change, drafted).show());
}

/**
 * What a form begins with where nothing was set yet: the start-up prompt, and the model that is there.
 * @param {Draft} draft
 * @param {import("./sizes.js").Models} models
 */
export async function startUp(draft, models) {
  const kept = await get("prompts").catch(() => null), model = models.usual("reverse");
  draft.change((values) => {
    if (kept?.startup) values.prompt = kept.startup;
    if (model !== "tiny") values.model = model;
  });
}

/** A dialog with a list of what has a name, and a way to give one. */
class Shelf {
  /** @param {Draft} draft @param {Change} change */
  constructor(draft, change) {
    this.draft = draft;
    this.change = change;
    this.list = el("ul", {});
    this.name = /** @type {HTMLInputElement} */ (el("input", { type: "text", id: "shelf-name", autocomplete: "off", maxlength: "200" }));
    this.wrong = el("p", { class: "wrong", role: "alert" });
    this.asked = 0;
  }

  /** What is kept, null where it is not known or was asked for again meanwhile. @param {string} path */
  async latest(path) {
    const turn = ++this.asked, found = await saying(() => get(path));
    return turn === this.asked ? found : null;
  }

  /** @param {string} title @param {string} label of the name @param {...Node} more */
  open(title, label, ...more) {
    const form = el("form", { class: "save", novalidate: true },
      el("div", { class: "field" }, el("label", { for: "shelf-name", text: label }), this.name),
      el("button", { class: "primary", text: say("do.save") }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.wrong.textContent = this.name.value.trim() ? "" : say("shelf.no_name");
      if (this.name.value.trim()) this.keep(this.name.value.trim());
      else this.name.focus();
    });
    this.close = open(el("div", { class: "shelf" }, form, this.wrong, ...more, this.list), { title });
    this.filled = this.fill();
  }

  /** Say what was done, with the way back, and show the list as it is. @param {string} text @param {(() => Promise<any>) | null} back */
  async done(text, back) {
    const undo = async () => {
      await saying(back ?? (async () => {}));
      if (this.list.isConnected) await this.fill();
    };
    toast(text, back ? { undo } : {});
    await this.fill();
  }

  /** @param {string} _name */
  async keep(_name) {}

  async fill() {}
}

class Presets extends Shelf {
  show() {
    this.startup = el("div", { class: "startup" });
    this.open(say("shelf.presets"), say("shelf.save_prompt_as"), this.startup);
  }

  async fill() {
    const kept = await this.latest("prompts");
    if (!kept) return;
    this.presets = kept.presets;
    const begin = kept.startup ?? "";
    const set = button("", say("shelf.set_startup"), () => this.begin(this.draft.get("prompt", ""), begin));
    const none = begin ? button("trash", say("do.delete"), () => this.begin("", begin), { quiet: true }) : null;
    this.startup.replaceChildren(el("b", { text: say("shelf.startup") }), el("p", { text: begin || say("shelf.no_startup") }), el("div", { class: "row" }, set, none));
    this.list.replaceChildren(...this.presets.map((one) => this.row(one)));
  }

  /** @param {{name: string, label: string, text: string, built_in: boolean}} one */
  row(one) {
    const name = one.label;
    const apply = button("", say("do.apply"), () => {
      this.change((values) => (values.prompt = one.text), "undo.prompt");
      this.close();
    });
    const drop = one.built_in ? null : button("trash", `${say("do.delete")}: ${name}`, () => saying(async () => {
      await del(`prompts/${at(one.name)}`);
      await this.done(say("undo.deleted", { name }), () => put(`prompts/${at(one.name)}`, { text: one.text }));
    }), { quiet: true });
    return el("li", {}, el("b", { text: name }), el("p", { text: one.text }), el("div", { class: "row" }, apply, drop));
  }

  /** @param {string} name */
  keep(name) {
    return saying(async () => {
      await this.filled; // whoever types fast is told what was overwritten, too
      const before = (this.presets ?? []).find((one) => !one.built_in && one.name === name);
      await put(`prompts/${at(name)}`, { text: this.draft.get("prompt", "") });
      this.name.value = "";
      if (before) await this.done(say("undo.overwritten", { name }), () => put(`prompts/${at(name)}`, { text: before.text }));
      else await this.done(say("shelf.saved", { name }), () => del(`prompts/${at(name)}`));
    });
  }

  /** @param {string} text @param {string} before */
  begin(text, before) {
    return saying(async () => {
      const set = (/** @type {string} */ value) => (value ? put("prompts", { text: value }) : del("prompts"));
      await set(text);
      await this.done(say(text ? "shelf.startup_set" : "undo.deleted", { name: say("shelf.startup") }), () => set(before));
    });
  }
}

class Favourites extends Shelf {
  /** @param {Draft} draft @param {Change} change @param {(nested: any) => Record<string, any>} drafted */
  constructor(draft, change, drafted) {
    super(draft, change);
    this.drafted = drafted;
  }

  show() {
    const input = /** @type {HTMLInputElement} */ (el("input", { type: "file", accept: ".json", class: "unseen", tabindex: "-1", "aria-hidden": "true" }));
    input.addEventListener("change", () => saying(async () => {
      const taken = await upload("favourites", input.files[0]);
      input.value = "";
      await this.done(say("page.favourites_taken", { names: taken.names.join(", ") }), null);
    }));
    const out = button("download", say("do.export"), () => saying(async () => {
      save(new Blob([JSON.stringify(await get("favourites.json"), null, 1)], { type: "application/json" }), "favourites.json");
    }));
    this.open(say("shelf.favourites"), say("shelf.save_settings_as"), el("div", { class: "row" }, button("upload", say("do.import"), () => input.click()), out, input));
  }

  async fill() {
    const kept = await this.latest(`favourites?kind=${this.draft.kind}`);
    if (!kept) return;
    this.kept = kept.favourites;
    this.list.replaceChildren(...this.kept.map((one) => this.row(one)));
    if (!this.kept.length) this.list.append(el("li", { class: "none", text: say("shelf.none") }));
  }

  /** Where options are kept under a name. @param {string} name */
  url(name) {
    return `favourites/${at(name)}?kind=${this.draft.kind}`;
  }

  /** @param {{name: string}} one */
  row({ name }) {
    const url = `favourites/${at(name)}`;
    const apply = button("", say("do.apply"), () => saying(async () => {
      const read = await get(url), taken = this.drafted(read.options);
      this.change((values) => {
        for (const key of Object.keys(values)) if (!key.startsWith("page.batch.")) delete values[key];
        Object.assign(values, taken);
      }, "undo.favourite");
      if (read.notes.length) toast("", { said: read });
      this.close();
    }));
    const rename = button("edit", `${say("keep.rename")}: ${name}`, () => this.rename(name), { quiet: true });
    const drop = button("trash", `${say("do.delete")}: ${name}`, () => saying(async () => {
      const before = await del(url);
      await this.done(say("undo.deleted", { name }), () => put(this.url(name), before));
    }), { quiet: true });
    return el("li", {}, el("b", { text: name }), el("span", {}), el("div", { class: "row" }, apply, rename, drop));
  }

  /** @param {string} name */
  keep(name) {
    return saying(async () => {
      const url = `favourites/${at(name)}`, before = await put(this.url(name), request(this.draft).options);
      this.name.value = "";
      if (before) await this.done(say("undo.overwritten", { name }), () => put(this.url(name), before));
      else await this.done(say("shelf.saved", { name }), () => del(url));
    });
  }

  /** Ask for another name, in place of the row. @param {string} name */
  rename(name) {
    const input = /** @type {HTMLInputElement} */ (el("input", { type: "text", value: name, "aria-label": say("shelf.name") }));
    const form = el("form", { class: "row", novalidate: true }, input, el("button", { text: say("keep.rename") }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const to = input.value.trim();
      if (to && to !== name) saying(async () => {
        await post(`favourites/${at(name)}/rename`, { to });
        await this.done(say("shelf.renamed", { name: to }), () => post(`favourites/${at(to)}/rename`, { to: name }));
      });
      else this.fill();
    });
    const row = [...this.list.children].find((one) => one.firstElementChild?.textContent === name);
    row?.replaceChildren(form);
    input.select();
  }
}

// Model, length, size and seed: what is offered depends on the kind of model, on the model and on what was made last.

import { get } from "./api.js";
import { menu } from "./dialog.js";
import { el, find, findAll } from "./dom.js";
import { live } from "./live.js";
import { planned } from "./plan.js";
import { shared } from "./storage.js";
import { turned } from "./timeline-items.js";
import { saying } from "./toast.js";
import { language, say, size } from "./words.js";

const LAST = "eichi.model.";

/** @typedef {import("./draft.js").Draft} Draft */

/** The models that can be asked for. */
export class Models {
  /** @type {any[]} */
  all = [];
  /** Which downloads there are, and whether they have ended. */
  state = "";

  /** @param {Draft} draft */
  constructor(draft) {
    this.draft = draft;
    for (const radio of findAll('input[name="mode"]')) radio.addEventListener("change", () => this.turn(radio.value));
    draft.addEventListener("change", () => this.show());
    document.addEventListener("words", () => this.learn());
    live.addEventListener("downloads", () => {
      const state = live.downloads.map((one) => `${one.name} ${one.status}`).join();
      if (state !== this.state) this.learn();
      this.state = state;
    });
  }

  async learn() {
    this.all = (await saying(() => get("models")))?.models ?? this.all;
    this.show();
  }

  /** The kind of a model; one that is unknown is as the form stands. @param {string} name */
  direction(name) {
    return this.all.find((one) => one.name === name)?.direction ?? this.draft.get("page.direction", "reverse");
  }

  /**
   * Another kind of model: the one that was last used of it. What only the other kind has stays in the draft, and what
   * sections have of their own stays where it is in the video, which the other kind numbers from its other end.
   * @param {string} direction
   */
  turn(direction) {
    const model = this.usual(direction), count = planned()?.plan?.sections?.length ?? 0;
    this.draft.change((values) => {
      turned(values, count);
      values["page.direction"] = direction === "reverse" ? null : direction;
      values.model = model === "tiny" ? null : model;
    });
  }

  /** The model that a kind begins with. @param {string} direction */
  usual(direction) {
    const fit = this.all.filter((one) => one.direction === direction), last = shared.getItem(LAST + direction);
    const here = fit.filter((one) => one.present), real = here.find((one) => !one.embedded);
    return (fit.find((one) => one.name === last) ?? real ?? here[0] ?? fit[0])?.name ?? "tiny";
  }

  show() {
    const direction = this.draft.get("page.direction", "reverse"), name = this.draft.get("model", "tiny");
    for (const radio of findAll('input[name="mode"]')) radio.checked = radio.value === direction;
    const fit = this.all.filter((one) => one.direction === direction), model = this.all.find((one) => one.name === name);
    if (!fit.length) return;
    const list = find(`#${this.draft.kind}-model`), state = JSON.stringify([language(), fit.map((one) => [one.label, one.present]), name]);
    if (list.dataset.state !== state) {
      list.dataset.state = state;
      const choices = (rows) => rows.map((one) => new Option(one.label, one.name, false, one.name === name));
      const here = fit.filter((one) => one.present), away = fit.filter((one) => !one.present);
      list.replaceChildren(...choices(here), ...(away.length ? [el("optgroup", { label: say("page.to_fetch") }, ...choices(away))] : []));
      if (!fit.some((one) => one.name === name)) list.add(new Option(model?.label ?? name, name, false, true));
      list.value = name;
      if (model) shared.setItem(LAST + direction, name);
      this._said(model);
    }
    this._sizes(model);
  }

  /** Whether the model is here; if not, where it can be fetched. @param {any} model */
  _said(model) {
    const said = find("#model-said");
    said.replaceChildren(model?.present ?? true ? say("page.model_here") : say("page.model_away", { size: size(model.size) }));
    if (!model || model.present) return;
    said.append(" ", el("a", { href: `/${language()}/models`, text: say("do.fetch_model") }));
  }

  /** @param {any} model */
  _sizes(model) {
    const list = find(`#${this.draft.kind}-resolution`), chosen = this.draft.get("resolution");
    const state = JSON.stringify([language(), model?.name, chosen]);
    if (list.dataset.state === state) return;
    list.dataset.state = state;
    const offered = (model?.resolutions ?? []).map((one) => [one.value, one.label]);
    if (chosen !== null && !offered.some(([value]) => value === chosen)) offered.push([chosen, String(chosen)]);
    const usual = model?.default ?? null, rest = offered.filter(([value]) => value !== usual || value === chosen);
    list.replaceChildren(new Option(usual === null ? say("page.auto") : String(offered.find(([value]) => value === usual)?.[1] ?? usual), ""));
    for (const [value, text] of rest) {
      const one = new Option(text, String(value), false, value === chosen);
      one.dataset.value = JSON.stringify(value);
      list.add(one);
    }
    list.value = chosen === null ? "" : String(chosen);
  }
}

/**
 * Lengths to choose from, a seed by chance and the last one.
 * @param {Draft} draft
 * @param {Record<string, number[]>} suggestions lengths by kind of model
 */
export function figures(draft, suggestions) {
  if (find("#lengths")) menu(find("#lengths"), () =>
    (suggestions[draft.get("page.direction", "reverse")] ?? []).map((value) => ({
      text: say("page.whole_seconds", { seconds: value }),
      run: () => draft.set("seconds", value === 5 ? null : value),
    })),
  );
  find("#dice").addEventListener("click", () => draft.set("seed", null));
  find("#keep-seed").addEventListener("click", () => draft.set("seed", latest()));
  const show = () => {
    find("#dice").setAttribute("aria-pressed", String(draft.get("seed") === null));
    find("#keep-seed").disabled = latest() === null;
  };
  live.addEventListener("jobs", show);
  draft.addEventListener("change", show);
  show();
}

/** The seed of what was made last, or is being made. @returns {number | null} */
export function latest() {
  return [...live.active(), ...live.ended()].find((job) => typeof job.seed === "number")?.seed ?? null;
}

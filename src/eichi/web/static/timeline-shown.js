// What a timeline shows of a plan: its cards in the order of time, and what the video has no room for. Knows no node.

import { pictureUrl } from "./api.js";
import { called, own, owned } from "./timeline-items.js";
import { number, say } from "./words.js";

/** @typedef {import("./timeline-card.js").Shown} Shown */
/** @typedef {import("./timeline-items.js").Place} Place */

/**
 * @typedef {object} State
 * @property {any} plan
 * @property {Record<string, any>} values of the draft or the job
 * @property {{id?: string, key?: string | null, message: string}[]} problems
 * @property {Record<string, any>} tokens by the keys of texts
 * @property {Map<Place, string>} refused why a file was not taken, by place
 * @property {import("./timeline-job.js").Following | null} job if one is shown
 * @property {(place: Place) => void} choose
 * @property {(place: Place) => void} press
 */

const NO_IMAGE = "error.image.required"; // an empty place says it by itself
const FPS = 30, LATENT = 4; // frames a second, frames of a latent

/** The sections of a plan in the order of time. @param {any} plan @returns {any[]} */
export const sectionsOf = (plan) => (plan ? [...plan.sections].sort((a, b) => a.start_frame - b.start_frame) : []);

/** Frames of an ordinary section. @param {any[]} sections */
const ordinary = (sections) => Math.min(...sections.map((one) => one.end_frame - one.start_frame));

/** Seconds of a plan. @param {any} plan */
export const secondsOf = (plan) => (plan ? plan.frames / FPS : 0);

/** Whether sections can have pictures. @param {any} plan */
export const takes = (plan) => plan?.direction === "reverse";

/**
 * All cards.
 * @param {State} state
 * @returns {Shown[]}
 */
export function cardsOf(state) {
  const { plan } = state;
  if (!plan) return [];
  const sections = sectionsOf(plan), usual = ordinary(sections);
  const cards = [end(state, "image", say("timeline.drop")), ...sections.map((one) => card(state, one, usual))];
  if (takes(plan)) cards.push(end(state, "final", say("timeline.drop")));
  return cards;
}

/** The picture of a file; of a video the last one, which a new part follows. @param {string} id */
const pictured = (id) => (id.startsWith("upload:") ? pictureUrl(id) : `${pictureUrl(id)}&at=last`);

/** @param {State} state @param {Place} place @param {string} hint @returns {Shown} */
function end(state, place, hint) {
  const video = state.values[place === "image" ? "source.before" : "source.after"]; // it meets this one there
  if (video) {
    const label = say("timeline.video");
    return { place, name: label, head: label, url: place === "image" ? pictured(video) : pictureUrl(video), own: true, source: "", problem: problem(state, place) };
  }
  const id = own(state.values, place), name = called(place);
  return { place, name, head: name, url: id ? pictureUrl(id) : "", own: Boolean(id), source: id ? "" : hint, problem: problem(state, place) };
}

/** @param {State} state @param {any} section @param {number} usual @returns {Shown} */
function card(state, section, usual) {
  const { number, order, start_frame: first, end_frame: last } = section, { values, job, plan } = state;
  const mine = takes(plan) ? own(values, number) : null, prompt = own(values, number, "prompt")?.trim() ?? "";
  const [from, source] = origin(state, section, mine), became = job?.of(section);
  return {
    place: number,
    name: called(number),
    head: number < 0 ? "↻" : String(number),
    order: order + 1,
    share: (last - first) / usual,
    times: say("timeline.times", { start: first / FPS, end: last / FPS }),
    url: became?.url ?? (from ? pictured(from) : ""),
    own: Boolean(mine),
    source: became?.url ? "" : source,
    padding: padding(section),
    prompt,
    spoken: spoken(state, section, prompt),
    read: share(prompt ? tokensOf(state, number) : state.tokens[`pieces.${section.piece}`]),
    ...copies(state, section),
    kept: !job && order < plan.kept,
    state: became?.state ?? "",
    said: became?.said ?? "",
    short: became?.short ?? "",
    problem: problem(state, number),
    quick: quick(state, section),
  };
}

/** What a section is drawn from, where that is more than its own prompt or the common one. */
function spoken({ plan }, { piece, share: part = 1 }, prompt) {
  const own = prompt || (plan.pieces?.[piece ?? -1]?.text ?? "");
  return [part < 1 ? `${number(Math.round(100 * part))} %` : "", own].filter(Boolean).join(" · ");
}

/** The picture that a section comes from, and where that is, in words. @returns {[string | null, string]} */
function origin({ values, plan }, { anchor, number }, mine) {
  if (mine) return [mine, say("timeline.own")];
  if (anchor === "end") return [null, say("timeline.end")];
  const other = takes(plan) ? Number(/^section:(\d+)$/.exec(anchor)?.[1] ?? NaN) : NaN;
  const found = other === number ? null : own(values, other);
  if (found) return [found, say("timeline.copied", { number: other })];
  const before = values["source.before"];
  return before ? [before, say("timeline.from_video")] : [own(values, "image"), say("timeline.start")];
}

/** How far a section is from what it comes from. */
function padding({ padding: latents, start_frame: first, end_frame: last }) {
  const window = Math.max(1, Math.floor((last - first) / LATENT));
  return latents ? say("timeline.padding", { padding: Math.round((10 * latents) / window) / 10 }) : "";
}

/** The two sections that are copied, and those that have the copies. */
function copies({ values }, { number, anchor }) {
  if (!values["keyframes.copies"] || number < 0) return {};
  const from = number < 2 ? number : { "section:0": 0, "section:1": 1 }[anchor];
  if (from === undefined || (number > 1 && own(values, number))) return {};
  return { colour: from ? "blue" : "red", copies: number < 2 ? say(from ? "timeline.blue" : "timeline.red") : "" };
}

/** What is wrong about a place. @param {State} state @param {Place} place @param {string} [table] */
function problem({ problems, refused, job }, place, table) {
  const said = table ? undefined : refused.get(place);
  if (said || job) return said ?? "";
  const ends = { image: ["image"], final: ["keyframes.final", "keyframes.final_strength"] };
  const tables = table ? [table] : ["keyframes.sections", "keyframes.prompts"];
  const keys = typeof place === "number" ? tables.map((one) => `${one}.${place}`) : ends[place];
  const found = problems.find((one) => keys.includes(one.key ?? "") && one.id !== NO_IMAGE);
  return found?.message ?? "";
}

/** What is wrong with sections and on none of them. @param {State} state */
export function wrongOf({ problems, job }) {
  return job ? "" : (problems.find((one) => /^keyframes\.(sections|prompts)$/.test(one.key ?? ""))?.message ?? "");
}

/** @param {State} state @param {any} section */
function quick({ job, plan, choose, press }, section) {
  if (!job) return [];
  const { number } = section, done = job.actions(section).filter((one) => one.quick);
  if (done.length || number < 0 || !job.open(number)) return done;
  const picture = { icon: "plus", text: say("timeline.choose"), run: () => choose(number) };
  const words = { icon: "edit", text: say("timeline.edit"), run: () => press(number) };
  return takes(plan) ? [picture, words] : [words];
}

/**
 * What the video has no room for, or its model no use.
 * @param {State} state
 * @returns {import("./timeline-rest.js").Lost[]}
 */
export function restOf(state) {
  const { values, plan } = state, there = new Set(sectionsOf(plan).map((one) => one.number));
  const lost = owned(values).filter(({ number, kind }) => !there.has(number) || (kind === "picture" && !takes(plan)));
  const unused = plan && !takes(plan) ? own(values, "final") : null;
  const final = { place: "final", kind: "picture", name: called("final"), text: "", said: say("timeline.no_use_final") };
  const ends = unused ? [{ ...final, url: pictureUrl(unused), problem: problem(state, "final") }] : [];
  return lost.map(({ number, kind }) => ({
    place: number,
    kind,
    name: called(number),
    url: kind === "picture" ? pictureUrl(own(values, number) ?? "") : "",
    text: kind === "prompt" ? (own(values, number, "prompt") ?? "") : "",
    said: !plan ? called(number) : say(there.has(number) ? "timeline.no_use" : "timeline.no_room", { number }),
    problem: problem(state, number, kind === "picture" ? "keyframes.sections" : "keyframes.prompts"),
  })).concat(ends);
}

/** The tokens of a section's prompt. @param {State} state @param {Place | null} place */
export const tokensOf = ({ tokens }, place) => tokens[`keyframes.prompts.${place}`];

/** The share of what there is room for that a prompt takes. @param {any} tokens @returns {number | undefined} */
const share = (tokens) => (tokens?.llama?.limit ? tokens.llama.used / tokens.llama.limit : undefined);

// The upscalers of this machine as choices: in Finish, and where a video is asked for that is finished afterwards.

import { get } from "./api.js";
import { findAll } from "./dom.js";
import { saying } from "./toast.js";
import { say } from "./words.js";

/** @type {string[]} */
let known = [];

/** Ask for them once, and offer them in every choice of an upscaler. */
export async function offerUpscalers() {
  known = (await saying(() => get("upscalers")))?.upscalers ?? known;
  fill();
}

/** The choices, in the language of the page; what is chosen stays so. */
function fill() {
  for (const select of findAll("select[data-upscalers]")) {
    const chosen = select.value, names = chosen && !known.includes(chosen) ? [...known, chosen] : known;
    select.replaceChildren(new Option(say("value.none"), ""), ...names.map((name) => new Option(name, name)));
    select.value = chosen;
  }
}

document.addEventListener("words", fill);

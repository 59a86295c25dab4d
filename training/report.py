"""Does the model do what it is told? One table of figures on held-out pictures, and contact sheets to look at.

Every picture is combined with every word, so a figure says what the *word* did; the empty prompt is the control that
keeps the test honest. Pictures come from the held-out world: other seeds, and photographs never trained on. Frames
are those of the shipped decoder, one per latent. The sampler is `sample.py`, with which the program's own pipeline
must agree.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKLHunyuanVideo

from training import cache, samples, sheets, state, track, world
from training.codec import Codec, autoencoder
from training.decoder import decibels, flat, measure
from training.export import network
from training.sample import Sampler
from training.text import saved_tokenizers
from training.transformer import eyes
from training.words import DIRECTIONS

log = logging.getLogger(__name__)

SIZE, SECTIONS, STEPS = (64, 64), 2, 8
# What is said in each row of the table; {s} is the sprite's name.
SAID = {
    "right": "the {s} moves right",
    "left": "the {s} moves left",
    "up": "the {s} moves up",
    "down": "the {s} moves down",
    "still": "the {s} stands still",
    "jump": "the {s} jumps",
    "grow": "the {s} grows",
    "shrink": "the {s} shrinks",
    "spin": "the {s} spins",
    "pan right": "the camera pans right",
    "pan left": "the camera pans left",
    "zoom": "the camera zooms in",
    "": "",
}
LEAST = 0.05  # of the width: less is not a movement
RISE, FALL = 1.25, 0.8  # of a sprite's area: less is neither growing nor shrinking
FIRST = 9000  # number of the first held-out scene used here

Clip = torch.Tensor  # (frames, 3, height, width) in -1..1


@dataclass(frozen=True)
class Pictures:
    """Held-out start pictures, coded, with their empty backgrounds as the decoder shows them."""

    scenes: list[world.Scene]
    coded: cache.Clips
    backgrounds: torch.Tensor  # (n, 3, h, w)

    @property
    def start(self) -> torch.Tensor:
        return self.coded.stills[:, 0].float()


@dataclass(frozen=True)
class Bench:
    """All that is needed to make and watch clips of one direction."""

    sampler: Sampler
    vae: AutoencoderKLHunyuanVideo
    pictures: Pictures

    def latents(self, said: str, final: torch.Tensor | None = None) -> torch.Tensor:
        """One clip per picture, (n, 16, t, h, w)."""
        prompts = [said.format(s=s.name.split()[1]) for s in self.pictures.scenes]
        seen = eyes()(pixel_values=cache.vision(self.pictures.coded.pictures)).last_hidden_state
        return self.sampler.clips(self.pictures.start, prompts, seen, SECTIONS, final)

    def clips(self, said: str, final: torch.Tensor | None = None) -> list[Clip]:
        """The same as frames, one per latent."""
        return [decode(self.vae, z) for z in self.latents(said, final)]


@torch.no_grad()
def decode(vae: AutoencoderKLHunyuanVideo, latents: torch.Tensor) -> Clip:
    """Latents (16, t, h, w) to t frames of the shipped decoder, each latent as a picture of its own.

    That is enough to follow a sprite and ten times quicker than all frames of all clips.
    """
    pictures = latents.transpose(0, 1)[:, :, None]
    with flat():
        frames: torch.Tensor = vae.decoder(vae.post_quant_conv(pictures))[:, :, 0].clamp(-1, 1)
    return frames


def pictures(code: Codec, vae: AutoencoderKLHunyuanVideo, count: int) -> Pictures:
    """Held-out pictures with a sprite; the motion only sets the truth for the Final Frame, by turns."""
    words = tuple(DIRECTIONS)
    scenes = [world.scene("held", FIRST + k, SIZE, words[k % len(words)]) for k in range(count)]
    bare = torch.cat([world.render(s, torch.zeros(1), bare=True) for s in scenes])
    backgrounds = decode(vae, code.encode(bare).transpose(0, 1))
    return Pictures(scenes, cache.code_scenes(code, scenes), backgrounds)


def score(bench: Bench, word: str, clips: Sequence[Clip]) -> dict[str, float]:
    """The figures of one word: `ok` is the share of clips that do it."""
    pairs = list(zip(clips, bench.pictures.backgrounds[:, None], strict=True))
    found: dict[str, list[float]] = {"drift": [track.drift(c, b) for c, b in pairs]}
    ok: list[bool] | None = None
    if word in DIRECTIONS:
        found["along"] = [along(c, b, word) for c, b in pairs]
        ok = [v > LEAST for v in found["along"]]
        for good, scene in zip(ok, bench.pictures.scenes, strict=True):
            found.setdefault("ok on photo" if scene.kind == "photo" else "ok on other", []).append(float(good))
    elif word == "":
        for direction in DIRECTIONS:
            found[f"passes as {direction}"] = [float(along(c, b, direction) > LEAST) for c, b in pairs]
    else:
        value, test = _tests()[word]
        found["value"] = [value(c, b) for c, b in pairs]
        ok = [test(v) for v in found["value"]]
    figures = {name: sum(v) / len(v) for name, v in found.items() if v}
    return figures | ({"ok": sum(ok) / len(ok)} if ok is not None else {})


def along(clip: Clip, background: torch.Tensor, direction: str) -> float:
    """How far the sprite went in a named direction, in widths."""
    way = track.moved(clip, background)
    dx, dy = DIRECTIONS[direction]
    return float(way[0] * dx + way[1] * dy)


def _tests() -> dict[str, tuple[Callable[[Clip, torch.Tensor], float], Callable[[float], bool]]]:
    """What is measured for a word that is no direction, and when it counts."""
    return {
        "still": (track.drift, lambda v: v < LEAST),
        "jump": (_height, lambda v: v > 0.08),
        "grow": (track.growth, lambda v: v > RISE),
        "shrink": (track.growth, lambda v: v < FALL),
        "spin": (_turning, lambda v: v > LEAST),
        "pan right": (lambda c, _: track.panned(c[0], c[-1]), lambda v: v > LEAST),
        "pan left": (lambda c, _: track.panned(c[0], c[-1]), lambda v: v < -LEAST),
        "zoom": (lambda c, _: track.zoomed(c[0], c[-1]), lambda v: v > 1.1),
    }


def _height(clip: Clip, background: torch.Tensor) -> float:
    """How far the sprite rose above where it began, at its highest."""
    places, _ = track.centres(clip, background)
    return float((places[0, 1] - places[:, 1]).max())


def _turning(clip: Clip, background: torch.Tensor) -> float:
    """Change of the picture while the sprite's centre stays: mean difference of the middle frame from the first."""
    if track.drift(clip, background) > 2 * LEAST:
        return 0.0
    return float((clip[len(clip) // 3] - clip[0]).abs().mean())


@torch.no_grad()
def fidelity(bench: Bench, latents: torch.Tensor) -> float:
    """Decibels between frame 0 of officially decoded clips and the official picture of the start latent alone."""
    first = bench.vae.decode(latents[:, :, :5]).sample[:, :, 0]  # frame 0 comes from the first tile in time
    alone = bench.vae.decode(bench.pictures.start[: len(latents), :, None]).sample[:, :, 0]
    return decibels(first.clamp(-1, 1), alone.clamp(-1, 1))


def reached(bench: Bench, said: str) -> dict[str, float]:
    """Whether a Final Frame pulls the last frame towards it, and how near the sprite's centre comes."""
    last = bench.pictures.coded.stills[:, 9 * SECTIONS].float()
    goal = decode(bench.vae, last.transpose(0, 1))
    with_final, without = bench.clips(said, last), bench.clips(said)
    backgrounds = bench.pictures.backgrounds[:, None]
    nearer = [
        float((a[-1] - g).abs().mean() < (b[-1] - g).abs().mean())
        for a, b, g in zip(with_final, without, goal, strict=True)
    ]
    misses = [
        float((track.centres(a[-1:], b)[0] - track.centres(g[None], b)[0]).norm())
        for a, b, g in zip(with_final, backgrounds, goal, strict=True)
    ]
    return {"nearer": sum(nearer) / len(nearer), "miss": sum(misses) / len(misses)}


def report(folder: Path, direction: str, count: int, words: Sequence[str] = tuple(SAID)) -> dict[str, dict[str, float]]:
    """Measure one checkpoint; figures go to `report-<direction>.json`, sheets to `sheets/` in the state folder."""
    code, vae = cache.codec(folder), autoencoder()
    vae.load_state_dict(state.load(folder / "vae.pt")["model"])
    sampler = Sampler(network(folder, direction), saved_tokenizers(folder), direction, STEPS)
    bench = Bench(sampler, vae.eval(), pictures(code, vae, count))
    table: dict[str, dict[str, float]] = {"decoder": measure(vae, code)}
    for word in words:
        latents = bench.latents(SAID[word])
        clips = [decode(bench.vae, z) for z in latents]
        table[word or "(empty)"] = score(bench, word, clips)
        if word == "right":
            table["frame 0"] = {"decibels": fidelity(bench, latents[:8])}
        labels = [f"{direction}: {SAID[word].format(s=s.name)} [{s.kind}]" for s in bench.pictures.scenes]
        rows = list(zip(labels, clips, strict=True))[:12]
        sheets.sheet(folder / "sheets" / f"{direction}-{word or 'empty'}.png", rows)
        log.info("%s %s %s", direction, word or "(empty)", table[word or "(empty)"])
    if direction == samples.REVERSE:
        table["final frame"] = reached(bench, "")
    (folder / f"report-{direction}.json").write_text(json.dumps(table, indent=1) + "\n")
    return table

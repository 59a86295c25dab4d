"""measured/tiny-model.md: what the embedded model can and cannot do, in one table and in pictures (`make behaviour`).

Everything is measured through the program itself (`judge.py`), on pictures of the held-out world: other seeds, and
photographs never trained on. Every picture is combined with every word, so that a figure says what the *word* did; the
empty prompt is one control that keeps the table honest, the world's own clips in a model's place are the other. Each
figure stands beside the least that was asked for (`page.py`).

Sprites are followed in pictures of single latents, one frame of four: that is enough and ten times quicker than all.
Seams and smoothness are measured in the frames that a user gets.
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from training import measures, sheets, sprites, track, world
from training.decoder import decibels
from training.judge import LEAST, SIDE, Clip, Judge, Subject, Truth
from training.measures import FALL, HIGH, RISE
from training.page import BEFORE, FIGURES, MODELS, SAID, TARGET, TRUTH, WEIGHTS, Figures, Measured, card, page
from training.words import DIRECTIONS, OPPOSITE

log = logging.getLogger(__name__)

SHOWN = 4  # pictures of a motion's sheet, for each model
LONG = 4.8  # seconds that make four sections
SPANS = [0, 9, 10, 18]  # the first and the last latent of what each of two sections shows

Strips = list[tuple[str, Clip]]


@dataclass
class Bench:
    """One model, its held-out pictures, and what was found so far. `strips` are rows of the sheets, by word."""

    judge: Judge
    figures: Figures = field(default_factory=dict)
    strips: dict[str, Strips] = field(default_factory=dict)

    def shots(self, subject: Subject, word: str, quick: bool = False, **options: Any) -> Clip:
        """What each latent of a video shows, or only the first and the last."""
        latents = self.judge.drawn(subject, SAID[word], **options)[0]
        return self.judge.shots(latents[[0, -1]] if quick else latents)

    def share(self, name: str, subjects: Sequence[Subject], passed: Callable[[Subject], bool]) -> None:
        """The share of pictures that pass."""
        found = [passed(subject) for subject in subjects]
        self.figures[name] = sum(found) / len(found)
        log.info("%s %s: %d of %d", self.judge.components.entry.name, name, sum(found), len(found))

    def put(self, name: str, value: float) -> None:
        self.figures[name] = value
        log.info("%s %s: %.3f", self.judge.components.entry.name, name, value)

    def room(self, word: str) -> bool:
        """Whether the word's sheet takes another clip."""
        return len(self.strips.setdefault(word, [])) < SHOWN

    def show(self, word: str, subject: Subject, clip: Clip) -> None:
        """Keep a clip for the word's sheet, if there is room."""
        if self.room(word):
            said = SAID[word].format(s=subject.sprite) or "(empty)"
            self.strips[word].append((f"{said} [{subject.scene.kind}]", clip))


def report(pictures: int, side: int = SIDE, target: Path = TARGET) -> None:
    """Measure both models, each in a process of its own, and the world; write the page with its sheets, and the card.

    `side` is that of the pictures, in pixels.
    """
    found = _found((*MODELS, TRUTH), pictures, side)
    folder = target.with_suffix("")
    for word in SAID:
        rows = [(f"{MODELS[model]}: {label}", clip) for model in MODELS for label, clip in found[model][1][word]]
        sheets.sheet(folder / f"{word or 'empty'}.webp".replace(" ", "-"), rows)
    Measured(pictures, side, {model: values for model, (values, _) in found.items()}).write(folder / FIGURES)
    target.write_text(page(target), encoding="utf-8")
    (WEIGHTS / "README.md").write_text(card(target), encoding="utf-8")


def before(pictures: int, side: int = SIDE, target: Path = TARGET) -> None:
    """Measure the weights that ship, so that those which replace them can be shown beside them."""
    figures = {model: values for model, (values, _) in _found(tuple(MODELS), pictures, side).items()}
    Measured(pictures, side, figures).write(target.with_suffix("") / BEFORE)


def _found(names: Sequence[str], pictures: int, side: int) -> dict[str, tuple[Figures, dict[str, Strips]]]:
    """Figures and clips to look at, by what was measured."""
    with get_context("spawn").Pool(len(MODELS)) as pool:
        found = dict(zip(names, pool.starmap(measured, [(name, pictures, side) for name in names], 1), strict=True))
    for model in MODELS:
        found[model][0].update(cost(model, side))
    return found


def measured(model: str, pictures: int, side: int) -> tuple[Figures, dict[str, Strips]]:
    """All figures of one model, or of the world in its place, and clips to look at."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("eichi").setLevel(logging.WARNING)
    torch.set_num_threads(1)  # processes side by side use the cores better
    with tempfile.TemporaryDirectory() as folder:
        said = {text: word for word, text in SAID.items()}
        world_itself = model == TRUTH
        given = pictures, Path(folder), side
        bench = Bench(Truth(said, *given) if world_itself else Judge(model, *given))
        some = bench.judge.subjects[: max(1, pictures // 3)]
        _vae(bench)
        _ways(bench)
        _moves(bench, some)
        _camera(bench, some)
        _stays(bench, some)
        _keeps(bench, some[: max(1, len(some) // 2)])
        _seams(bench, some[: max(1, len(some) // 2)])
        _smooth(bench, some)
        _edges(bench, some)
        if not world_itself:
            _opposite(bench, some)
        if not world_itself and bench.judge.components.entry.direction == "reverse":
            _key_frames(bench, some)
    return bench.figures, bench.strips


@torch.inference_mode()
def _vae(bench: Bench) -> None:
    """Decibels of what comes back, and how evenly a sprite moves in it."""
    vae = bench.judge.components.vae

    def back(frames: Tensor) -> Tensor:
        clip = frames.transpose(0, 1)[None]
        shown: Tensor = vae.decode(vae.encode(clip).latent_dist.mode()).sample
        return shown[0].transpose(0, 1).clamp(-1, 1)

    scenes = [subject.scene for subject in bench.judge.subjects]
    clips = [world.render(s, torch.arange(17.0)) for s in scenes if s.kind != "photo"][:24]
    photos = [world.render(s, torch.zeros(1)) for s in scenes if s.kind == "photo"][:24]
    bench.put("clips", mean(decibels(back(c), c) for c in clips))
    bench.put("photographs", mean(decibels(back(p), p) for p in photos))
    uneven = []
    for subject in _plain(bench.judge.subjects)[:8]:
        clip = back(world.render(subject.scene, torch.arange(33.0)))
        uneven.append(measures.unevenness(clip, subject.scene, subject.background))
    bench.put("coded", mean(uneven))


def _ways(bench: Bench) -> None:
    """The four named ways, and none."""
    found: dict[str, list[bool]] = {"named": [], "named on photographs": []}
    passes: list[bool] = []
    for subject in bench.judge.subjects:
        for way in DIRECTIONS:
            clip = bench.shots(subject, way, quick=not bench.room(way))
            bench.show(way, subject, clip)
            name = "named on photographs" if subject.scene.kind == "photo" else "named"
            found[name].append(bench.judge.went(subject, clip, way) > LEAST)
        clip = bench.shots(subject, "", quick=not bench.room(""))
        bench.show("", subject, clip)
        passes += [bench.judge.went(subject, clip, way) > LEAST for way in DIRECTIONS]
    for name, passed in {**found, "empty": passes}.items():
        bench.put(name, sum(passed) / max(1, len(passed)))


def _moves(bench: Bench, subjects: Sequence[Subject]) -> None:
    """What a sprite does on the spot."""

    def test(word: str, passed: Callable[[Clip, Subject], bool], among: Sequence[Subject] = subjects) -> None:
        def one(subject: Subject) -> bool:
            clip = bench.shots(subject, word)
            bench.show(word, subject, clip)
            return passed(clip, subject)

        bench.share(word, among, one)

    test("jump", lambda clip, s: measures.rise(clip, s.background) > HIGH)
    test("grow", lambda clip, s: track.growth(clip, s.background) > RISE)
    test("shrink", lambda clip, s: track.growth(clip, s.background) < FALL)
    turning = [s for s in bench.judge.subjects if s.sprite in sprites.TURNING][: len(subjects)]
    test("spin", lambda clip, s: measures.spins(clip, s.scene, s.background), turning)
    figures = bench.judge.others("figure", len(subjects))
    test("wave", lambda clip, s: measures.waves(clip, s.scene, s.background), figures)


def _camera(bench: Bench, subjects: Sequence[Subject]) -> None:
    """What the camera does: measured where the picture shows it, which a plain background does not."""
    seen = [s for s in subjects if float(s.background.std()) > 0.1] or list(subjects)

    def panned(way: str, sign: int) -> Callable[[Subject], bool]:
        def one(subject: Subject) -> bool:
            clip = bench.shots(subject, way)
            bench.show(way, subject, clip)
            return sign * track.panned(clip[0], clip[-1]) > LEAST

        return one

    bench.share("pan right", seen, panned("pan right", 1))
    bench.share("pan left", seen, panned("pan left", -1))
    bench.put("pan", (bench.figures["pan right"] + bench.figures["pan left"]) / 2)

    def zoomed(subject: Subject) -> bool:
        clip = bench.shots(subject, "zoom")
        bench.show("zoom", subject, clip)
        return track.zoomed(clip[0], clip[-1]) > 1.1

    bench.share("zoom", seen, zoomed)


def _stays(bench: Bench, subjects: Sequence[Subject]) -> None:
    drifts = []
    for subject in subjects:
        clip = bench.shots(subject, "still")
        bench.show("still", subject, clip)
        drifts.append(bench.judge.drift(subject, clip))
    bench.put("still", mean(drifts))


def _keeps(bench: Bench, subjects: Sequence[Subject]) -> None:
    """What is left of a moving sprite's looks after five seconds."""
    losses = []
    for subject in subjects:
        clip = bench.shots(subject, subject.scene.motion, seconds=LONG)
        losses.append(measures.lost(clip, subject.scene, subject.background))
    bench.put("kept", mean(losses))


def _edges(bench: Bench, subjects: Sequence[Subject]) -> None:
    """How sharp a moving sprite's outline is after a second, in the frames that a user gets."""
    frame, shares = world.FPS, []
    for subject in subjects:
        clip = bench.judge.clip(subject, SAID[subject.scene.motion])
        true, at = world.render(subject.scene, torch.tensor([float(frame)]))[0], torch.tensor([float(frame)])
        shares.append(measures.edges(clip[frame], true, world.truth(subject.scene, at)[0], subject.scene))
    bench.put("edges", mean(shares))


def _opposite(bench: Bench, subjects: Sequence[Subject]) -> None:
    """Two sections with opposite prompts: each goes its own way."""
    reverse = bench.judge.components.entry.direction == "reverse"

    def one(subject: Subject) -> bool:
        early = subject.scene.motion
        late = OPPOSITE[early]
        # Section 0 is the video's end for the standard model, its start for F1.
        said = (late, early) if reverse else (early, late)
        prompts = {k: f"the {subject.sprite} moves {way}" for k, way in enumerate(said)}
        latents, _ = bench.judge.drawn(subject, "", keyframes={"prompts": prompts})
        places, _ = track.centres(bench.judge.shots(latents[SPANS]), subject.background)
        steps = places[1::2] - places[::2]
        ways = torch.tensor([DIRECTIONS[early], DIRECTIONS[late]], dtype=torch.float32)
        return bool(((steps * ways).sum(1) > 0).all())

    bench.share("opposite", subjects, one)


def _seams(bench: Bench, subjects: Sequence[Subject]) -> None:
    """The steps between the sections of five seconds, as a multiple of the clip's median step."""
    ratios = []
    for subject in subjects:
        clip = bench.judge.clip(subject, SAID[subject.scene.motion], seconds=LONG)
        steps = (clip[1:] - clip[:-1]).abs().mean((1, 2, 3))
        usual = max(float(steps.median()), 1e-4)
        ratios += [float(steps[36 * k]) / usual for k in range(1, (len(clip) - 1) // 36)]
    bench.put("seams", median(ratios))
    bench.put("worst seam", max(ratios))


def _smooth(bench: Bench, subjects: Sequence[Subject]) -> None:
    plain = _plain(subjects)[:6]
    clips = [bench.judge.clip(s, SAID[s.scene.motion], seconds=1.0)[:33] for s in plain]
    uneven = [measures.unevenness(c, s.scene, s.background) for c, s in zip(clips, plain, strict=True)]
    bench.put("made", mean(uneven))


def _plain(subjects: Sequence[Subject]) -> list[Subject]:
    """Pictures in which a sprite is followed to a fraction of a pixel."""
    return [s for s in subjects if s.scene.kind in ("plain", "gradient")] or list(subjects[:1])


def _key_frames(bench: Bench, subjects: Sequence[Subject]) -> None:
    """How near a sprite comes to where a picture has it that was given for the end or for a section."""

    def missed(subject: Subject, said: str, keyframes: dict[str, Any]) -> float:
        latents, _ = bench.judge.drawn(subject, said, keyframes=keyframes)
        goal = bench.judge.alone(subject.last)
        made = bench.judge.shots(latents[-1:])
        ends = [track.centres(picture, subject.background)[0] for picture in (made, goal)]
        return float((ends[0] - ends[1]).norm())

    bench.put("final", mean(missed(s, "", {"final": s.last}) for s in subjects))
    bench.put("key", mean(missed(s, SAID["still"], {"sections": {0: s.last}}) for s in subjects))


def cost(model: str, side: int) -> Figures:
    """Time and size: with nothing beside it, for as many threads as there are."""
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(model, 1, Path(folder), side)
        start = time.perf_counter()
        judge.clip(judge.subjects[0], SAID["right"], seconds=1.0, sampling={"teacache": False})
        seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file())
    return {"seconds": seconds, "megabytes": size / 1e6}


def curves(folder: Path, target: Path = TARGET) -> None:
    """Draw the loss of both networks over all steps, as the training wrote it down, averaged over 500 steps."""
    width, height, top = 760, 260, 0.4
    canvas = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(canvas)
    runs = {"reverse": (52, 87, 213), "forward": (217, 72, 59)}
    first = _curve(folder / "joint.jsonl")
    longest = max(step for name in runs for step, _ in _curve(folder / f"{name}.jsonl"))
    for k in range(5):
        y = height - 24 - (height - 40) * k / 4
        pen.text((6, y - 6), f"{top * k / 4:.1f}", fill="black")
        pen.line([(36, y), (width - 10, y)], fill=(225, 228, 234))
    for number, (name, colour) in enumerate(runs.items()):
        points = [*first, *_curve(folder / f"{name}.jsonl")]
        smooth = [(points[k][0], mean(v for _, v in points[max(0, k - 9) : k + 1])) for k in range(len(points))]
        line = [(40 + (width - 50) * s / longest, height - 24 - (height - 40) * min(v, top) / top) for s, v in smooth]
        pen.line(line, fill=colour, width=2)
        pen.text((width - 120, 12 + 16 * number), name, fill=colour)
    pen.text(
        (40, height - 18), f"loss (mean square error of the velocity) over {longest} steps of 8 windows", fill="black"
    )
    path = target.with_suffix("") / "curves.webp"
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, lossless=True)


def _curve(path: Path) -> list[tuple[int, float]]:
    if not path.exists():  # of a folder that began with shipped weights there is no first stage
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(line["step"], line["loss"]) for line in lines]

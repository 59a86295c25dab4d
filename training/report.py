"""measured/tiny-model.md: what the embedded model can and cannot do, in one table and in pictures (`make behaviour`).

Everything is measured through the program itself (`judge.py`), on pictures of the held-out world: other seeds, and
photographs never trained on. Every picture is combined with every word, so that a figure says what the *word* did; the
empty prompt is one control that keeps the table honest, the world's own clips in a model's place are the other. Each
figure stands beside the least that was asked for, and where it is less, the table says so.

Sprites are followed in pictures of single latents, one frame of four: that is enough and ten times quicker than all.
Seams and smoothness are measured in the frames that a user gets.
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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
from training.measures import FALL, HIGH, RISE, TURNED
from training.words import DIRECTIONS, OPPOSITE

log = logging.getLogger(__name__)

MODELS = {"tiny": "standard", "tiny-f1": "F1"}
TRUTH = "the world itself"
ROOT = Path(__file__).parent.parent
TARGET = ROOT / "measured" / "tiny-model.md"
WEIGHTS = ROOT / "src" / "eichi" / "models" / "tiny"

SAID = {
    "right": "the {s} moves right",
    "left": "the {s} moves left",
    "up": "the {s} moves up",
    "down": "the {s} moves down",
    "still": "the {s} stands still",
    "jump": "the {s} jumps",
    "spin": "the {s} spins",
    "wave": "the {s} waves",
    "grow": "the {s} grows",
    "shrink": "the {s} shrinks",
    "pan right": "the camera pans right",
    "pan left": "the camera pans left",
    "zoom": "the camera zooms in",
    "": "",
}
SHOWN = 4  # pictures of a motion's sheet, for each model
LONG = 4.8  # seconds that make four sections
SPANS = [0, 9, 10, 18]  # the first and the last latent of what each of two sections shows

Figures = dict[str, float]


@dataclass(frozen=True)
class Bar:
    """One row of the table: a figure's name, what it is, and from where on it is good enough."""

    name: str
    what: str
    least: float
    unit: str = "%"  # shares are printed in hundredths
    most: bool = False  # the figure must not be larger, instead of smaller

    def met(self, value: float) -> bool:
        return value <= self.least if self.most else value >= self.least

    def told(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.unit == "%" else f"{value:.1f} {self.unit}".strip()


BARS = (
    Bar("clips", "VAE: synthetic clips", 32, "dB"),
    Bar("photographs", "VAE: photographs never seen", 29, "dB"),
    Bar("coded", "a sprite's steps between frames, clip through the VAE: deviation / mean", 0.5, "", True),
    Bar("made", "the same in what the model makes", 0.5, "", True),
    Bar("named", "goes the named way, plain and textured", 0.98),
    Bar("named on photographs", "goes the named way, photographs", 0.92),
    Bar("empty", "passes as a named way with an empty prompt (chance: 25 %)", 0.25, "%", True),
    Bar("jump", "jumps: rises by more than 8 % of the width", 0.95),
    Bar("spin", f"spins: by {TURNED[0]:.0f} to {TURNED[1]:.0f} degrees within the first second, on the spot", 0.85),
    Bar("wave", "a figure waves: an arm goes up beside its head and comes down again", 0.85),
    Bar("grow", f"grows: area over {RISE}", 0.95),
    Bar("shrink", f"shrinks: area under {FALL}", 0.85),
    Bar("pan", "the camera pans: background shifts by more than 5 % of the width", 0.95),
    Bar("zoom", "the camera zooms: magnification over 1.1", 0.95),
    Bar("still", "stands still: largest drift, mean over the pictures, of the width", 0.01, "%", True),
    Bar("kept", "a moving sprite over 5 s: colour and shape lose from the first second to the last", 2.0, "dB", True),
    Bar("edges", "outline after 1 s: share of it whose contrast is at least half of the truth's", 0.80),
    Bar("final", "Final Frame reached: sprite's centre misses by, of the width", 0.01, "%", True),
    Bar("key", "key frame of a section reached: sprite's centre misses by, of the width", 0.01, "%", True),
    Bar("opposite", "opposite prompts in two sections go opposite ways", 0.95),
    Bar("seams", "step between sections against the clip's median step", 1.5, "", True),
    Bar("seconds", "seconds for a section of 1 s, 25 steps, 2 cores, no step cache", 8, "s", True),
    Bar("megabytes", "package data", 25, "MB", True),
)


@dataclass
class Bench:
    """One model, its held-out pictures, and what was found so far. `strips` are rows of the sheets, by word."""

    judge: Judge
    figures: Figures = field(default_factory=dict)
    strips: dict[str, list[tuple[str, Clip]]] = field(default_factory=dict)

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
    """Measure both models, each in a process of its own, and the world; write the page with its sheets.

    `side` is that of the pictures, in pixels.
    """
    names = (*MODELS, TRUTH)
    with get_context("spawn").Pool(len(MODELS)) as pool:
        found = dict(zip(names, pool.starmap(measured, [(name, pictures, side) for name in names], 1), strict=True))
    for model in MODELS:
        found[model][0].update(cost(model, side))
    folder = target.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for word in SAID:
        rows = [(f"{MODELS[model]}: {label}", clip) for model in MODELS for label, clip in found[model][1][word]]
        sheets.sheet(folder / f"{word or 'empty'}.webp".replace(" ", "-"), rows)
    figures = {model: values for model, (values, _) in found.items()}
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    target.write_text(page(figures, pictures, side), encoding="utf-8")


def measured(model: str, pictures: int, side: int) -> tuple[Figures, dict[str, list[tuple[str, Clip]]]]:
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
    test("spin", lambda clip, s: measures.spins(clip, s.background), turning)
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


def page(figures: dict[str, Figures], pictures: int, side: int) -> str:
    """The whole page."""
    return "\n".join([*_head(pictures, side), *_table(figures), *_after(figures), *_sheets()]) + "\n"


def _head(pictures: int, side: int) -> Iterator[str]:
    yield from (
        "# The embedded model, measured",
        "",
        "Made by `make behaviour`: both checkpoints in the package, through the program with its defaults (25 steps,",
        f"TeaCache), on {pictures} held-out pictures of {side} x {side}, a third of them photographs never seen; from",
        "“jumps” on a third of the pictures, for clips of five seconds a sixth. How it was made, what is in it and",
        "what it cannot do: [its card](../src/eichi/models/tiny/README.md).",
        "",
    )


def _table(figures: dict[str, Figures]) -> Iterator[str]:
    yield f"| what | asked for | {' | '.join(MODELS.values())} | {TRUTH} | |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for bar in BARS:
        values = [figures[name].get(bar.name) for name in (*MODELS, TRUTH)]
        told = ["-" if value is None else bar.told(value) for value in values]
        short = any(value is not None and not bar.met(value) for value in values[: len(MODELS)])
        least = f"{'at most' if bar.most else 'at least'} {bar.told(bar.least)}"
        yield f"| {bar.what} | {least} | {' | '.join(told)} | {'**not reached**' if short else ''} |"


def _after(figures: dict[str, Figures]) -> Iterator[str]:
    worst = " and ".join(f"{figures[model]['worst seam']:.1f}" for model in MODELS)
    yield from (
        "",
        "“The world itself” is what a model that had learnt everything would reach: the clips of the training world",
        "with the same pictures, sent through the VAE. The row of seams is the median over all seams; the worst has",
        f"{worst} times its clip's median step.",
    )
    if (TARGET.with_suffix("") / "curves.webp").exists():
        yield from ("", "![loss over steps](tiny-model/curves.webp)")


def _sheets() -> Iterator[str]:
    for word, said in SAID.items():
        title = said.format(s="sprite") or "(empty prompt)"
        name = (word or "empty").replace(" ", "-")
        yield from ("", f"## {title[0].upper()}{title[1:]}", "", f"![{title}](tiny-model/{name}.webp)")


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

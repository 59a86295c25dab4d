"""What was measured of the embedded model, told: the page measured/tiny-model.md, and the table on its card.

Both are made of the figures that lie beside the page, so that neither says what was not measured. Knows how figures are
called and which are asked for; knows no model and measures nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from training.measures import FALL, RISE, TURNED

FIGURES, BEFORE = "figures.json", "before.json"  # beside the page's sheets

Figures = dict[str, float]

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

    def told(self, value: float | None) -> str:
        """A figure as it is printed; a dash where it was not measured."""
        if value is None:
            return "-"
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


@dataclass(frozen=True)
class Measured:
    """The figures of some models on so many square pictures of `side` pixels."""

    pictures: int
    side: int
    figures: Mapping[str, Figures]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Measured":
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def page(target: Path = TARGET) -> str:
    """The whole page."""
    folder = target.with_suffix("")
    now, old = Measured.read(folder / FIGURES), folder / BEFORE
    before = Measured.read(old) if old.exists() else None
    curves = (folder / "curves.webp").exists()
    return "\n".join([*_head(now, before), *_table(now, before), *_after(now.figures, curves), *_sheets()]) + "\n"


def card(target: Path = TARGET) -> str:
    """The model card, its table filled in."""
    text = (ROOT / "training" / "card.md").read_text(encoding="utf-8")
    return text.replace("{figures}", "\n".join(_rows(Measured.read(target.with_suffix("") / FIGURES))))


def _rows(now: Measured) -> Iterator[str]:
    yield f"| on {now.pictures} pictures of {now.side} x {now.side} | {' | '.join(MODELS.values())} |"
    yield "|---" * (len(MODELS) + 1) + "|"
    for bar in BARS:
        told = [bar.told(now.figures[model].get(bar.name)) for model in MODELS]
        yield f"| {bar.what} | {' | '.join(told)} |"


def _head(now: Measured, before: Measured | None) -> Iterator[str]:
    yield from (
        "# The embedded model, measured",
        "",
        "Made by `make behaviour`: both checkpoints in the package, through the program with its defaults (25 steps,",
        f"TeaCache), on {now.pictures} held-out pictures of {now.side} x {now.side}, a third of them photographs never",
        "seen; from “jumps” on a third of the pictures, for clips of five seconds a sixth. How it was made, what is in",
        "it and what it cannot do: [its card](../src/eichi/models/tiny/README.md).",
    )
    if before is not None:
        size = f"{before.side} x {before.side}"
        yield f"“Before” are the weights that these replaced, on {before.pictures} such pictures of {size}."
    yield ""


def _table(now: Measured, before: Measured | None) -> Iterator[str]:
    columns = [(label, now.figures[model]) for model, label in MODELS.items()]
    if before is not None:
        columns += [(f"before: {label}", before.figures[model]) for model, label in MODELS.items()]
    columns.append((TRUTH, now.figures[TRUTH]))
    yield f"| what | asked for | {' | '.join(label for label, _ in columns)} | |"
    yield "| --- " * (len(columns) + 3) + "|"
    for bar in BARS:
        values = [figures.get(bar.name) for _, figures in columns]
        told = map(bar.told, values)
        short = any(value is not None and not bar.met(value) for value in values[: len(MODELS)])
        least = f"{'at most' if bar.most else 'at least'} {bar.told(bar.least)}"
        yield f"| {bar.what} | {least} | {' | '.join(told)} | {'**not reached**' if short else ''} |"


def _after(figures: Mapping[str, Figures], curves: bool) -> Iterator[str]:
    worst = " and ".join(f"{figures[model]['worst seam']:.1f}" for model in MODELS)
    yield from (
        "",
        "“The world itself” is what a model that had learnt everything would reach: the clips of the training world",
        "with the same pictures, sent through the VAE. The row of seams is the median over all seams; the worst has",
        f"{worst} times its clip's median step.",
    )
    if curves:
        yield from ("", "![loss over steps](tiny-model/curves.webp)")


def _sheets() -> Iterator[str]:
    for word, said in SAID.items():
        title = said.format(s="sprite") or "(empty prompt)"
        name = (word or "empty").replace(" ", "-")
        yield from ("", f"## {title[0].upper()}{title[1:]}", "", f"![{title}](tiny-model/{name}.webp)")

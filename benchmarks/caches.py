"""measured/caches.md: evaluations that the step caches save, against what it does to the video.

python -m benchmarks.caches > measured/caches.md

Each row draws the same clips with the embedded model, with the same seeds: held-out pictures of the synthetic world
that are told to move. PSNR and SSIM compare the frames with those of the full computation, the worst clip counting as
much as the mean. Times are not measured: an evaluation that is saved is one that is not computed.
"""

import argparse
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from benchmarks.printing import printing
from eichi.events import SectionDone
from eichi.pipeline.job import THRESHOLDS
from training.decoder import decibels
from training.judge import Clip, Judge, joined

log = logging.getLogger(__name__)

STEPS, MODELS = 25, ("tiny", "tiny-f1")
TRIED: dict[str, tuple[float, ...]] = {
    "tea": (0.05, 0.15, 0.4),
    "mag": (0.06, 0.1, 0.2, 0.4),
    "first": (0.06, 0.1, 0.2),
}
WORDS = ("right", "left", "up", "down")

HEAD = f"""# Step caches

`sampling.cache` chooses how steps are found that need not be computed, `sampling.threshold` how much change is let
pass. Made by `python -m benchmarks.caches` with the embedded models, {STEPS} steps, one second; compared with the same
clips without a cache. The default of each kind is in bold.

What holds for the embedded models need not hold for the published ones, which have not been run here: their TeaCache
coefficients and MagCache ratios are published measurements, and `eichi calibrate` takes one's own.

Read off it: `tea` and `first` save about as much at the same likeness, and both more than `mag`. `tea` is what is used
without a word, because it is what FramePack is known to work with at full size.

| model | cache | threshold | evaluations saved | PSNR, mean | PSNR, worst | SSIM, mean | SSIM, worst |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Row:
    """What a cache did to some clips: the share of evaluations saved, and likeness, a number a clip."""

    saved: float
    psnr: list[float]
    ssim: list[float]


def similarity(one: Clip, other: Clip) -> float:
    """Structural similarity of two clips, the mean over frames."""
    pairs = zip(one.numpy(), other.numpy(), strict=True)
    values = [structural_similarity(a, b, channel_axis=0, data_range=2.0) for a, b in pairs]
    return float(np.mean(values))


def draw(judge: Judge, count: int, **sampling: Any) -> tuple[list[Clip], float]:
    """The clips, and the share of evaluations that was saved."""
    clips, computed, reused = [], 0, 0
    for subject, word in zip(judge.subjects[:count], WORDS, strict=False):
        events = judge.events(subject, f"the {{s}} moves {word}", seconds=1.0, sampling={"steps": STEPS} | sampling)
        done = [event for event in events if isinstance(event, SectionDone)]
        computed += sum(event.computed for event in done)
        reused += sum(event.reused for event in done)
        clips.append(joined(events))
    return clips, reused / (computed + reused)


def page(models: Sequence[str], count: int) -> str:
    """The whole page."""
    lines = [HEAD]
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            judge = Judge(model, count, Path(folder))
            full, _ = draw(judge, count, teacache=False)
            for kind, thresholds in TRIED.items():
                for threshold in thresholds:
                    clips, saved = draw(judge, count, cache=kind, threshold=threshold)
                    pairs = list(zip(clips, full, strict=True))
                    row = Row(saved, [decibels(*pair) for pair in pairs], [similarity(*pair) for pair in pairs])
                    lines.append(_line(model, kind, threshold, row))
                    log.info("%s", lines[-1])
    return "\n".join(lines)


def _line(model: str, kind: str, threshold: float, row: Row) -> str:
    mark = "**" if threshold == THRESHOLDS[kind] else ""
    likeness = f"{np.mean(row.psnr):.1f} | {min(row.psnr):.1f} | {np.mean(row.ssim):.3f} | {min(row.ssim):.3f}"
    return f"| {model} | {kind} | {mark}{threshold}{mark} | {row.saved:.0%} | {likeness} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.caches", description=__doc__)
    parser.add_argument("--count", type=int, default=3, help="clips a row")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser.add_argument("--model", action="append", choices=MODELS, help="both by default")
    args = parser.parse_args()
    print(page(args.model or MODELS, args.count))  # noqa: T201


if __name__ == "__main__":
    with printing():
        main()

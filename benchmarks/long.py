"""Long videos: memory that does not grow and work that grows in a straight line.

Memory is the peak of a whole process, from its start to the file, for a clip of 120 seconds and one of 5; a process
for each, few steps, since memory does not depend on them. Next to it diffusers' pipeline for lengths that it can do.
Work is counted, not timed. `python -m benchmarks long [--seconds N]`.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.clip import PROMPT, SEED, Told, diffusers, measure, ours, picture
from benchmarks.counts import Counts, count, straightness
from eichi.catalog import ModelFolders

SHORT, LONG, THEIRS = 5.0, 120.0, 20.0  # seconds
MODELS = ("tiny", "tiny-f1")
SECTIONS = (1, 2, 5, 10)


def memory(long: float, theirs: float) -> None:
    """Peak memory of short and long clips, and the difference."""
    contenders: list[tuple[str, Callable[[float, Path], Told], float]] = [
        (model, partial(ours, steps=1, model=model), long) for model in MODELS
    ]
    contenders.append(("diffusers", partial(diffusers, steps=1), theirs))
    print(f"{'peak memory, MiB':<18}{'5 s':>9}{'long':>9}{'longer by':>11}{'length':>9}")  # noqa: T201
    for name, contender, seconds in contenders:
        short, far = (measure(contender, length)["peak"] for length in (SHORT, seconds))
        print(f"{name:<18}{short:>9.1f}{far:>9.1f}{far - short:>11.1f}{seconds:>7.0f} s")  # noqa: T201


def work(model: str) -> None:
    """Counts against the number of sections, and how straight the lines are."""
    from eichi import VideoOptions, make_plan
    from eichi.models.load import Components
    from eichi.options import SamplingOptions
    from eichi.settings import Runtime

    rows: list[Counts] = []
    with tempfile.TemporaryDirectory() as folder:
        for sections in SECTIONS:
            options = VideoOptions(
                model=model,
                image=picture(),
                prompt=PROMPT,
                seconds=(36 * sections + 1) / 30,
                seed=SEED,
                sampling=SamplingOptions(steps=2, teacache=False),
            )
            plan = make_plan(options)
            rows.append(count(plan, Components(plan.entry, Runtime(ModelFolders(Path(folder)), "cpu")), Path(folder)))
    heads = ("sections", "evaluations", "decoded/latent", "encoded", "frames", "encoded/frame")
    print(f"{model:<10}" + "".join(f"{head:>16}" for head in heads))  # noqa: T201
    for row in rows:
        shares = row.decoded / row.latents, row.encoded / row.frames
        print(  # noqa: T201
            f"{'':<10}{row.sections:>16}{row.evaluations:>16}{shares[0]:>16.2f}{row.encoded:>16}{row.frames:>16}"
            f"{shares[1]:>16.2f}"
        )
    for name in ("evaluations", "encoded", "decoded"):
        fit = straightness([row.sections for row in rows], [getattr(row, name) for row in rows])
        print(f"{'':<10}R² of {name} against sections: {fit:.6f}")  # noqa: T201


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=LONG, help="length of our long clip")
    parser.add_argument("--theirs", type=float, default=THEIRS, help="length of the library's long clip")
    arguments = parser.parse_args(words)
    for model in MODELS:
        work(model)
    memory(arguments.seconds, arguments.theirs)

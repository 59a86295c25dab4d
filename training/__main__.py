"""`python -m training STAGE`: one stage of making the embedded model, or all of them in order.

Every stage continues where it was interrupted. Minutes are processor time of one core; the defaults, four hours in
all, are for two. On another device than the CPU they are minutes of the clock. `adopt` begins a state folder with the
weights that ship, so that `fork` and `decoder` go on from them, and `before` measures those; `all` begins with nothing.
After `teach` a further `fork` learns guidance from the best networks so far.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from eichi.console import console
from training import adopt, cache, calibrate, decoder, drawn, export, report, transformer, world

MINUTES = {"decoder": 45.0, "transformer": 180.0, "fork": 180.0, "polish": 65.0}
VALIDATION, DRAWN = 500, 60  # clips, batches


def stages(args: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """What each stage runs, in the order of `all`.

    The two stages of the transformer share one budget of minutes, and those of the decoder another.
    """
    folder: Path = args.state
    sizes = cache.SIZES[args.pixels]

    def minutes(stage: str) -> float:
        return float(args.minutes or MINUTES[stage])

    def job(stage: str) -> transformer.Job:
        given = {"peak": args.peak, "compiled": args.compile, "short": args.bf16, "device": args.device}
        return transformer.Job(folder, minutes(stage), args.batch, args.workers, **given)

    return {
        "cache": lambda: clips(folder, args.count, args.workers, args.pixels),
        "decoder": lambda: decoder.train(folder, cache.codec(folder), minutes("decoder"), sizes, args.device),
        "transformer": lambda: transformer.joint(job("transformer")),
        "fork": lambda: transformer.fork(job("fork")),
        "drawn": lambda: drawn.fill(folder, DRAWN, args.device),
        "polish": lambda: decoder.train(folder, cache.codec(folder), minutes("polish"), sizes, args.device),
        "export": lambda: export.export(folder, args.target),
        "calibrate": lambda: calibrate.calibrate(args.target, args.pixels),
        "curves": lambda: report.curves(folder),
        "report": lambda: report.report(args.pictures, args.pixels),
    }


def clips(folder: Path, count: int, workers: int, pixels: int) -> None:
    """Clips to learn from, of large pictures easier ones as well, and others to choose the best network by."""
    cache.fill(folder, cache.VALID, VALIDATION, workers, pixels)
    if pixels > world.SMALL:
        cache.fill(folder, cache.FIRST, count // 4, workers, pixels)
    cache.fill(folder, cache.TRAIN, count, workers, pixels)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "stage", choices=["all", "adopt", "before", "teach", *stages(argparse.Namespace(state=Path(), pixels=64))]
    )
    parser.add_argument("--state", type=Path, default=Path("build/training"), help="folder of caches and checkpoints")
    parser.add_argument("--target", type=Path, default=Path("src/eichi/models/tiny"), help="where weights are exported")
    parser.add_argument("--minutes", type=float, help=f"budget of one stage; by default {MINUTES}")
    parser.add_argument("--count", type=int, default=24_000, help="clips to cache")
    parser.add_argument("--pixels", type=int, default=64, choices=cache.SIZES, help="side of a square picture")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--batch", type=int, default=16, help="clips per step and process")
    parser.add_argument("--peak", type=float, default=1.0, help="factor of the learning rates")
    parser.add_argument("--compile", action="store_true", help="let torch compile the blocks first")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16")
    parser.add_argument("--device", default="cpu", help="where networks learn, as torch calls it")
    parser.add_argument("--pictures", type=int, default=64, help="held-out pictures of the report")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    runs = stages(args)
    alone = {
        "adopt": lambda: adopt.adopt(args.target, args.state),
        "before": lambda: report.before(args.pictures, args.pixels),
        "teach": lambda: transformer.teach(args.state),
    }
    if args.stage in alone:
        alone[args.stage]()
        return
    for name in runs if args.stage == "all" else [args.stage]:
        runs[name]()


if __name__ == "__main__":
    with console():
        main()

"""`python -m training STAGE`: one stage of making the embedded model, or all of them in order.

Every stage continues where it was interrupted. Minutes are wall-clock time; the defaults, two and a half hours in
all, are for two CPU cores.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from training import cache, calibrate, decoder, export, report, transformer

MINUTES = {"decoder": 20.0, "clips": 20.0, "transformer": 90.0, "fork": 90.0}


def stages(args: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """What each stage runs, in the order of `all`. The two stages of the transformer share one budget of minutes."""
    folder: Path = args.state

    def minutes(stage: str) -> float:
        return float(args.minutes or MINUTES[stage])

    return {
        "cache": lambda: cache.fill(folder, "train", args.count, args.workers),
        "decoder": lambda: decoder.train(folder, cache.codec(folder), decoder.PICTURES, minutes("decoder")),
        "clips": lambda: decoder.train(folder, cache.codec(folder), decoder.CLIPS, minutes("clips")),
        "transformer": lambda: transformer.joint(folder, minutes("transformer"), args.batch, args.workers),
        "fork": lambda: transformer.fork(folder, minutes("fork"), args.batch),
        "export": lambda: export.export(folder, args.target),
        "calibrate": lambda: calibrate.calibrate(args.target),
        "curves": lambda: report.curves(folder),
        "report": lambda: report.report(args.pictures),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=["all", *stages(argparse.Namespace(state=Path()))])
    parser.add_argument("--state", type=Path, default=Path("build/training"), help="folder of caches and checkpoints")
    parser.add_argument("--target", type=Path, default=Path("src/eichi/models/tiny"), help="where weights are exported")
    parser.add_argument("--minutes", type=float, help=f"wall-clock budget of one stage; by default {MINUTES}")
    parser.add_argument("--count", type=int, default=18_000, help="clips to cache")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--batch", type=int, default=8, help="clips per step and process")
    parser.add_argument("--pictures", type=int, default=64, help="held-out pictures of the report")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    runs = stages(args)
    for name in runs if args.stage == "all" else [args.stage]:
        runs[name]()


if __name__ == "__main__":
    main()

"""One whole clip, ours against diffusers' FramePack pipeline: same weights, picture, prompt, seed and steps.

Each contender runs in a process of its own, so that peak memory is its own; they take turns, so that a noisy machine
is noisy to both. Times and memory differ between machines: read the ratios. `python -m benchmarks clip [--seconds N]`.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

PROMPT = "the camera zooms in"
STEPS, SEED = 25, 1
KIB = 1024


def ours(seconds: float, folder: Path, steps: int = STEPS, model: str = "tiny") -> int:
    """Our own generator, TeaCache off; the file is written as frames become final."""
    from eichi import VideoOptions, generate, make_plan
    from eichi.options import SamplingOptions

    options = VideoOptions(
        model=model,
        image=picture(),
        prompt=PROMPT,
        seconds=seconds,
        seed=SEED,
        sampling=SamplingOptions(steps=steps, teacache=False),
    )
    *_, last = generate(make_plan(options), folder)
    return int(last.frames)  # type: ignore[union-attr]


def diffusers(seconds: float, folder: Path, steps: int = STEPS) -> int:
    """The library's pipeline and its own export."""
    from diffusers.utils import export_to_video

    from benchmarks.theirs import assemble, request
    from eichi import VideoOptions, make_plan
    from eichi.models.load import Components
    from eichi.settings import Runtime
    from eichi.video.images import fit, load

    plan = make_plan(VideoOptions(image=picture(), prompt=PROMPT, seconds=seconds, seed=SEED))
    parts = Components(plan.entry, Runtime(folder, "cpu"))
    pipe = assemble(parts)
    pipe.vae.use_framewise_decoding = True  # as the class comes; ours walks the grid itself
    pixels = fit(load(picture()), plan.width, plan.height, "crop")
    asked = request(plan.entry, pixels, PROMPT, len(plan.sections), plan.window, steps, SEED)
    frames = pipe(**asked).frames[0]
    export_to_video(frames, str(folder / "diffusers.mp4"), fps=30)
    return len(frames)


def picture() -> Path:
    return Path(str(files("eichi") / "demo" / "picture.jpg"))


def measure(contender: Callable[[float, Path], int], seconds: float) -> dict[str, Any]:
    """Run one contender in a fresh process; seconds of wall time and peak memory from start to file."""
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(contender, seconds, sender))
    begin = time.perf_counter()
    process.start()
    sender.close()  # a contender that dies ends the wait
    result: dict[str, Any] = receiver.recv()
    process.join()
    return result | {"whole": time.perf_counter() - begin}


def _child(contender: Callable[[float, Path], int], seconds: float, sender: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        frames = contender(seconds, Path(folder))
        spent = time.perf_counter() - begin
    peak = peak_memory()
    sender.send({"frames": frames, "seconds": spent, "peak": peak})


def peak_memory() -> float:
    """The most memory that this process has held so far, MiB. Linux only.

    `getrusage` would count what the process that started this one held, too.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / KIB


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0, help="12 are ten sections")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(words)
    rounds = [
        {contender.__name__: measure(contender, arguments.seconds) for contender in (ours, diffusers)}
        for _ in range(arguments.rounds)
    ]
    rows = {
        name: {key: median(turn[name][key] for turn in rounds) for key in ("frames", "seconds", "whole", "peak")}
        for name in ("ours", "diffusers")
    }
    rows["ratio"] = {key: rows["ours"][key] / rows["diffusers"][key] for key in rows["ours"]}
    if arguments.json:
        print(json.dumps(rows))  # noqa: T201
        return
    print(f"{'':<12}{'frames':>8}{'run, s':>10}{'process, s':>12}{'peak, MiB':>12}")  # noqa: T201
    for name, row in rows.items():
        digits = 2 if name == "ratio" else 1
        values = f"{row['seconds']:>10.{digits}f}{row['whole']:>12.{digits}f}{row['peak']:>12.{digits}f}"
        print(f"{name:<12}{row['frames']:>8.{0 if digits == 1 else 2}f}{values}")  # noqa: T201

"""One whole clip, ours against diffusers' FramePack pipeline: same weights, picture, prompt, seed and steps.

Each contender runs in a process of its own, so that peak memory is its own; they take turns, so that a noisy machine
is noisy to both. Times and memory differ between machines: read the ratios, each of which is of one turn. Of a run it
is told what went into importing, drawing (the transformer) and decoding (the VAE's decoder); ours draws and decodes at
once, so these may come to more than the run. `python -m benchmarks clip [--seconds N]`.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from eichi.catalog import ModelFolders

if TYPE_CHECKING:
    from eichi.models.load import Components

PROMPT = "the camera zooms in"
STEPS, SEED = 25, 1
KIB = 1024

COLUMNS = {
    "frames": "frames",
    "run": "run, s",
    "imports": "imports, s",
    "drawing": "drawing, s",
    "decoding": "decoding, s",
    "whole": "process, s",
    "peak": "peak, MiB",
}

Told = dict[str, float]


def ours(seconds: float, folder: Path, steps: int = STEPS, model: str = "tiny") -> Told:
    """Our own generator, TeaCache off; the file is written as frames become final."""
    begin = time.perf_counter()
    from eichi import VideoOptions, make_plan
    from eichi.events import Finished
    from eichi.models.load import Components
    from eichi.options import SamplingOptions
    from eichi.pipeline.generate import generate
    from eichi.settings import Runtime

    told = {"imports": time.perf_counter() - begin}
    options = VideoOptions(
        model=model,
        image=picture(),
        prompt=PROMPT,
        seconds=seconds,
        seed=SEED,
        sampling=SamplingOptions(steps=steps, teacache=False),
    )
    plan = make_plan(options)
    parts = Components(plan.entry, Runtime(ModelFolders(folder), "cpu"))
    watch(parts, told)
    *_, last = generate(plan, folder, parts)
    assert isinstance(last, Finished)
    return told | {"frames": float(last.frames)}


def diffusers(seconds: float, folder: Path, steps: int = STEPS) -> Told:
    """The library's pipeline and its own export, all of it as it comes."""
    begin = time.perf_counter()
    from diffusers.utils import export_to_video

    from benchmarks.theirs import assemble, request
    from eichi import VideoOptions, make_plan
    from eichi.models.convolution import remove_convolution
    from eichi.models.load import Components
    from eichi.settings import Runtime
    from eichi.video.images import fit, load

    told = {"imports": time.perf_counter() - begin}
    plan = make_plan(VideoOptions(image=picture(), prompt=PROMPT, seconds=seconds, seed=SEED))
    parts = Components(plan.entry, Runtime(ModelFolders(folder), "cpu"))
    pipe = assemble(parts)
    pipe.vae.use_framewise_decoding = True  # ours walks the grid itself
    remove_convolution(pipe.vae)
    watch(parts, told)
    pixels = fit(load(picture()), plan.width, plan.height, "crop")
    asked = request(plan.entry, pixels, PROMPT, len(plan.sections), plan.window, steps, SEED)
    frames = pipe(**asked).frames[0]
    export_to_video(frames, str(folder / "diffusers.mp4"), fps=30)
    return told | {"frames": float(len(frames))}


def watch(parts: "Components", told: Told) -> None:
    """Count the seconds inside of the transformer and of the VAE's decoder, from outside."""
    for name, network in {"drawing": parts.transformer, "decoding": parts.vae.decoder}.items():
        told[name] = 0.0
        network.register_forward_pre_hook(partial(_count, told, name, -1))
        network.register_forward_hook(partial(_count, told, name, 1))


def _count(told: Told, name: str, sign: int, *_: Any) -> None:
    told[name] += sign * time.perf_counter()


def picture() -> Path:
    return Path(str(files("eichi") / "demo" / "picture.jpg"))


def measure(contender: Callable[[float, Path], Told], seconds: float) -> Told:
    """Run one contender in a fresh process; what it told, its seconds and peak memory from start to file."""
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(contender, seconds, sender))
    begin = time.perf_counter()
    process.start()
    sender.close()  # a contender that dies ends the wait
    result: Told = receiver.recv()
    process.join()
    return result | {"whole": time.perf_counter() - begin}


def _child(contender: Callable[[float, Path], Told], seconds: float, sender: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        told = contender(seconds, Path(folder))
        spent = time.perf_counter() - begin
    sender.send(told | {"run": spent, "peak": peak_memory()})


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
    turns = [
        {who.__name__: measure(who, arguments.seconds) for who in (ours, diffusers)} for _ in range(arguments.rounds)
    ]
    for turn in turns:
        turn["ratio"] = {key: turn["ours"][key] / turn["diffusers"][key] for key in COLUMNS}
    rows = {name: {key: median(turn[name][key] for turn in turns) for key in COLUMNS} for name in turns[0]}
    if arguments.json:
        print(json.dumps(rows))  # noqa: T201
        return
    print(f"{'':<10}" + "".join(f"{head:>13}" for head in COLUMNS.values()))  # noqa: T201
    for name, row in rows.items():
        digits = 2 if name == "ratio" else 1
        print(f"{name:<10}" + "".join(f"{row[key]:>13.{digits}f}" for key in COLUMNS))  # noqa: T201
    print("ratio of each turn's runs: " + ", ".join(f"{turn['ratio']['run']:.2f}" for turn in turns))  # noqa: T201

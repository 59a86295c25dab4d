"""`python -m benchmarks.finish`: memory of a chain over a short and a long video; the table of measured/finish.md.

Each is finished by a process of its own, enlarged by an upscaler with random weights and given grain; the peak is what
the system counted for that process. Takes some minutes.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import psutil

from eichi.catalog import ModelFolders
from eichi.console import console
from eichi.finish.plan import make_finish_plan
from eichi.finish.run import finish
from eichi.options import FinishOptions
from eichi.settings import Runtime

TARGET = Path(__file__).parent.parent / "measured" / "finish.md"
SIDE, RATE = 96, 30
LENGTHS = (5, 600)  # seconds
CHAINS = {"upscale, grain": {"upscale": "compact2x", "grain": 0.2}, "backwards, grain": {"reverse": True, "grain": 0.2}}


def clip(path: Path, seconds: int) -> None:
    """A video in which every frame is another."""
    down, across = np.mgrid[:SIDE, :SIDE]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for number in range(seconds * RATE):
            pixels = np.stack([across * 2 + number, down * 2, across + down + number // 3], -1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def run(asked: dict[str, object]) -> None:
    """Finish one video, and say the seconds that it took and the peak of this process in bytes."""
    models = ModelFolders(Path(str(asked["folder"])) / "models")
    plan = make_finish_plan(FinishOptions.parse({"video": asked["video"], "finish": asked["chain"]}), models)
    begun = time.monotonic()
    for _ in finish(plan, Path(str(asked["folder"])), Runtime(models, device="cpu")):
        pass
    sys.stdout.write(json.dumps({"seconds": time.monotonic() - begun, "peak": peak(), "frames": plan.frames}) + "\n")


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finish", description=__doc__)
    parser.add_argument("--one", help="one run, as JSON; for this program itself")
    parser.add_argument("--write", type=Path, default=TARGET)
    args = parser.parse_args()
    if args.one:
        run(json.loads(args.one))
        return
    lines = [
        "# Memory of finishing a video", "",
        f"`python -m benchmarks.finish` on a CPU: videos of {SIDE}x{SIDE}, a process each, the peak of its memory.", "",
        "| chain | video | frames | seconds | peak | more than for the short one |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    with TemporaryDirectory() as folder:
        for name, chain in CHAINS.items():
            first = 0
            for seconds in LENGTHS:
                video = Path(folder) / f"{seconds}.mp4"
                if not video.exists():
                    clip(video, seconds)
                asked = json.dumps({"video": str(video), "chain": chain, "folder": folder})
                command = [sys.executable, "-m", "benchmarks.finish", "--one", asked]
                said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout.splitlines()[-1])
                first = first or said["peak"]
                most, more = said["peak"] / 2**20, (said["peak"] - first) / 2**20
                told = f"| {name} | {seconds} s | {said['frames']} | {said['seconds']:.0f} | {most:.0f} MiB"
                lines.append(f"{told} | {more:+.0f} MiB |")
    args.write.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    with console():
        main()

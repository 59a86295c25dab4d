"""What finishing and grids read: chains as they are asked for, over a video that is whole or damaged; cards; axes.

What would take long is planned and not run: a request may ask for as much as it likes.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from eichi.catalog import ModelFolders
from eichi.errors import EichiError
from eichi.finish.folder import asked, left_over
from eichi.finish.plan import make_finish_plan
from eichi.finish.run import finish, preview
from eichi.jobs.grid import crossed, make_axis, read_axis, shape_of
from eichi.options import FinishOptions, FrameOptions, VideoOptions
from eichi.reading import parse_json
from eichi.settings import Runtime
from tests.clips import Made

WORK = 2_000_000  # pixels of all frames that are made
COUNT, SIZE = 6, (48, 32)
CHAINS: tuple[dict[str, Any], ...] = (
    {"format": "gif", "speed": 2.0, "reverse": True, "repeat": 2},
    {"format": "webp", "scale": 0.5, "brightness": 0.1, "contrast": 1.2, "saturation": 0.5, "vignette": 0.4},
    {"format": "mp4", "fps": 60.0, "grain": 0.2, "sharpen": 0.3, "compression": 20, "pingpong": True},
    {"format": "webm", "denoise": 0.4, "upscale": "compact2x", "speed": 0.5},
    {"format": "png", "fps": 10.0},
)
AXES = (
    "sampling.steps=4, 8,12\ncfg=1.0-2.5 [4]\nreplace=猫,犬",
    'prompt="a, b",c\n--seed=3-5\nfinish.reverse=true,false',
    "weights.fp8=off,row\nsampling.steps=１〜９［３］\nreplace=走る、歩く",
)
ASKED = {"start": "black", "prompt": "猫が走る, a cat runs", "seconds": 1, "seed": 3}


@cache
def video() -> bytes:
    """A clip with a tone."""
    with tempfile.TemporaryDirectory() as folder:
        return Made(count=COUNT, size=SIZE, sound="aac").write(Path(folder) / "a.mp4").read_bytes()


def chains() -> Iterable[bytes]:
    return (json.dumps(chain).encode() for chain in CHAINS)


def cards() -> Iterable[bytes]:
    request = {"video": "a.mp4", "finish": CHAINS[0]}
    yield json.dumps({"request": request, "files": [["a.mp4", 9, 9]], "versions": {"av": "1"}}).encode()


def axes() -> Iterable[bytes]:
    return (text.encode() for text in AXES)


def finished(path: Path) -> None:
    """The file as a chain over a video that is whole."""
    (clip := path.parent / "clip.mp4").write_bytes(video())
    try:
        chain = parse_json(path.read_bytes().decode("utf-8", "replace"))
    except ValueError:  # whoever takes JSON says so
        return
    _run(FinishOptions.parse({"video": clip, "finish": chain}), path.parent)


def over_video(path: Path) -> None:
    """The file as a video that chains are asked for."""
    for chain in ({"grain": 0.2}, {"format": "gif", "reverse": True}):
        with suppress(EichiError):
            _run(FinishOptions.parse({"video": path, "finish": chain}), path.parent)


def carded(path: Path) -> None:
    """The file as the card of a chain that was interrupted."""
    folder = path.parent / ".a.parts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(path, folder / "chain.json")
    (clip := path.parent / "clip.mp4").write_bytes(video())
    plan = make_finish_plan(FinishOptions(video=clip), ModelFolders(path.parent / "models"))
    assert left_over(path.parent, plan) is None
    options = asked(folder)
    make_finish_plan(options, ModelFolders(path.parent / "models"))


def crossing(path: Path) -> None:
    """Each line of the file as an axis, and those that are some as a grid."""
    text = path.read_bytes().decode("utf-8", "replace")
    found = []
    for line in islice(text.split("\n"), 20):
        for kind in (VideoOptions, FrameOptions):
            with suppress(EichiError):
                axis = read_axis(line, kind)
                if kind is VideoOptions and len(axis.values) <= 4:
                    found.append(axis)
        with suppress(EichiError):
            make_axis("prompt", line, VideoOptions)
    requests = crossed(VideoOptions.parse(ASKED), found[:3])
    for language in ("en", "ja"):
        shape_of(requests, language)


def _run(options: FinishOptions, folder: Path) -> None:
    """Plan, look at one frame, and finish; what would take long is not run."""
    runtime = Runtime(ModelFolders(folder / "models"), device="cpu")
    plan = make_finish_plan(options, runtime.models)
    largest = max(plan.width * plan.height, plan.middle[0] * plan.middle[1], plan.clip.width * plan.clip.height)
    if max(plan.frames, plan.order.count, plan.worked) * largest > WORK:
        return
    out = folder / "finished"
    shutil.rmtree(out, ignore_errors=True)
    preview(plan, 0.1, runtime)
    for _ in finish(plan, out, runtime):
        pass

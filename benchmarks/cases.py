"""What becomes of files that people bring, a line each: `python -m benchmarks.cases FOLDER`.

Files lie in folders named after what they are: pictures, video, metadata, lora, archives, eichi19 (a folder each),
lists. With `--save` the lines are kept, with `--before` those of an earlier version stand beside them. Whether they
are right is for people to say; a traceback is marked.
"""

import argparse
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from eichi import make_plan
from eichi.catalog import ModelFolders, find
from eichi.errors import EichiError
from eichi.events import Adjusted
from eichi.jobs.lists import read_pictures
from eichi.library.archive import read_archive
from eichi.library.imports import import_folder
from eichi.library.restore import restore
from eichi.models.lorafile import read_lora
from eichi.models.loramatch import match_lora
from eichi.models.shapes import transformer_shapes
from eichi.options import VideoOptions
from eichi.video.images import load
from eichi.video.reader import measure_video, read_frames

MODEL = "tiny"
WIDTH = 110

Say = Callable[[Path], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--before", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("error")
    before = json.loads(given.before.read_text(encoding="utf-8")) if given.before else {}
    with tempfile.TemporaryDirectory() as home:
        os.environ["EICHI_HOME"] = home
        lines = dict(tried(given.folder))
    for name, line in lines.items():
        old = before.get(name, "")
        click.echo(f"{name} | " + (f"{'=' if old == line else old} | " if before else "") + line)
    if given.save:
        given.save.write_text(json.dumps(lines, ensure_ascii=False, indent=1), encoding="utf-8")
    click.echo(f"{len(lines)} files, {sum(line.startswith('TRACEBACK') for line in lines.values())} tracebacks")


def tried(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file and what becomes of it."""
    for kind, say in KINDS.items():
        place = folder / kind
        if kind == "eichi19":
            files = sorted(place.iterdir())
        elif kind == "lists":
            files = [place]
        else:
            files = sorted(path for path in place.rglob("*") if path.is_file())
        for path in files:
            yield path.relative_to(folder).as_posix(), _answer(say, path)


def _answer(say: Say, path: Path) -> str:
    try:
        line = say(path)
    except EichiError as error:
        line = f"refused ({error.id}): {error.say()}"
    except Exception as error:  # noqa: BLE001  # what is looked for
        line = f"TRACEBACK {type(error).__name__}: {error}"
    line = line.replace(str(path.parent), "").replace("\n", " / ")
    return line if len(line) <= 4 * WIDTH else line[: 4 * WIDTH] + " …"


def _picture(path: Path) -> str:
    image = load(path)
    plan = make_plan(VideoOptions(image=path, model=MODEL))
    corner, middle = image.getpixel((0, 0)), image.getpixel((image.width // 2, image.height // 2))
    return f"{image.width}x{image.height}, plan {plan.width}x{plan.height}, corner {corner}, middle {middle}"


def _video(path: Path) -> str:
    shape = measure_video(path)
    frames = list(read_frames(path))
    first: Any = frames[0]
    pixels = np.asarray(first if isinstance(first, np.ndarray) else getattr(first, "pixels", first))
    corner = tuple(int(value) for value in pixels[2, 2])
    return f"{shape} {len(frames)} frames of {pixels.shape[1]}x{pixels.shape[0]}, corner {corner}"


def _metadata(path: Path) -> str:
    found = restore(path)
    values: Any = found.values
    sampling = values.get("sampling", {})
    shown = {"steps": sampling.get("steps"), "cfg": sampling.get("cfg"), "guidance": sampling.get("guidance")}
    prompt, negative = (str(values.get(key, "")) for key in ("prompt", "negative"))
    settings = ", ".join(f"{key} {value}" for key, value in shown.items() if value is not None)
    prompt = prompt if len(prompt) < 60 else f"{prompt[:40]}… ({len(prompt)})"
    return f"{prompt!r} / {negative!r} / {values.get('seed')} / {settings} {_notes(found.notes)}"


def _lora(path: Path) -> str:
    model = find(MODEL)
    match = match_lora(read_lora(path), transformer_shapes(model, ModelFolders(Path())), model.name)
    told = match.report
    left = ", ".join(told.unmatched)
    return f"{told.format}, {len(told.weights)} weights, rank {told.rank}, alpha {told.alpha}, left {left or '-'}"


def _archive(path: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        request, notes = read_archive(path, Path(folder)).over(VideoOptions())
        keys = request.keyframes
        pictures = sorted(keys.sections) + (["end"] if keys.final else []) + (["start"] if request.image else [])
        return f"{request.prompt!r}, prompts {keys.prompts}, pictures {pictures} {_notes(notes)}"


def _folder(path: Path) -> str:
    with tempfile.TemporaryDirectory() as home:
        _, items = import_folder(path, Path(home))
    return "; ".join(
        f"{item.kind} {item.name} {'taken' if item.taken else 'left'} {_notes(item.notes)}" for item in items
    )


def _list(path: Path) -> str:
    pictures, notes = read_pictures(path)
    return ", ".join(f"{one.image.name}: {one.prompt!r}" for one in pictures if one.image) + f" {_notes(notes)}"


def _notes(notes: tuple[Adjusted, ...]) -> str:
    return f"[{', '.join(note.id.removeprefix('note.') for note in notes)}]" if notes else ""


KINDS: dict[str, Say] = {
    "pictures": _picture,
    "video": _video,
    "metadata": _metadata,
    "lora": _lora,
    "archives": _archive,
    "eichi19": _folder,
    "lists": _list,
}

if __name__ == "__main__":
    main()

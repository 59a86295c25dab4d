"""Every reader of the program with a real file of what it reads, small, as a user would have it.

A reader is asked everything that its file is ever asked for. It may answer, and it may refuse in our own words
(EichiError); anything else that comes out of it is a fault. Files of the program's own count as well: a disk damages
them, and people write into them.
"""

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import torch
from PIL import Image, PngImagePlugin

from eichi.catalog import ModelFolders, find
from eichi.errors import EichiError
from eichi.jobs.lists import read_pictures, read_prompts, read_references
from eichi.jobs.repair import repair
from eichi.jobs.store import Store
from eichi.library.archive import read_archive
from eichi.library.favourites import Favourites
from eichi.library.imports import import_folder
from eichi.library.loras import Loras
from eichi.library.prompts import PromptPresets
from eichi.library.restore import restore
from eichi.models.locate import complete
from eichi.models.lora import Lora, merge
from eichi.models.lorafile import lora_print, read_lora
from eichi.models.loramatch import match_lora
from eichi.models.shapes import transformer_shapes
from eichi.models.tokens import find_meter
from eichi.options import VideoOptions
from eichi.pipeline.checkpoint import Checkpoint
from eichi.settings import load_settings
from eichi.video.images import alpha, fit, load, measure
from eichi.video.jobfolder import unfinished
from eichi.video.latentfile import load_latents, measure_latents
from eichi.video.reader import measure_video, read_frames
from eichi.video.splice import report
from tests.fuzz import finishing, mutate
from tests.fuzz.mutate import Damage
from tests.fuzz.samples import (
    EICHI19,
    KEPT,
    archives,
    checkpoint_cards,
    eichi19_files,
    jpeg_files,
    latent_files,
    lists,
    lora_files,
    other_pictures,
    pixels,
    png_files,
    shapes,
    stores,
    text_files,
    tokenizers,
    video_files,
)
from tests.pictures import saved

Read = Callable[[Path], object]

FRAMES = 40  # of a video; a damaged one may promise any number


@dataclass(frozen=True)
class Kind:
    """One kind of file: its name, real ones, how they are damaged, what reads them."""

    name: str
    samples: Callable[[], Iterable[bytes]]
    damage: Damage
    readers: tuple[Read, ...]


def attempt(kind: Kind, data: bytes, folder: Path) -> None:
    """Let every reader of a kind read these bytes. What is not refused in our own words comes out."""
    path = folder / kind.name
    for read in kind.readers:
        path.write_bytes(data)
        with suppress(EichiError):
            read(path)


@cache
def real(name: str) -> tuple[bytes, ...]:
    """The real files of a kind, made once."""
    return tuple(KINDS[name].samples())


def damaged(name: str, number: int) -> bytes:
    """The number-th damaged file of a kind, always the same."""
    draw = Random(f"{name} {number}")
    return KINDS[name].damage(draw.choice(real(name)), draw)


def _text(path: Path) -> None:
    """The text as a picture of another program carries it."""
    text = path.read_bytes().decode("utf-8", "replace").replace("\0", " ")
    info = PngImagePlugin.PngInfo()
    for key in ("parameters", "prompt", "Comment"):
        info.add_itxt(key, text)
        picture = path.with_suffix(".png")
        picture.write_bytes(saved(Image.new("RGB", (8, 8)), "PNG", pnginfo=info))
        with suppress(EichiError):
            restore(picture)


def _fitted(path: Path) -> object:
    return fit(load(path), 48, 32, "crop")


def _frames(path: Path) -> object:
    return sum(1 for _ in islice(read_frames(path), FRAMES))


def _merged(path: Path) -> None:
    match = match_lora(read_lora(path), shapes(), "small")
    for name in match.shares:
        weight = torch.zeros(shapes()[name])
        merge(weight, weight, name, [Lora(match, 0.5, lora_print(path))])


def _unpacked(path: Path) -> object:
    return read_archive(path, path.parent / "archives").over(VideoOptions())


def _imported(path: Path) -> None:
    """The file as each of those that a folder of eichi 1.9 has."""
    for name in EICHI19:
        base = path.parent / "webui"
        shutil.rmtree(base, ignore_errors=True)
        (base / name).parent.mkdir(parents=True)
        shutil.copy(path, base / name)
        shutil.rmtree(path.parent / "home", ignore_errors=True)
        import_folder(base, path.parent / "home")


def _shelved(name: str, use: Callable[[Path], object]) -> Read:
    """The file in its place among what is kept."""

    def read(path: Path) -> object:
        home = path.parent / "shelf"
        shutil.rmtree(home, ignore_errors=True)
        (home / "library").mkdir(parents=True)
        shutil.copy(path, home / "library" / name)
        return use(home)

    return read


def _favourites(home: Path) -> None:
    kept = Favourites(home, lambda note: None)
    for name in kept.list():
        with suppress(EichiError):
            kept.apply(name)
    kept.save("new", VideoOptions())


def _taken_in(path: Path) -> object:
    return Favourites(path.parent / "home", lambda note: None).take_in(path)


def _prompts(home: Path) -> None:
    kept = PromptPresets(home, lambda note: None)
    for preset in kept.list():
        kept.apply(preset.name)
    kept.save("new", "text")


def _slots(home: Path) -> None:
    kept = Loras(home, lambda note: None)
    for number in kept.list():
        kept.apply(number)
    kept.rename(1, "new")


def _settings(path: Path) -> object:
    before = os.environ.get("EICHI_HOME")
    os.environ["EICHI_HOME"] = str(path.parent)
    try:
        return load_settings()
    finally:
        os.environ.pop("EICHI_HOME") if before is None else os.environ.update(EICHI_HOME=before)


def _listed(path: Path) -> None:
    folder = path.parent / "list"
    folder.mkdir(exist_ok=True)
    (folder / "a.png").touch()
    shutil.copy(path, folder / "a.txt")
    read_pictures(folder)


def _rows(data: bytes, draw: Random) -> bytes:
    """A store with another value in one place, or damaged bytes."""
    if draw.random() < 0.5:
        return mutate.anyhow(data, draw)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.db"
        file.write_bytes(data)
        with closing(sqlite3.connect(file)) as store, store:
            table = draw.choice(
                [row[0] for row in store.execute("select name from sqlite_schema where type = 'table'")]
            )
            column = draw.choice([row[1] for row in store.execute(f"pragma table_info('{table}')")])
            value = draw.choice(mutate.VALUES)
            held = value if isinstance(value, int | float | bytes | None) else json.dumps(value)
            with suppress(sqlite3.Error, OverflowError):
                store.execute(f"update '{table}' set '{column}' = ?", (held,))
        return file.read_bytes()


def _stored(path: Path) -> None:
    for other in ("-wal", "-shm"):
        path.with_name(path.name + other).unlink(missing_ok=True)
    with Store(f"sqlite:///{path}") as store:
        for job in store.jobs():
            job.view("ru")
            store.events(job.id)
        store.claim("here/1/0/a")


def _repaired(path: Path) -> None:
    repair(f"sqlite:///{path}")
    for left in path.parent.glob(f"{path.stem}*"):
        left.unlink()


def _resumed(path: Path) -> None:
    folder = path.parent / ".a.job"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / "job.json")
    (folder / "image.png").write_bytes(saved(Image.fromarray(pixels(48, 80, 3)), "PNG"))
    checkpoint = Checkpoint(folder)
    for ask in (
        checkpoint.plan,
        checkpoint.pictures,
        lambda: list(islice(checkpoint.sections(), 3)),
        lambda: unfinished(path.parent),
    ):
        with suppress(EichiError):
            ask()


def _model(name: str, use: Read) -> Read:
    """The file in its place in a folder of a model."""

    def read(path: Path) -> object:
        root = path.parent / "model"
        (root / "transformer").mkdir(parents=True, exist_ok=True)
        (root / "eichi.json").write_text('{"like": "framepack"}')
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / name)
        return use(root)

    return read


def _found(root: Path) -> object:
    return find(str(root))


def _indexed(root: Path) -> object:
    complete(root / "transformer", "transformer")
    return transformer_shapes(find(str(root)), ModelFolders(root))


def _metered(root: Path) -> object:
    for name in ("tokenizer", "tokenizer_2"):
        (root / name).mkdir(exist_ok=True)
        shutil.copy(root / "tokenizer.json", root / name / "tokenizer.json")
        (root / name / "tokenizer_config.json").write_text("{}")
    meter = find_meter(find(str(root)), ModelFolders(root))
    return meter and meter.read("a red star")


INDEX = "transformer/diffusion_pytorch_model.safetensors.index.json"


PICTURE = (measure, _fitted, alpha, restore)
LATENTS = (measure_latents, load_latents, report, restore)


def _kept(name: str, file: str, *readers: Read) -> Kind:
    """A kind that is JSON."""
    return Kind(file, lambda: [json.dumps(KEPT[name], ensure_ascii=False).encode()], mutate.as_json, readers)


KINDS = {
    "png": Kind("a.png", png_files, mutate.png, PICTURE),
    "jpeg": Kind("a.jpg", jpeg_files, mutate.jpeg, PICTURE),
    "pictures": Kind("a.webp", other_pictures, mutate.boxes, PICTURE),
    "texts": Kind("t.json", text_files, mutate.as_json, (_text,)),
    "videos": Kind("a.mp4", video_files, mutate.boxes, (measure_video, _frames, restore)),
    "loras": Kind("a.safetensors", lora_files, mutate.safetensors, (_merged,)),
    "latents": Kind("b.safetensors", latent_files, mutate.safetensors, LATENTS),
    "archives": Kind("a.zip", archives, mutate.zipped({"yaml": mutate.text, "png": mutate.png}), (_unpacked,)),
    "eichi19": Kind("c.json", eichi19_files, mutate.as_json, (_imported,)),
    "favourites": _kept("favourites", "d.json", _shelved("favourites.json", _favourites)),
    "exported": _kept("exported", "d.json", _taken_in),
    "prompts": _kept("prompts", "e.json", _shelved("prompts.json", _prompts)),
    "slots": _kept("slots", "f.json", _shelved("loras.json", _slots)),
    "settings": _kept("settings", "settings.json", _settings),
    "lists": Kind("g.txt", lists, mutate.text, (read_prompts, read_references, _listed)),
    "stores": Kind("jobs.db", stores, _rows, (_stored, _repaired)),
    "checkpoints": Kind("h.json", checkpoint_cards, mutate.as_json, (_resumed,)),
    "cards": _kept("card", "i.json", _model("eichi.json", _found)),
    "indexes": _kept("index", "i.json", _model(INDEX, _indexed)),
    "chains": Kind("k.json", finishing.chains, mutate.as_json, (finishing.finished,)),
    "chained": Kind("l.mp4", video_files, mutate.boxes, (finishing.over_video,)),
    "chaincards": Kind("m.json", finishing.cards, mutate.as_json, (finishing.carded,)),
    "axes": Kind("n.txt", finishing.axes, mutate.text, (finishing.crossing,)),
    "tokenizers": Kind("tokenizer.json", tokenizers, mutate.as_json, (_model("tokenizer.json", _metered),)),
}

"""Every reader of the program with a real file of what it reads, small, as a user would have it.

A reader is asked everything that its file is ever asked for. It may answer, and it may refuse in our own words
(EichiError); anything else that comes out of it is a fault. Files of the program's own count as well: a disk damages
them, and people write into them.
"""

import io
import json
import os
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import torch
import yaml
from PIL import Image, ImageCms, PngImagePlugin

from eichi.catalog import find
from eichi.errors import EichiError
from eichi.jobs.lists import read_pictures, read_prompts, read_references
from eichi.jobs.repair import repair
from eichi.jobs.schema import Draft
from eichi.jobs.store import Store
from eichi.jobs.view import Figures, Status
from eichi.library.archive import read_archive
from eichi.library.favourites import EXPORT, Favourites
from eichi.library.imports import import_folder
from eichi.library.loras import Loras
from eichi.library.prompts import PromptPresets
from eichi.library.restore import restore
from eichi.models.locate import complete
from eichi.models.lora import Lora, merge
from eichi.models.lorafile import lora_print, read_lora
from eichi.models.loramatch import match_lora
from eichi.models.shapes import Shapes, transformer_shapes
from eichi.models.tokens import find_meter
from eichi.options import VideoOptions
from eichi.pipeline.checkpoint import Checkpoint, unfinished
from eichi.settings import load_settings
from eichi.video.images import alpha, fit, load, measure
from eichi.video.latentfile import load_latents, measure_latents
from eichi.video.reader import measure_video, read_frames
from eichi.video.splice import report
from tests import loras, small
from tests.fuzz import mutate
from tests.fuzz.mutate import Damage
from tests.library.test_archive import EICHI
from tests.library.test_imports import OICHI, STANDARD

Read = Callable[[Path], object]
TEXT = 'a cat, "dances"\nNegative prompt: dog\nSteps: 20, Sampler: UniPC, CFG scale: 1, Distilled CFG Scale: 9, Seed: 5'
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


# --- pictures ------------------------------------------------------------------------------------------------------


def _pixels(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def _saved(image: Image.Image, form: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **how)
    return buffer.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + TEXT.encode("utf-16-be")
    exif.get_ifd(0x8825)[2] = (35.0, 30.0, 1.5)
    return exif


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _png() -> Iterable[bytes]:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", TEXT)
    info.add_text("Comment", json.dumps({"prompt": "a cat", "seed": 5}), zip=True)
    info.add_itxt("eichi", json.dumps(_record()))
    info.add_itxt("parameters", TEXT, zip=True)
    colours = Image.fromarray(_pixels(24, 32, 3))
    yield _saved(colours, "PNG", pnginfo=info, exif=_exif(), icc_profile=_profile())
    yield _saved(Image.fromarray(_pixels(24, 32, 4)), "PNG")
    yield _saved(colours.quantize(16), "PNG", transparency=3)
    yield _saved(Image.fromarray(_pixels(24, 32).astype(np.uint16) * 257), "PNG")
    yield _saved(colours, "PNG", save_all=True, append_images=[colours.rotate(180)])


def _jpeg() -> Iterable[bytes]:
    colours = Image.fromarray(_pixels(24, 32, 3))
    yield _saved(colours, "JPEG", exif=_exif(), icc_profile=_profile(), comment=TEXT)
    yield _saved(colours.convert("CMYK"), "JPEG")
    yield _saved(colours, "MPO", save_all=True, append_images=[colours])


def _others() -> Iterable[bytes]:
    colours = Image.fromarray(_pixels(24, 32, 3))
    yield _saved(colours, "WEBP", exif=_exif(), icc_profile=_profile())
    yield _saved(colours, "TIFF", exif=_exif(), icc_profile=_profile())
    yield _saved(colours, "TIFF", compression="tiff_lzw")
    yield _saved(colours, "GIF", save_all=True, append_images=[colours.rotate(90)])
    yield _saved(colours, "BMP")
    yield _saved(colours, "AVIF", exif=_exif())


def _fitted(path: Path) -> object:
    return fit(load(path), 48, 32, "crop")


# --- videos --------------------------------------------------------------------------------------------------------


def _video(form: str, codec: str, **tags: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as output:
        stream = output.add_stream(codec, rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        output.metadata.update(tags)
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.roll(_pixels(32, 48, 3), number, 1))
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()


def _videos() -> Iterable[bytes]:
    yield _video("mp4", "libx264", comment=TEXT)
    yield _video("matroska", "libx264")
    yield _video("mov", "mpeg4")


def _frames(path: Path) -> object:
    return sum(1 for _ in islice(read_frames(path), FRAMES))


# --- safetensors ---------------------------------------------------------------------------------------------------


@cache
def _shapes() -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in small.transformer().named_parameters()}


def _loras() -> Iterable[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("musubi", "diffusers", "original"):
            yield loras.build(Path(folder) / "a.safetensors", name, _shapes()).read_bytes()


def _merged(path: Path) -> None:
    match = match_lora(read_lora(path), _shapes(), "small")
    for name in match.shares:
        weight = torch.zeros(_shapes()[name])
        merge(weight, weight, name, [Lora(match, 0.5, lora_print(path))])


def _latents() -> Iterable[bytes]:
    from eichi.video.latentfile import Latents, save_latents

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        values = np.random.default_rng(0).normal(size=(1, 16, 4, 4, 6)).astype(np.float32)
        save_latents(path, Latents(values, 1, (2,)), _record())
        yield path.read_bytes()


# --- what people write, and what is kept ---------------------------------------------------------------------------


def _record() -> dict[str, Any]:
    request = VideoOptions.parse(
        {"prompt": "a cat", "image": "a.png", "keyframes": {"sections": {1: "b.png"}, "prompts": {0: "runs"}}}
    )
    values = {"kind": "video", "request": request.dump(), "model": "tiny", "seed": 5, "width": 80, "height": 48}
    return values | {"versions": {}, "frames": 36, "seconds": 1.2, "sections": 1}


def _archives() -> Iterable[bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sections/sections.yaml", yaml.safe_dump(EICHI, allow_unicode=True))
        for name in ("start", "000", "002", "end"):
            archive.writestr(f"sections/{name}.png", _saved(Image.fromarray(_pixels(8, 8, 3)), "PNG"))
    yield buffer.getvalue()


def _unpacked(path: Path) -> object:
    return read_archive(path, path.parent / "archives").over(VideoOptions())


PRESET = {"kind": "video", "request": VideoOptions(prompt="a").dump()}
EICHI19 = {
    "presets/prompt_presets.json": {
        "presets": [
            {"name": "a", "prompt": "p", "is_default": False, "is_startup_default": True},
            {"name": "b", "prompt": "q"},
        ]
    },
    "presets/lora_presets.json": {"presets": [{"lora1": "a.safetensors", "lora2": "なし", "scales": "0.5,0.8"}] * 5},
    "presets/favorite_settings.json": {"favorites": [{"name": "f", **OICHI}]},
    "settings/app_settings.json": {"app_settings_eichi": STANDARD, "app_settings_oichi": OICHI, "output_folder": "o"},
    "configs/a.json": {
        "config_name": "a",
        "b64": "",
        "prompt": "p",
        "lora_settings": {"lora_files": ["a"], "scales": "1"},
    },
}


def _eichi19() -> Iterable[bytes]:
    return [json.dumps(values, ensure_ascii=False).encode() for values in EICHI19.values()]


def _imported(path: Path) -> None:
    """The file as each of those that a folder of eichi 1.9 has."""
    for name in EICHI19:
        base = path.parent / "webui"
        shutil.rmtree(base, ignore_errors=True)
        (base / name).parent.mkdir(parents=True)
        shutil.copy(path, base / name)
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
    kept.last(VideoOptions)
    kept.remember(VideoOptions())


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


def _lists() -> Iterable[bytes]:
    yield "猫が歩く\n\na dog:1:m.png\nb.png:2\n".encode()


def _listed(path: Path) -> None:
    folder = path.parent / "list"
    folder.mkdir(exist_ok=True)
    (folder / "a.png").touch()
    shutil.copy(path, folder / "a.txt")
    read_pictures(folder)


# --- jobs and models -----------------------------------------------------------------------------------------------


def _stores() -> Iterable[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.db"
        plan = Figures(model="tiny", width=80, height=48, sections=2, kept=0)
        with Store(f"sqlite:///{file}") as store:
            for _ in store.add([Draft("video", VideoOptions(prompt="p").dump(), plan, "key", "out") for _ in range(3)]):
                job = store.claim("elsewhere/1/0/a")
                assert job is not None
                store.end(job, Status.STOPPED)
        yield file.read_bytes()


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


def _cards() -> Iterable[bytes]:
    values = _record() | {"weights": {}, "machine": {"device": "cpu", "vae_tile": None}, "pictures": ["image"]}
    yield json.dumps(values | {"threads": 1}).encode()


def _resumed(path: Path) -> None:
    folder = path.parent / ".a.job"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / "job.json")
    (folder / "image.png").write_bytes(_saved(Image.fromarray(_pixels(48, 80, 3)), "PNG"))
    checkpoint = Checkpoint(folder)
    for ask in (
        checkpoint.plan,
        checkpoint.pictures,
        lambda: list(checkpoint.sections()),
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
    return transformer_shapes(find(str(root)), root)


def _tokenizers() -> Iterable[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        small.tokenizer(["a", "red", "star"], "<|begin|>").save_pretrained(folder)
        yield (Path(folder) / "tokenizer.json").read_bytes()


def _metered(root: Path) -> object:
    for name in ("tokenizer", "tokenizer_2"):
        (root / name).mkdir(exist_ok=True)
        shutil.copy(root / "tokenizer.json", root / name / "tokenizer.json")
        (root / name / "tokenizer_config.json").write_text("{}")
    meter = find_meter(find(str(root)), root)
    return meter and meter.read("a red star")


INDEX = "transformer/diffusion_pytorch_model.safetensors.index.json"
PICTURE = (measure, _fitted, alpha, restore)
KEPT = {
    "favourites": {"version": 1, "favourites": {"a": PRESET}, "last": {"video": PRESET}},
    "exported": {EXPORT: 1, "favourites": {"a": PRESET}},
    "prompts": {"version": 1, "presets": {"a": "b", "猫": "走る"}, "startup": "c"},
    "slots": {"version": 1, "slots": {"1": {"name": "a", "loras": [{"path": "a", "strength": 1, "on": True}]}}},
    "settings": {"language": "ru", "outputs": "o", "device": "cpu", "vae_tile": 256},
    "card": {"like": "framepack", "teacache": [1.0, 2.0], "magcache": [[1.0]]},
    "index": {"weight_map": {"a": "b.safetensors"}},
}


def _kept(name: str, file: str, *readers: Read) -> Kind:
    """A kind that is JSON."""
    return Kind(file, lambda: [json.dumps(KEPT[name], ensure_ascii=False).encode()], mutate.as_json, readers)


KINDS = {
    "png": Kind("a.png", _png, mutate.png, PICTURE),
    "jpeg": Kind("a.jpg", _jpeg, mutate.jpeg, PICTURE),
    "pictures": Kind("a.webp", _others, mutate.boxes, PICTURE),
    "videos": Kind("a.mp4", _videos, mutate.boxes, (measure_video, _frames, restore)),
    "loras": Kind("a.safetensors", _loras, mutate.safetensors, (_merged,)),
    "latents": Kind("b.safetensors", _latents, mutate.safetensors, (measure_latents, load_latents, report, restore)),
    "archives": Kind("a.zip", _archives, mutate.zipped({"yaml": mutate.text, "png": mutate.png}), (_unpacked,)),
    "eichi19": Kind("c.json", _eichi19, mutate.as_json, (_imported,)),
    "favourites": _kept("favourites", "d.json", _shelved("favourites.json", _favourites)),
    "exported": _kept("exported", "d.json", _taken_in),
    "prompts": _kept("prompts", "e.json", _shelved("prompts.json", _prompts)),
    "slots": _kept("slots", "f.json", _shelved("loras.json", _slots)),
    "settings": _kept("settings", "settings.json", _settings),
    "lists": Kind("g.txt", _lists, mutate.text, (read_prompts, read_references, _listed)),
    "stores": Kind("jobs.db", _stores, _rows, (_stored, _repaired)),
    "checkpoints": Kind("h.json", _cards, mutate.as_json, (_resumed,)),
    "cards": _kept("card", "i.json", _model("eichi.json", _found)),
    "indexes": _kept("index", "i.json", _model(INDEX, _indexed)),
    "tokenizers": Kind("tokenizer.json", _tokenizers, mutate.as_json, (_model("tokenizer.json", _metered),)),
}

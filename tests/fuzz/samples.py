"""A real file of every kind that the program reads, small, as a user would have it: what `mutate` damages."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml
from PIL import Image, ImageCms, PngImagePlugin

from eichi.catalog import Shapes
from eichi.jobs.schema import Draft
from eichi.jobs.store import Store
from eichi.jobs.view import Figures, Status
from eichi.library.favourites import EXPORT
from eichi.options import VideoOptions
from eichi.video.metadata import comment, exif
from tests import loras, small
from tests.library.test_archive import EICHI
from tests.library.test_imports import OICHI, STANDARD
from tests.pictures import saved

TEXT = 'a cat, "dances"\nNegative prompt: dog\nSteps: 20, Sampler: UniPC, CFG scale: 1, Distilled CFG Scale: 9, Seed: 5'


def pixels(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + TEXT.encode("utf-16-be")
    exif.get_ifd(0x8825)[2] = (35.0, 30.0, 1.5)
    return exif


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def png_files() -> Iterable[bytes]:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", TEXT)
    info.add_text("Comment", json.dumps({"prompt": "a cat", "seed": 5}), zip=True)
    info.add_itxt("eichi", json.dumps(record()))
    info.add_itxt("parameters", TEXT, zip=True)
    colours = Image.fromarray(pixels(24, 32, 3))
    yield saved(colours, "PNG", pnginfo=info, exif=_exif(), icc_profile=_profile())
    yield saved(Image.fromarray(pixels(24, 32, 4)), "PNG")
    yield saved(colours.quantize(16), "PNG", transparency=3)
    yield saved(Image.fromarray(pixels(24, 32).astype(np.uint16) * 257), "PNG")
    yield saved(colours, "PNG", save_all=True, append_images=[colours.rotate(180)])


def jpeg_files() -> Iterable[bytes]:
    colours = Image.fromarray(pixels(24, 32, 3))
    yield saved(colours, "JPEG", exif=_exif(), icc_profile=_profile(), comment=TEXT)
    yield saved(colours.convert("CMYK"), "JPEG")
    yield saved(colours, "MPO", save_all=True, append_images=[colours])


def other_pictures() -> Iterable[bytes]:
    colours = Image.fromarray(pixels(24, 32, 3))
    yield saved(colours, "WEBP", exif=_exif(), icc_profile=_profile())
    yield saved(colours, "TIFF", exif=_exif(), icc_profile=_profile())
    yield saved(colours, "TIFF", compression="tiff_lzw")
    yield saved(colours, "GIF", save_all=True, append_images=[colours.rotate(90)])
    yield saved(colours, "GIF", save_all=True, append_images=[colours.rotate(90)], comment=comment(record()).encode())
    yield saved(colours, "WEBP", save_all=True, append_images=[colours.rotate(90)], exif=exif(record()))
    yield saved(colours, "BMP")
    yield saved(colours, "AVIF", exif=_exif())
    yield saved(colours, "HEIC")


GRAPH = {
    "3": {
        "class_type": "KSampler",
        "inputs": {"seed": 5, "steps": 20, "cfg": 7, "positive": ["6", 0], "negative": ["7", 0]},
    },
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["8", 0], "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "dog"}},
    "8": {"class_type": "PrimitiveString", "inputs": {"value": "a cat"}},
}


SWARM = {"sui_image_params": {"prompt": "a cat", "negativeprompt": "dog", "seed": 5, "steps": 20, "cfgscale": 7.0}}


def text_files() -> Iterable[bytes]:
    yield from (json.dumps(values).encode() for values in (GRAPH, SWARM, {"prompt": "a cat", "uc": "dog", "seed": 5}))


def _video(form: str, codec: str, **tags: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as output:
        stream = output.add_stream(codec, rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        output.metadata.update(tags)
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.roll(pixels(32, 48, 3), number, 1))
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()


def video_files() -> Iterable[bytes]:
    yield _video("mp4", "libx264", comment=TEXT)
    yield _video("matroska", "libx264")
    yield _video("mov", "mpeg4")


@cache
def shapes() -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in small.transformer().named_parameters()}


def lora_files() -> Iterable[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("musubi", "diffusers", "original"):
            yield loras.build(Path(folder) / "a.safetensors", name, shapes()).read_bytes()


def latent_files() -> Iterable[bytes]:
    from eichi.video.latentfile import Latents, save_latents

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        values = np.random.default_rng(0).normal(size=(1, 16, 4, 4, 6)).astype(np.float32)
        save_latents(path, Latents(values, 1, (2,)), record())
        yield path.read_bytes()


def record() -> dict[str, Any]:
    request = VideoOptions.parse(
        {"prompt": "a cat", "image": "a.png", "keyframes": {"sections": {1: "b.png"}, "prompts": {0: "runs"}}}
    )
    values = {"kind": "video", "request": request.dump(), "model": "tiny", "seed": 5, "width": 80, "height": 48}
    return values | {"versions": {}, "frames": 36, "seconds": 1.2, "sections": 1}


def archives() -> Iterable[bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sections/sections.yaml", yaml.safe_dump(EICHI, allow_unicode=True))
        for name in ("start", "000", "002", "end"):
            archive.writestr(f"sections/{name}.png", saved(Image.fromarray(pixels(8, 8, 3)), "PNG"))
    yield buffer.getvalue()


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


def eichi19_files() -> Iterable[bytes]:
    return [json.dumps(values, ensure_ascii=False).encode() for values in EICHI19.values()]


def lists() -> Iterable[bytes]:
    yield "猫が歩く\n\na dog:1:m.png\nb.png:2\n".encode()


def stores() -> Iterable[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.db"
        plan = Figures(model="tiny", width=80, height=48, sections=2, kept=0)
        with Store(f"sqlite:///{file}") as store:
            for _ in store.add([Draft("video", VideoOptions(prompt="p").dump(), plan, "key", "out") for _ in range(3)]):
                job = store.claim("elsewhere/1/0/a")
                assert job is not None
                store.end(job, Status.STOPPED)
        yield file.read_bytes()


def checkpoint_cards() -> Iterable[bytes]:
    values = record() | {"weights": {}, "machine": {"device": "cpu", "vae_tile": None}, "pictures": ["image"]}
    yield json.dumps(values | {"threads": 1}).encode()


def tokenizers() -> Iterable[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        small.tokenizer(["a", "red", "star"], "<|begin|>").save_pretrained(folder)
        yield (Path(folder) / "tokenizer.json").read_bytes()


KEPT = {
    "favourites": {"version": 1, "favourites": {"a": PRESET}, "last": {"video": PRESET}},
    "exported": {EXPORT: 1, "favourites": {"a": PRESET}},
    "prompts": {"version": 1, "presets": {"a": "b", "猫": "走る"}, "startup": "c"},
    "slots": {"version": 1, "slots": {"1": {"name": "a", "loras": [{"path": "a", "strength": 1, "on": True}]}}},
    "settings": {"language": "ru", "outputs": "o", "device": "cpu", "vae_tile": 256},
    "card": {"like": "framepack", "teacache": [1.0, 2.0], "magcache": [[1.0]]},
    "index": {"weight_map": {"a": "b.safetensors"}},
}

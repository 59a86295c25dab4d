"""The known checkpoints: where their parts lie, how they are driven, what they were trained on. Data, no torch.

An entry is everything the rest of the program needs to know about a model that is not in its weights. The embedded
model is an entry like the others: the same code loads it and draws with it.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from eichi.errors import ModelError

Direction = Literal["reverse", "forward"]
Sizes = tuple[tuple[int, int], ...]

# The file that tells which known model a folder of weights behaves like: {"like": "framepack"}.
CARD = "eichi.json"

PARTS = (
    "transformer",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "tokenizer",
    "tokenizer_2",
    "image_encoder",
    "feature_extractor",
)


@dataclass(frozen=True)
class Source:
    """Where one part lies: a folder inside a repository, or inside a plain folder if `repository` is None."""

    repository: str | None
    folder: str


@dataclass(frozen=True)
class Preview:
    """The linear map from 16 latent channels to red, green and blue in 0-1: rgb = factors^T z + bias."""

    factors: tuple[tuple[float, float, float], ...]
    bias: tuple[float, float, float]


@dataclass(frozen=True)
class Template:
    """The frame that LLaMA reads a prompt in. Its first `head` tokens, all before `{}`, are dropped from the output."""

    text: str
    head: int
    limit: int = 256
    clip_limit: int = 77


@dataclass(frozen=True)
class Entry:
    """One model: `sizes` are (height, width) by resolution id, `teacache` a polynomial, highest power first."""

    name: str
    direction: Direction
    parts: dict[str, Source]
    sizes: dict[int, Sizes]
    resolution: int
    template: Template
    preview: Preview
    teacache: tuple[float, ...]
    root: Path | None = None

    @property
    def embedded(self) -> bool:
        """Whether the weights ship inside the package."""
        return self.root == _package() / "models" / "tiny"


def known() -> tuple[str, ...]:
    """Names of all models that can be asked for by name."""
    return tuple(_entries())


def find(name: str) -> Entry:
    """The entry of a known name, or of a folder that holds weights and a card. Raises ModelError."""
    entries = _entries()
    if name in entries:
        return entries[name]
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ModelError("error.model.unknown", name=name, known=", ".join(entries))
    return _folder_entry(folder)


def _folder_entry(folder: Path) -> Entry:
    """A folder says which known model it behaves like; direction and sizes cannot be read from weights."""
    card = folder / CARD
    try:
        like = json.loads(card.read_text(encoding="utf-8"))["like"]
        base = _entries()[like]
    except FileNotFoundError as error:
        raise ModelError("error.model.card", folder=folder, card=CARD, known=", ".join(_entries())) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError("error.model.card_bad", folder=folder, card=CARD, known=", ".join(_entries())) from error
    parts = {part: Source(None, source.folder if base.embedded else part) for part, source in base.parts.items()}
    if (folder / "transformer").is_dir():
        parts["transformer"] = Source(None, "transformer")
    return replace(base, name=str(folder), parts=parts, root=folder)


@cache
def _entries() -> dict[str, Entry]:
    return {entry.name: entry for entry in (_tiny("tiny"), _tiny("tiny-f1"), _full("framepack"), _full("framepack-f1"))}


def _tiny(name: str) -> Entry:
    """The embedded model: trained on a synthetic world at 64 pixels, see the card beside its weights."""
    root = _package() / "models" / "tiny"
    parts = {part: Source(None, part) for part in PARTS}
    if name == "tiny-f1":
        parts["transformer"] = Source(None, "transformer_f1")
    return Entry(
        name=name,
        direction="forward" if name == "tiny-f1" else "reverse",
        parts=parts,
        sizes={64: ((48, 80), (64, 64), (80, 48))},
        resolution=64,
        template=HUNYUAN,
        preview=_preview(root / "preview.json"),
        teacache=FRAMEPACK_TEACACHE,
        root=root,
    )


def _full(name: str) -> Entry:
    """The published 13B checkpoints, their text and picture encoders in repositories of their own."""
    forward = name == "framepack-f1"
    transformer = "lllyasviel/FramePack_F1_I2V_HY_20250503" if forward else "lllyasviel/FramePackI2V_HY"
    encoders = ("vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
    vision = ("image_encoder", "feature_extractor")
    return Entry(
        name=name,
        direction="forward" if forward else "reverse",
        parts={"transformer": Source(transformer, "")}
        | {part: Source("hunyuanvideo-community/HunyuanVideo", part) for part in encoders}
        | {part: Source("lllyasviel/flux_redux_bfl", part) for part in vision},
        sizes=FRAMEPACK_SIZES,
        resolution=640,
        template=HUNYUAN,
        preview=_preview(_package() / "models" / "framepack_preview.json"),
        teacache=FRAMEPACK_TEACACHE,
    )


def _preview(path: Path) -> Preview:
    values = json.loads(path.read_text(encoding="utf-8"))
    red, green, blue = values["bias"]
    return Preview(tuple((r, g, b) for r, g, b in values["factors"]), (red, green, blue))


def _package() -> Path:
    return Path(str(files("eichi")))


# HunyuanVideo's own template for videos; the weights were trained behind exactly these words.
HUNYUAN = Template(
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the video by detailing the following aspects: "
    "1. The main content and theme of the video."
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects."
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the objects."
    "4. background environment, light, style and atmosphere."
    "5. camera angles, movements, and transitions used in the video:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>",
    head=95,
)

# Relative change of the modulated input to relative change of the output, fitted on HunyuanVideo.
FRAMEPACK_TEACACHE = (733.226126, -401.131952, 67.5869174, -3.149878, 0.0961237896)


def _mirrored(*sizes: tuple[int, int]) -> Sizes:
    """Tall sizes with their wide twins, from the widest to the tallest as the published tables list them."""
    both = {size for height, width in sizes for size in ((height, width), (width, height))}
    return tuple(sorted(both))


# (height, width) by resolution id. The published tables, without 960x1080 and 1080x960: sides must be multiples
# of 16, and those two ended every job that met them.
FRAMEPACK_SIZES: dict[int, Sizes] = {
    384: _mirrored((256, 576), (288, 512), (320, 448), (352, 416), (384, 384)),
    512: _mirrored((352, 704), (384, 640), (416, 608), (448, 576), (480, 544), (512, 512)),
    640: _mirrored(
        (416, 960), (448, 864), (480, 832), (512, 768), (544, 704), (576, 672), (608, 640), (640, 640)
    ),
    768: _mirrored((512, 1024), (576, 960), (640, 896), (704, 832), (768, 768)),
    960: _mirrored((640, 1280), (704, 1152), (768, 1024), (832, 960), (896, 896), (960, 960)),
    1080: _mirrored(
        (720, 1440), (768, 1344), (832, 1248), (896, 1152), (1024, 1024), (1056, 1056)
    ),
    1280: _mirrored(
        (832, 1920), (896, 1728), (960, 1664), (1024, 1536), (1088, 1408), (1152, 1344), (1216, 1280), (1280, 1280)
    ),
    1536: _mirrored((1024, 2048), (1152, 1920), (1280, 1792), (1408, 1664), (1536, 1536)),
    1920: _mirrored((1280, 2560), (1408, 2304), (1536, 2048), (1664, 1920), (1792, 1792), (1920, 1920)),
    2160: _mirrored(
        (1440, 3232), (1568, 2944), (1696, 2720), (1824, 2528), (1952, 2368), (2080, 2240), (2144, 2144), (2144, 2160)
    ),
}  # fmt: skip

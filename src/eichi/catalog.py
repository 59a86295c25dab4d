"""The known checkpoints: where their parts lie, how they are driven, what they were trained on. Data, no torch.

An entry is everything the rest of the program needs to know about a model that is not in its weights. The embedded
model is an entry like the others: the same code loads it and draws with it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from eichi.errors import ModelError
from eichi.files import aside

Direction = Literal["reverse", "forward"]
Sizes = tuple[tuple[int, int], ...]
# The shape of every tensor of a part, by the name that its network has for it.
Shapes = dict[str, tuple[int, ...]]

WEIGHTS = ".safetensors"
SIDE = 16  # pixels that a side is a multiple of: latents are an eighth, and the transformer takes them two by two

# The file that tells which known model a folder of weights behaves like: {"like": "framepack"}, and optionally what the
# step caches know of these weights: {"teacache": [...], "magcache": [[...]]}, and the sizes that they draw, (height,
# width) by resolution id: {"sizes": {"64": [[64, 64]]}}.
CARD = "eichi.json"
# What the published transformers go by, of whatever maker their files are.
FORWARD = re.compile(r"(?<![a-z0-9])f1(?![a-z0-9])|framepack[-_ ]?f1", re.IGNORECASE)
STANDARD = re.compile(r"framepack", re.IGNORECASE)

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


# The parts that have weights.
NETWORKS = ("transformer", "vae", "text_encoder", "text_encoder_2", "image_encoder")


@dataclass(frozen=True)
class PartSource:
    """Where one part lies: a folder inside a repository, or inside a plain folder if `repository` is None.

    That plain folder is `root`, the entry's own if there is none. A transformer may be a file instead of a folder.
    """

    repository: str | None
    folder: str
    root: Path | None = None


@dataclass(frozen=True)
class ModelFolders:
    """Where this machine has models: the program's `own` folder, which alone is written to; `comfy`, folders that the
    user names, of ComfyUI or with files; `hubs`, further caches of the hub library; and whether other programs are
    looked for in the `usual` places.
    """

    own: Path
    comfy: tuple[Path, ...] = ()
    hubs: tuple[Path, ...] = ()
    usual: bool = False


@dataclass(frozen=True)
class PreviewMatrix:
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
class Blocks:
    """A row of equal blocks: how many, parameters of each, and how many of these FP8 can store in one byte."""

    count: int
    parameters: int
    quantised: int


@dataclass(frozen=True)
class Precision:
    """What a model computes in, in torch's names."""

    transformer: Literal["bfloat16", "float32"] = "bfloat16"
    others: Literal["float16", "bfloat16", "float32"] = "float16"

    @property
    def size(self) -> int:
        """Bytes of a number; both kinds of a model have the same."""
        return 4 if self.transformer == "float32" else 2


# On a GPU, as the published weights were made for; on a CPU, or where a model is small enough; on a CPU that is to save
# memory, since processors have products of bfloat16 where they have none of float16.
# Bytes of the published files.
TOKENIZERS = {"tokenizer": 9_100_000, "tokenizer_2": 1_600_000}
HALF, FULL, BRAIN = Precision(), Precision("float32", "float32"), Precision("bfloat16", "bfloat16")


@dataclass(frozen=True)
class Anatomy:
    """Parameters of every part; `rest` are the transformer's outside of its blocks, `width` its channels.

    `text_encoder` are LLaMA's layers, `words` its parameters outside of them. `tile` are bytes at the peak of decoding
    one tile of the VAE, five latents of 256x256 pixels, in half precision; `precision` is what all of it computes in.
    `decoding` are operations for that tile, and the bytes that go through memory meanwhile.
    """

    double: Blocks
    single: Blocks
    rest: int
    width: int
    vae: int
    image_encoder: int
    text_encoder: Blocks
    words: int
    text_encoder_2: int
    tile: float
    precision: Precision
    decoding: tuple[float, float]

    @property
    def transformer(self) -> int:
        """Parameters of the whole transformer."""
        return sum(row.count * row.parameters for row in (self.double, self.single)) + self.rest

    @property
    def head(self) -> int:
        """Parameters of its two last layers, which give 2x2 latent pixels of 16 channels for every token."""
        return (2 * self.width + 64) * (self.width + 1)

    @property
    def matrix(self) -> int:
        """Parameters of the largest matrix in a block: the width, and four times that, to the width."""
        return 5 * self.width * self.width

    def size(self, part: str) -> int:
        """Bytes of a part's files, near enough: weights are published in half precision, other files are small."""
        text = self.text_encoder.count * self.text_encoder.parameters + self.words
        counts = {
            "transformer": self.transformer,
            "vae": self.vae,
            "text_encoder": text,
            "text_encoder_2": self.text_encoder_2,
            "image_encoder": self.image_encoder,
        }
        return TOKENIZERS.get(part) or 2 * counts.get(part, 0)


@dataclass(frozen=True)
class Published:
    """A network as it was published, for weights that come without a word on it: its `config` in the library's terms,
    and the shape of every tensor by its name; no shapes where the files of the part are always at hand.
    """

    config: Mapping[str, Any]
    shapes: Shapes


@dataclass(frozen=True)
class Entry:
    """One model: `sizes` are (height, width) by resolution id, `teacache` a polynomial, highest power first,
    `magcache` changes of size at every step, for some numbers of steps.

    A picture of fewer pixels than any size of the usual `resolution` is made at that of `small`, if there is one.

    `published` are the networks of the parts that have weights, `spare` folders of the package for parts that are
    nothing but constants. `moment` says which of its four frames a latent of the
    VAE stands for, 1 to 4: the middle, where nobody knows better.
    """

    name: str
    direction: Direction
    parts: dict[str, PartSource]
    sizes: dict[int, Sizes]
    resolution: int
    template: Template
    preview: PreviewMatrix
    teacache: tuple[float, ...]
    magcache: tuple[tuple[float, ...], ...]
    anatomy: Anatomy
    published: Mapping[str, Published]
    root: Path | None = None
    small: int | None = None
    moment: float = 2.5
    spare: Mapping[str, Path] = field(default_factory=dict)

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
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            return _folder_entry(path)
        if path.suffix == WEIGHTS and path.is_file():
            return _file_entry(path)
    except (OSError, RuntimeError):  # too long for a path, or the home of a user that does not exist
        pass
    raise ModelError("error.model.unknown", name=name, known=", ".join(entries))


def _like(folder: Path) -> Entry:
    """The known model that the weights in a folder behave like; direction and sizes cannot be read from weights.

    What `eichi calibrate` found out about these weights stands in the card, too.
    """
    card = folder / CARD
    try:
        told = json.loads(card.read_bytes())
        base = _entries()[told["like"]]
        teacache = tuple(float(c) for c in told.get("teacache", base.teacache))
        magcache = tuple(tuple(float(r) for r in table) for table in told.get("magcache", base.magcache))
        sizes = base.sizes if "sizes" not in told else _sizes(told["sizes"])
        resolution = base.resolution if base.resolution in sizes else max(sizes)
        small = base.small if base.small in sizes else None
        return replace(base, teacache=teacache, magcache=magcache, sizes=sizes, resolution=resolution, small=small)
    except FileNotFoundError as error:
        raise ModelError("error.model.card", folder=folder, card=CARD, known=", ".join(_entries())) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError("error.model.card_bad", folder=folder, card=CARD, known=", ".join(_entries())) from error


def _sizes(told: Mapping[str, Any]) -> dict[int, Sizes]:
    """Sizes as a card has them. Raises ValueError for what is none."""
    sizes = {int(id): tuple((int(height), int(width)) for height, width in table) for id, table in told.items()}
    if not all(sizes.values()) or any(
        side < SIDE or side % SIDE for table in sizes.values() for side in sum(table, ())
    ):
        raise ValueError(told)
    return sizes


def write_card(entry: Entry, found: Mapping[str, Any]) -> None:
    """Put what was found out about weights of one's own into their card. Raises ModelError where they have none."""
    if entry.root is None or entry.embedded:
        raise ModelError("error.model.no_card", model=entry.name, card=CARD)
    path = entry.root / CARD
    told = json.loads(path.read_bytes())
    with aside(path) as draft:
        draft.write_text(json.dumps(told | found, indent=1) + "\n", encoding="utf-8")


def _folder_entry(folder: Path) -> Entry:
    """All parts in one folder."""
    base = _like(folder)
    parts = {part: PartSource(None, source.folder if base.embedded else part) for part, source in base.parts.items()}
    if (folder / "transformer").is_dir():
        parts["transformer"] = PartSource(None, "transformer")
    return replace(base, name=str(folder), parts=parts, root=folder)


def _file_entry(path: Path) -> Entry:
    """A transformer in one file; its other parts are those of the model that the card beside it names, or its name."""
    told = told_direction(path)
    if (path.parent / CARD).is_file():
        base = _like(path.parent)
    elif told is None:
        raise ModelError("error.model.which", file=path, card=CARD)
    else:
        base = next(entry for entry in _entries().values() if not entry.embedded and entry.direction == told)
    parts = {part: replace(source, root=source.root or base.root) for part, source in base.parts.items()}
    parts["transformer"] = PartSource(None, path.name, path.parent)
    return replace(base, name=str(path), parts=parts, root=path.parent)


def told_direction(place: Path) -> Direction | None:
    """Which of the two models a transformer is, by its name or its folder's; None where neither says.

    No weight tells it: both have the same tensors.
    """
    names = (place.name, place.parent.name)
    if any(FORWARD.search(name) for name in names):
        return "forward"
    return "reverse" if any(STANDARD.search(name) for name in names) else None


@cache
def _entries() -> dict[str, Entry]:
    tiny = {name: _tiny(name) for name in ("tiny", "tiny-f1")}
    return tiny | {name: _full(name, *published) for name, published in TRANSFORMERS.items()}


def _tiny(name: str) -> Entry:
    """The embedded model: trained on a synthetic world at 128 pixels, see the card beside its weights."""
    root = _package() / "models" / "tiny"
    parts = {part: PartSource(None, part) for part in PARTS}
    if name == "tiny-f1":
        parts["transformer"] = PartSource(None, "transformer_f1")
    return Entry(
        name=name,
        direction="forward" if name == "tiny-f1" else "reverse",
        parts=parts,
        sizes={64: ((48, 80), (64, 64), (80, 48)), 128: ((96, 160), (128, 128), (160, 96))},
        resolution=128,
        small=64,
        template=HUNYUAN,
        preview=_preview(root / "preview.json"),
        teacache=_teacache(root / "teacache.json", name),
        magcache=_magcache(root / "magcache.json", name),
        anatomy=TINY_ANATOMY,
        published={part: Published(_json(root / parts[part].folder / "config.json"), {}) for part in NETWORKS},
        root=root,
        moment=4.0,
    )


def _full(name: str, transformer: str, direction: Direction) -> Entry:
    """A published 13B checkpoint, its text and picture encoders in repositories of their own."""
    encoders = ("vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
    vision = ("image_encoder", "feature_extractor")
    return Entry(
        name=name,
        direction=direction,
        parts={"transformer": PartSource(transformer, "")}
        | {part: PartSource("hunyuanvideo-community/HunyuanVideo", part) for part in encoders}
        | {part: PartSource("lllyasviel/flux_redux_bfl", part) for part in vision},
        sizes=FRAMEPACK_SIZES,
        resolution=640,
        template=HUNYUAN,
        preview=_preview(_package() / "models" / "framepack_preview.json"),
        teacache=FRAMEPACK_TEACACHE,
        magcache=_magcache(_package() / "models" / "framepack_magcache.json", MEASURED[direction]),
        anatomy=FRAMEPACK_ANATOMY,
        published=_published(),
        spare={"feature_extractor": _package() / "models" / "published" / "feature_extractor"},
    )


@cache
def _published() -> Mapping[str, Published]:
    """What the published parts are made of; a row of equal blocks is written down once."""
    found = {}
    for part in NETWORKS:
        told = _json(_package() / "models" / "published" / f"{part}.json")
        rows = {
            f"{row}.{i}.{name}": shape
            for row, (count, block) in told["rows"].items()
            for i in range(count)
            for name, shape in block.items()
        }
        found[part] = Published(told["config"], {name: tuple(shape) for name, shape in (told["rest"] | rows).items()})
    return found


def _json(path: Path) -> Any:
    """A file of the package."""
    return json.loads(path.read_text(encoding="utf-8"))


def _preview(path: Path) -> PreviewMatrix:
    values = _json(path)
    red, green, blue = values["bias"]
    return PreviewMatrix(tuple((r, g, b) for r, g, b in values["factors"]), (red, green, blue))


def _teacache(path: Path, name: str) -> tuple[float, ...]:
    """A model's own coefficients; the published ones while its own are still to be measured."""
    if not path.is_file():
        return FRAMEPACK_TEACACHE
    coefficients: list[float] = _json(path)[name]
    return tuple(coefficients)


def _magcache(path: Path, name: str) -> tuple[tuple[float, ...], ...]:
    """A model's own ratios, by the number of steps; level ones while they are still to be measured."""
    if not path.is_file():
        return ((1.0,) * 25,)
    tables: dict[str, list[float]] = _json(path)[name]
    return tuple(tuple(table) for table in tables.values())


def _package() -> Path:
    return Path(str(files("eichi")))


# The published transformers by name: their repository, and which way they go.
TRANSFORMERS: dict[str, tuple[str, Direction]] = {
    "framepack": ("lllyasviel/FramePackI2V_HY", "reverse"),
    "framepack-f1": ("lllyasviel/FramePack_F1_I2V_HY_20250503", "forward"),
}
# Of which of them a transformer has the step caches' numbers.
MEASURED: dict[Direction, str] = {"reverse": "framepack", "forward": "framepack-f1"}

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

FRAMEPACK_ANATOMY = Anatomy(
    double=Blocks(20, 339_831_296, 226_492_416),
    single=Blocks(40, 141_591_808, 113_246_208),
    rest=414_016_576,
    width=3072,
    vae=246_478_803,
    image_encoder=428_225_600,
    text_encoder=Blocks(32, 218_112_000, 0),
    words=525_602_816,
    text_encoder_2=123_060_480,
    tile=2.41 * 2**30,
    precision=HALF,  # as the weights were made for
    decoding=(19.54e12, 28.9e9),
)
TINY_ANATOMY = Anatomy(
    double=Blocks(2, 593_792, 393_216),
    single=Blocks(4, 247_232, 196_608),
    rest=1_159_744,
    width=128,
    vae=2_045_603,
    image_encoder=264_000,
    text_encoder=Blocks(2, 66_240, 0),
    words=108_352,
    text_encoder_2=132_096,
    tile=955.0 * 2**20,
    precision=FULL,  # small enough, and what it was trained in
    decoding=(0.118e12, 3.73e9),
)

# Relative change of the modulated input to relative change of the output, fitted on HunyuanVideo.
FRAMEPACK_TEACACHE = (733.226126, -401.131952, 67.5869174, -3.149878, 0.0961237896)


def _table(text: str) -> Sizes:
    """Sizes written as "HEIGHTxWIDTH …"."""
    pairs = (size.split("x") for size in text.split())
    return tuple((int(height), int(width)) for height, width in pairs)


# A size that the first FramePack did not have: a square picture became 640x608 there.
LATER: Sizes = ((640, 640),)

# By resolution id, in the published order, which decides between equally near shapes. Without 960x1080 and 1080x960:
# sides must be multiples of 16, and those two ended every job that met them.
FRAMEPACK_SIZES: dict[int, Sizes] = {
    384: _table("256x576 288x512 320x448 352x416 384x384 416x352 448x320 512x288 576x256"),
    512: _table("352x704 384x640 416x608 448x576 480x544 512x512 544x480 576x448 608x416 640x384 704x352"),
    640: _table(
        "416x960 448x864 480x832 512x768 544x704 576x672 608x640 640x608 640x640 672x576 704x544 768x512 832x480 "
        "864x448 960x416"
    ),
    768: _table("512x1024 576x960 640x896 704x832 768x768 832x704 896x640 960x576 1024x512"),
    960: _table("640x1280 704x1152 768x1024 832x960 896x896 960x960 960x832 1024x768 1152x704 1280x640"),
    1080: _table("720x1440 768x1344 832x1248 896x1152 1024x1024 1056x1056 1152x896 1248x832 1344x768 1440x720"),
    1280: _table(
        "832x1920 896x1728 960x1664 1024x1536 1088x1408 1152x1344 1216x1280 1280x1216 1280x1280 1344x1152 1408x1088 "
        "1536x1024 1664x960 1728x896 1920x832"
    ),
    1536: _table("1024x2048 1152x1920 1280x1792 1408x1664 1536x1536 1664x1408 1792x1280 1920x1152 2048x1024"),
    1920: _table("1280x2560 1408x2304 1536x2048 1664x1920 1792x1792 1920x1920 1920x1664 2048x1536 2304x1408 2560x1280"),
    2160: _table(
        "1440x3232 1568x2944 1696x2720 1824x2528 1952x2368 2080x2240 2144x2144 2144x2160 2160x2144 2240x2080 2368x1952 "
        "2528x1824 2720x1696 2944x1568 3232x1440"
    ),
}

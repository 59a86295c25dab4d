"""The repositories of the published models as a hub has them, with small files, and how a test fetches from them."""

import json
from pathlib import Path

from eichi.catalog import ModelFolders, find
from eichi.models.download import Fetching, download
from eichi.models.fetched import LOCK
from eichi.models.locate import MARKS

F1 = "lllyasviel/FramePack_F1_I2V_HY_20250503"
STANDARD = "lllyasviel/FramePackI2V_HY"
SHARED = "hunyuanvideo-community/HunyuanVideo"
VISION = "lllyasviel/flux_redux_bfl"


def weights(seed: int) -> bytes:
    """A small but real safetensors file."""
    data = bytes((seed + i) % 251 for i in range(4000))
    header = json.dumps({"a": {"dtype": "U8", "shape": [4000], "data_offsets": [0, 4000]}}).encode()
    return len(header).to_bytes(8, "little") + header + data


def repositories() -> dict[str, dict[str, bytes]]:
    """The repositories of both published models, with what else lies in them."""
    index = {"weight_map": {"a": "diffusion-1.safetensors", "b": "diffusion-2.safetensors"}}
    tables: dict[str, dict[str, bytes]] = {
        name: {"README.md": b"#", "other/model.safetensors": weights(9)} for name in (F1, STANDARD, SHARED, VISION)
    }
    for name, seed in ((F1, 1), (STANDARD, 2)):
        tables[name] |= {
            "config.json": b"{}",
            "diffusion.safetensors.index.json": json.dumps(index).encode(),
            "diffusion-1.safetensors": weights(seed),
            "diffusion-2.safetensors": weights(seed + 10),
        }
    for seed, (part, source) in enumerate(find("framepack").parts.items(), start=20):
        if part == "transformer":
            continue
        folder = tables[str(source.repository)]
        folder[f"{source.folder}/{MARKS.get(part, 'config.json')}"] = b'{"b": 1}'
        if part in MARKS:
            folder[f"{source.folder}/vocab.txt"] = b"words"
        else:
            folder[f"{source.folder}/model.safetensors"] = weights(seed)
            folder[f"{source.folder}/model.bin"] = b"pickle"
    return tables


def bring(name: str, models: Path) -> list[Fetching]:
    """Fetch a model; what was told of how it came."""
    told = download(find(name), ModelFolders(models), wait=lambda seconds: None)
    return [one for one in told if isinstance(one, Fetching)]


def files(models: Path) -> set[str]:
    """All there is, but for what keeps two from fetching at once."""
    return {path.relative_to(models).as_posix() for path in models.rglob("*") if path.is_file() and path.name != LOCK}

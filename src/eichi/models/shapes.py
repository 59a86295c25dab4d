"""Names and shapes of a transformer's weights, without loading any of them and without torch.

Where the weights are on this machine they are read from the headers of their files; the published checkpoints are
known by heart, so that a LoRA can be judged before forty gigabytes are fetched. Knows nothing of LoRAs.
"""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from eichi.catalog import Entry, Shelves
from eichi.errors import ModelError
from eichi.models.locate import locate_part

Shapes = dict[str, tuple[int, ...]]

INDEX = "diffusion_pytorch_model.safetensors.index.json"

# Of both published checkpoints: blocks of either kind, width, width of the inner layers, of a head.
DOUBLE, SINGLE, WIDTH, INNER, HEAD = 20, 40, 3072, 12288, 128


def transformer_shapes(entry: Entry, models: Shelves) -> Shapes:
    """Shape by name of every weight of a model's transformer. Raises ModelError for files that cannot be read."""
    folder = locate_part(entry, "transformer", models)
    try:
        files = {} if folder is None else weight_files(folder)
        if files or entry.parts["transformer"].repository is None:
            return read_shapes(files)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError("error.model.damaged", model=entry.name, part="transformer", reason=error) from error
    return published_shapes()


def weight_files(folder: Path) -> dict[str, Path]:
    """The file that holds each tensor of a part in the Hugging Face layout, or in one file; none where there are none.

    Raises OSError and SafetensorError for files that are no such thing.
    """
    index = folder / INDEX
    if index.is_file():
        table: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return {name: folder / file for name, file in table.items()}
    found: dict[str, Path] = {}
    for path in [folder] if folder.is_file() else sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            found |= dict.fromkeys(file.keys(), path)
    return found


def read_shapes(files: dict[str, Path]) -> Shapes:
    """Shapes by name, from the headers of files. Raises OSError and SafetensorError."""
    shapes: Shapes = {}
    for path in sorted(set(files.values())):
        with safe_open(path, framework="numpy") as file:
            shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return shapes


def published_shapes() -> Shapes:
    """Weights and biases inside the blocks of the published checkpoints; what lies around the blocks is left out."""
    wide, narrow, square = (INNER, WIDTH), (WIDTH, INNER), (WIDTH, WIDTH)
    attention = ("to_q", "to_k", "to_v")
    added = ("add_q_proj", "add_k_proj", "add_v_proj", "to_out.0", "to_add_out")
    double: Shapes = {f"attn.{name}": square for name in attention + added}
    double |= {f"{name}.net.0.proj": wide for name in ("ff", "ff_context")}
    double |= {f"{name}.net.2": narrow for name in ("ff", "ff_context")}
    double |= {f"{name}.linear": (6 * WIDTH, WIDTH) for name in ("norm1", "norm1_context")}
    single: Shapes = {f"attn.{name}": square for name in attention}
    single |= {"proj_mlp": wide, "proj_out": (WIDTH, WIDTH + INNER), "norm.linear": (3 * WIDTH, WIDTH)}
    double |= {f"attn.norm_{name}": (HEAD,) for name in ("q", "k", "added_q", "added_k")}
    single |= {f"attn.norm_{name}": (HEAD,) for name in ("q", "k")}
    blocks = (("transformer_blocks", DOUBLE, double), ("single_transformer_blocks", SINGLE, single))
    return {
        f"{block}.{number}.{name}.{part}": shape if part == "weight" else shape[:1]
        for block, count, table in blocks
        for number in range(count)
        for name, shape in table.items()
        for part in (("weight", "bias") if len(shape) > 1 else ("weight",))  # the norms have no bias
    }

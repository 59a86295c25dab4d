"""How many of a model's parameters a LoRA file changes: what has to lie in RAM anew, by the file's header alone.

The matrices of the blocks are told from everything else, since FP8 makes them anew as it is. By names and sizes of the
file, without the model: what of it fits no layer counts too, which is rare and little.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from eichi.models.layers import flat
from eichi.models.lorafile import Layer, read_lora

BLOCKS = ("transformer_blocks", "single_transformer_blocks", "double_blocks", "single_blocks")
BESIDE = ("norm", "_mod")  # modulation is called so, by one name or the other


@dataclass(frozen=True)
class Changes:
    """Parameters that are changed: of the matrices that FP8 stores, and all others."""

    matrices: int = 0
    others: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(self.matrices + other.matrices, self.others + other.others)


def changes(path: Path) -> Changes:
    """What a file changes. Raises LoraError for one that is no LoRA, OSError for one that is not there."""
    stat = path.stat()
    return _changes(path.absolute(), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _changes(path: Path, *state: int) -> Changes:
    """The same, once for every state of a file."""
    return sum((_of(layer) for layer in read_lora(path).layers), Changes())


def _of(layer: Layer) -> Changes:
    name = flat(layer.name)
    inside = name.startswith(BLOCKS) and layer.kind != "bias" and not any(word in name for word in BESIDE)
    count = layer.size.outputs * layer.size.inputs
    return Changes(count, 0) if inside else Changes(0, count)

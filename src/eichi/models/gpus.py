"""Whether a model can be shared out among several GPUs as the settings ask for it; found out without torch.

What the machine has of GPUs is for `device` to say.
"""

from eichi.catalog import Entry
from eichi.errors import ModelError, OptionError
from eichi.models.formats import read_config
from eichi.models.locate import locate_part
from eichi.settings import Runtime

PART, HEADS = "transformer", "num_attention_heads"


def check_gpus(entry: Entry, runtime: Runtime) -> None:
    """Refuse a number of GPUs that a model's heads of attention cannot be dealt out to evenly, and what nobody has
    tried with several. Raises OptionError.
    """
    if runtime.gpus == 1:
        return
    if runtime.compiled:
        raise OptionError("error.gpus.compile")
    heads = _heads(entry, runtime)
    if heads % runtime.gpus:
        known = ", ".join(str(count) for count in range(2, heads + 1) if heads % count == 0)
        raise OptionError("error.gpus.heads", model=entry.name, gpus=runtime.gpus, heads=heads, known=known)


def _heads(entry: Entry, runtime: Runtime) -> int:
    """How many heads each of a model's blocks has."""
    place, published = locate_part(entry, PART, runtime.models), entry.published[PART].config
    try:
        return int((published if place is None else read_config(place, published))[HEADS])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError("error.model.damaged", model=entry.name, part=PART, reason=error) from error

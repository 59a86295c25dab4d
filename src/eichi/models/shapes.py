"""Names and shapes of a transformer's weights, without loading any of them and without torch.

Where the weights are on this machine they are read from the headers of their files; the published checkpoints are
known by heart, so that a LoRA can be judged before forty gigabytes are fetched. Knows nothing of LoRAs.
"""

from eichi.catalog import Entry, ModelFolders, Shapes
from eichi.errors import ModelError
from eichi.models.formats import arrange
from eichi.models.found import precision
from eichi.models.locate import locate_part

PART = "transformer"


def transformer_shapes(entry: Entry, models: ModelFolders) -> Shapes:
    """Shape by name of every weight of a model's transformer. Raises ModelError for files that cannot be read."""
    place = locate_part(entry, PART, models)
    try:
        if place is not None and (found := arrange(PART, place).shapes):
            return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError("error.model.damaged", model=entry.name, part=PART, reason=error) from error
    return entry.published[PART].shapes


def kept_in_eight(entry: Entry, models: ModelFolders) -> bool:
    """Whether the file of a model's transformer has its weights in eight bits; False where it cannot be told."""
    place = locate_part(entry, PART, models)
    return place is not None and precision(PART, place).startswith("fp8")

"""Names and shapes of a transformer's weights, without loading any of them and without torch.

Where the weights are on this machine they are read from the headers of their files; the published checkpoints are
known by heart, so that a LoRA can be judged before forty gigabytes are fetched. Knows nothing of LoRAs.
"""

from pathlib import Path

from eichi.catalog import Entry, ModelFolders, Shapes
from eichi.errors import ModelError
from eichi.models.formats import arrange
from eichi.models.found import precision
from eichi.models.locate import locate_part

PART = "transformer"


def transformer_shapes(entry: Entry, models: ModelFolders) -> Shapes:
    """Shape by name of every weight of a model's transformer. Raises ModelError for files that cannot be read."""
    return shapes_at(locate_part(entry, PART, models), entry)


def shapes_at(place: Path | None, entry: Entry) -> Shapes:
    """The same where the transformer was found, or was not."""
    try:
        if place is not None and (found := arrange(PART, place).shapes):
            return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError("error.model.damaged", model=entry.name, part=PART, reason=error) from error
    return entry.published[PART].shapes


def kept_in_eight(place: Path | None) -> bool:
    """Whether the transformer that lies there has its weights in eight bits; False where it cannot be told."""
    return place is not None and precision(PART, place).startswith("fp8")

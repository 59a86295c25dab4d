"""Under which terms the weights are that can be fetched: names, addresses, which parts they are about. Data, no torch.

What is known in public of where these weights come from. What the hub says of a repository is told beside it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from eichi.catalog import PartSource


@dataclass(frozen=True)
class Licence:
    """Terms by the id of their words, `licence.<id>`; `asked` says that using the weights is agreeing to them.

    With a `repository` they are those of the weights from there alone, and not of a part of every model.
    """

    id: str
    url: str
    parts: tuple[str, ...]
    asked: bool = True
    repository: str | None = None


LICENCES = (
    Licence("hunyuan", "https://huggingface.co/tencent/HunyuanVideo/blob/main/LICENSE", ("transformer", "vae")),
    Licence("llama", "https://www.llama.com/llama3/license/", ("text_encoder", "tokenizer")),
    Licence(
        "flux",
        "https://huggingface.co/black-forest-labs/FLUX.1-Redux-dev/blob/main/LICENSE.md",
        ("image_encoder", "feature_extractor"),
    ),
    Licence("clip", "https://github.com/openai/CLIP/blob/main/LICENSE", ("text_encoder_2", "tokenizer_2"), asked=False),
)


def licences(sources: Mapping[str, PartSource], parts: Collection[str]) -> tuple[Licence, ...]:
    """The terms of these parts, of those that come from a hub."""
    fetched = {part: sources[part].repository for part in parts if sources[part].repository is not None}
    return tuple(one for one in LICENCES if _holds(one, fetched))


def _holds(licence: Licence, fetched: Mapping[str, str | None]) -> bool:
    """Whether terms are those of any of these parts, given with where they come from."""
    places = [fetched[part] for part in licence.parts if part in fetched]
    return licence.repository in places if licence.repository else bool(places)

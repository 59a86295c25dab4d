"""What a LoRA file is and which models it fits, told in sentences; the same for the command line and the page."""

from collections.abc import Iterable

from eichi.catalog import ModelFolders, find
from eichi.errors import LoraError
from eichi.models.header import short
from eichi.models.lorafile import LoraFile
from eichi.models.loramatch import Match, match_lora
from eichi.models.shapes import transformer_shapes
from eichi.words import say


def compare(found: LoraFile, names: Iterable[str], models: ModelFolders) -> tuple[list[Match], dict[str, LoraError]]:
    """The models that a file fits, and why it does not fit the others."""
    fits: list[Match] = []
    misfits: dict[str, LoraError] = {}
    for name in names:
        try:
            fits.append(match_lora(found, transformer_shapes(find(name), models), name))
        except LoraError as error:
            misfits[name] = error
    return fits, misfits


def lines(fits: list[Match], misfits: dict[str, LoraError], language: str) -> list[str]:
    """The report on a file that fits some models, for a person."""
    head = fits[0].report
    told = {"kinds": ", ".join(head.kinds)}
    found = [say("lora.file" if head.base else "lora.file.unsaid", language, **vars(head) | told)]
    if head.piece is not None:
        found.append(say("lora.piece", language, number=head.piece[0], count=head.piece[1]))
    for match in fits:
        values = {**vars(match.report), **match.figures, "changed": len(match.shares)}
        found.append(say("lora.fits", language, **values))
        found += [say("lora.silent", language, silent=match.silent)] if match.silent else []
        found += [say("lora.odd", language, **vars(odd)) for odd in match.odd]
        found += [say("lora.unmatched", language, key=short(key)) for key in match.unmatched]
    return found + [
        say("lora.misfit", language, model=name, sentence=error.say(language)) for name, error in misfits.items()
    ]

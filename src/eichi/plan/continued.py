"""Going on from latents that were made before: which sections are kept, and where they lie in the file.

Sections are kept in the order of generation: the standard model keeps the end of a video, F1 its start. Keeping fewer
than there are redoes the rest; keeping all and asking for a longer video extends it. The start image's own latent is
not kept: in an extended video of the standard model it would flash up in the middle, so the new start image's takes
its place at the front, and the old one's single frame goes.
"""

from dataclasses import dataclass

from eichi.catalog import Direction
from eichi.errors import OptionError
from eichi.plan.size import size_words


@dataclass(frozen=True)
class Shape:
    """A latent file's shape; `first` is the place of its first latent in its video.

    `joints` are the places in the file where the start image's latent of a further clip lies, see plan.splice.
    """

    channels: int
    count: int
    height: int
    width: int
    first: int = 0
    joints: tuple[int, ...] = ()

    @property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width, which latents must share to lie in one file."""
        return self.channels, self.height, self.width

    @property
    def made(self) -> int:
        """Latents that sections made: all but the start image's."""
        return self.count - (1 if self.first == 0 else 0)

    def place(self, order: int, window: int, direction: Direction) -> int:
        """Where in the file the section that was made as number `order` begins."""
        if direction == "reverse":
            return self.count - (order + 1) * window
        return self.count - self.made + order * window


def kept_sections(asked: int | None, shape: Shape, window: int, size: tuple[int, int], sections: int) -> int:
    """How many sections of a file are kept for a video of `sections` sections and (height, width) pixels.

    `asked` is the user's number, None for all. Raises OptionError where the file does not fit the request.
    """
    if (shape.height * 8, shape.width * 8) != size:
        theirs, ours = size_words(shape.width * 8, shape.height * 8), size_words(size[1], size[0])
        raise OptionError("error.kept.size", theirs=theirs, ours=ours)
    if shape.joints:
        raise OptionError("error.kept.joined", clips=len(shape.joints) + 1)
    there, rest = divmod(shape.made, window)
    if rest:
        raise OptionError("error.kept.window", count=shape.count, window=window)
    if not there:
        raise OptionError("error.kept.none", count=shape.count)
    kept = there if asked is None else asked
    if kept > there:
        raise OptionError("error.kept.few", asked=kept, there=there)
    if kept > sections:
        raise OptionError("error.kept.many", kept=kept, count=sections)
    return kept

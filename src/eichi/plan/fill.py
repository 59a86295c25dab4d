"""What lies between two files of latents: one section of the standard model, made from both ends.

The standard model comes from a start and knows what follows: its layout has the start at position 0, the window behind
it, then the nearest future at full, the next two latents at half and sixteen more at a quarter of the resolution. So
the last latent of the first file takes the start's place, and the second file's first nineteen the future's; what a
shorter second file does not have is left empty, as in the section that a video's generation begins with. The second
file's image latent is its nearest future, which is the place that a Final Frame has. F1 knows no future and is refused.

One window, so that every latent sees both ends. Pure: no tensors, no files.
"""

from dataclasses import dataclass, replace

from eichi.catalog import SIDE, Entry
from eichi.errors import OptionError
from eichi.events import Adjusted
from eichi.options import FillOptions
from eichi.plan.continued import Shape
from eichi.plan.layout import Layout, reverse_layout
from eichi.plan.request import drawn, request_notes, texts_read
from eichi.plan.size import size_words
from eichi.plan.splice import joined


@dataclass(frozen=True)
class FillPlan:
    """A resolved request. `options` has a seed; `shape` is that of the whole result."""

    options: FillOptions
    entry: Entry
    seed: int
    layout: Layout
    shape: Shape
    notes: tuple[Adjusted, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that the encoders read, once."""
        return texts_read([self.options.prompt], self.options, self.options.sampling)


def make_fill_plan(options: FillOptions, entry: Entry, before: Shape, after: Shape) -> FillPlan:
    """Resolve a request for a model and two files of these shapes. Raises OptionError."""
    if entry.direction == "forward":
        raise OptionError("error.fill.forward", model=entry.name, flag="--model")
    if before.height * 8 % SIDE or before.width * 8 % SIDE:
        raise OptionError("error.fill.sides", size=size_words(before.width * 8, before.height * 8), side=SIDE)
    # What is made goes on from the first file, so it has no image latent and no joint before it.
    made = replace(before, count=options.length, first=before.first + before.count, joints=())
    seed = drawn(options.seed)
    return FillPlan(
        options=options.model_copy(update={"seed": seed, "model": entry.name}),
        entry=entry,
        seed=seed,
        layout=reverse_layout(options.length, 0),
        shape=joined(joined(before, made), after),
        notes=tuple(request_notes(options)),
    )

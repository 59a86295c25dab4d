"""Several clips in one run of latents: where each begins, how many frames they have, what cutting and joining change.

The first latent of a clip is its start image's and stands for one frame, every other for four: T latents are 4T - 3
frames. Put behind another clip and decoded in one causal pass, that first latent would give four frames instead of
one, made with a past that it never had: a still of a tenth of a second that may flash. So a joint is remembered, and
behind it the decoder begins afresh. The second clip then looks as it does alone, from its first frame on, the frames
of both are all there, and no frame is there twice.

A clip that lost its beginning, by trimming or because its job was stopped, has no such latent. Behind another clip it
goes on without a joint, in the same pass, and all its latents count four; so what was cut apart and is joined again
is what it was. On its own its first latent still gives one frame, for a decoder has nothing before it.
"""

from dataclasses import replace
from itertools import pairwise

from eichi.errors import OptionError
from eichi.plan.continued import Shape
from eichi.plan.size import size_words
from eichi.plan.timeline import frame_count


def stretches(shape: Shape) -> tuple[range, ...]:
    """The places of each clip's latents; each is decoded in one pass of its own."""
    return tuple(range(start, stop) for start, stop in pairwise((0, *shape.joints, shape.count)))


def frame_total(shape: Shape) -> int:
    """Frames that the whole decodes to."""
    return sum(frame_count(len(stretch)) for stretch in stretches(shape))


def joined(one: Shape, other: Shape) -> Shape:
    """`other` behind `one`. Raises OptionError where they differ in size."""
    if one.size != other.size:
        raise OptionError("error.latents.size", one=_size(one), other=_size(other))
    begins = (one.count,) if other.first == 0 else ()
    joints = (*one.joints, *begins, *(one.count + place for place in other.joints))
    return replace(one, count=one.count + other.count, joints=joints)


def trimmed(shape: Shape, start: int, end: int) -> Shape:
    """Without the first `start` and the last `end` latents. Raises OptionError where nothing would be left or cut."""
    if start == end == 0:
        raise OptionError("error.latents.uncut", start="--start", end="--end")
    count = shape.count - start - end
    if count < 1:
        raise OptionError("error.latents.empty", count=shape.count, cut=start + end)
    joints = tuple(place - start for place in shape.joints if start < place < start + count)
    first = 0 if start in shape.joints else shape.first + start
    return replace(shape, count=count, first=first, joints=joints)


def _size(shape: Shape) -> str:
    return f"{size_words(shape.width * 8, shape.height * 8)}x{shape.channels}"

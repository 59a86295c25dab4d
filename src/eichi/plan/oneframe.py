"""One image from one latent: which pictures it is drawn from, and which time position each of them has.

The standard model, asked for a window of one latent, makes one image: what the start picture becomes at the target
position. Reference pictures lie at positions of their own, usually after the target ("kisekaeichi": the start picture
with what the reference wears). Nothing but these positions tells the model what to do, and every project that does
this has its own; they are the profiles here, as data. Latents that a profile feeds without content are zeros, which
is not the same as leaving them out.

Pure: numbers only. Sources: kohya's musubi-tuner (profiles musubi, 1f-mc), FramePack-eichi 1.9 (oichi), kijai's
ComfyUI wrapper with its one-frame node (comfy). `kisekae` is what the LoRAs for this mode were trained with.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from eichi.catalog import Entry
from eichi.errors import OptionError
from eichi.events import Adjusted
from eichi.options import FrameOptions, ZeroOptions
from eichi.plan.layout import Layout
from eichi.plan.memory import Need
from eichi.plan.request import Resolved, drawn, request_notes, settle, size_notes, texts_read

START = 0  # the start picture's position


class At(NamedTuple):
    """The position `windows` * W + `plus`, W being the window that the request names."""

    windows: int
    plus: int

    def of(self, window: int) -> int:
        return self.windows * window + self.plus


@dataclass(frozen=True)
class Rule:
    """What a profile feeds: its default target, and zeros at full (`post`), half (`x2`) and quarter (`x4`) resolution.

    `free` tells whether a request may name another target, `limit` how high it may be.
    """

    target: At
    post: tuple[At, ...] = ()
    x2: tuple[At, ...] = ()
    x4: tuple[At, ...] = ()
    free: bool = True
    limit: At | None = None
    x4_at_target: bool = False


@dataclass(frozen=True)
class Profile:
    """A known way of placing pictures. `alone` is without a reference, None where one is needed.

    The first reference lies at `index` unless the request says otherwise; `most` is how many there may be, `after`
    whether they belong behind the target.
    """

    alone: Rule | None
    referred: Rule
    index: int
    most: int | None = None
    after: bool = True


_MUSUBI = Rule(
    target=At(1, 0), post=(At(1, 1),), x2=(At(1, 2), At(1, 3)), x4=tuple(At(1, plus) for plus in range(4, 20))
)

PROFILES: dict[str, Profile] = {
    "kisekae": Profile(alone=Rule(target=At(1, 0)), referred=Rule(target=At(0, 1)), index=10),
    "oichi": Profile(
        alone=Rule(target=At(1, -1), x2=(At(1, 2),), x4=(At(1, 4),), free=False),
        # Its 4x latent shared a memory cell with the target; users' indices were found with that, so it is kept.
        referred=Rule(target=At(0, 1), x2=(At(1, 3),), limit=At(1, -1), x4_at_target=True),
        index=16,
        most=1,
    ),
    "musubi": Profile(alone=_MUSUBI, referred=_MUSUBI, index=13),
    "1f-mc": Profile(alone=None, referred=Rule(target=At(0, 9), post=(At(1, 1),)), index=1, most=1, after=False),
    "comfy": Profile(alone=Rule(target=At(1, -1)), referred=Rule(target=At(0, 1)), index=13, most=1),
}


@dataclass(frozen=True)
class FrameLayout:
    """Time positions of one image: the `target`, the pictures (`clean`, the start picture first) and the zeros."""

    target: int
    clean: tuple[int, ...]
    post: tuple[int, ...] = ()
    x2: tuple[int, ...] = ()
    x4: tuple[int, ...] = ()

    @property
    def section(self) -> Layout:
        """The same as the layout of a section of one latent."""
        start, *references = self.clean
        return Layout((start,), (self.target,), (*references, *self.post), self.x2, self.x4)

    def describe(self) -> dict[str, list[int]]:
        """The positions as JSON-ready values."""
        return {
            "target": [self.target],
            "clean": list(self.clean),
            "post": list(self.post),
            "x2": list(self.x2),
            "x4": list(self.x4),
        }


@dataclass(frozen=True)
class FedPicture:
    """A picture that is fed, and its mask, if it has one of its own."""

    image: Path
    mask: Path | None


@dataclass(frozen=True)
class FramePlan(Resolved[FrameOptions]):
    """A resolved request for an image. `pictures` belong to `layout.clean`, one to one."""

    layout: FrameLayout
    pictures: tuple[FedPicture, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Every picture and mask that is needed."""
        return tuple(path for picture in self.pictures for path in (picture.image, picture.mask) if path is not None)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that the encoders read, once."""
        return texts_read([self.options.prompt], self.options, self.options.sampling)

    @property
    def need(self) -> Need:
        """Its size for the plan of memory and time."""
        return Need(self.height, self.width, 1, len(self.pictures) + 1, sections=1)


def frame_layout(
    rule: Rule, window: int, target: int | None, references: tuple[int, ...], zeros: ZeroOptions
) -> FrameLayout:
    """Positions by a rule; `target` None is the rule's own, a higher one than its limit becomes the limit."""
    at = rule.target.of(window) if target is None else target
    if rule.limit is not None:
        at = min(at, rule.limit.of(window))
    x4 = (at,) if rule.x4_at_target else tuple(place.of(window) for place in rule.x4)
    return FrameLayout(
        target=at,
        clean=(START, *references),
        post=tuple(place.of(window) for place in rule.post) if zeros.post else (),
        x2=tuple(place.of(window) for place in rule.x2) if zeros.x2 else (),
        x4=x4 if zeros.x4 else (),
    )


def make_frame_plan(options: FrameOptions, entry: Entry, picture: tuple[int, int]) -> FramePlan:
    """Resolve a request for a model and a start picture of (width, height) pixels. Raises OptionError."""
    if options.image is None:
        raise OptionError("error.image.required", flag="--image")
    if entry.direction == "forward":
        raise OptionError("error.frame.forward", model=entry.name)
    if options.vision and not options.references:
        raise OptionError("error.frame.vision", value=options.vision, flag="--reference")
    rule = _rule(options)
    bare = frame_layout(rule, options.window, options.target, (), options.zeros)
    layout = replace(bare, clean=(START, *_indices(options, bare)))
    _check_free(layout)
    settled, seed, height, width = settle(options, entry, picture)
    return FramePlan(
        options=settled,
        entry=entry,
        seed=seed,
        height=height,
        width=width,
        layout=layout,
        pictures=(
            FedPicture(options.image, options.mask),
            *(FedPicture(reference.image, reference.mask) for reference in options.references),
        ),
        notes=(*_notes(options, rule, layout), *size_notes(options, entry, options.sampling)),
    )


def sweep(
    options: FrameOptions, windows: Iterable[int] = (), targets: Iterable[int] = (), seeds: int = 1
) -> tuple[FrameOptions, ...]:
    """One request for each window, target and seed, otherwise equal. Raises OptionError.

    What eichi called "RoPE batch": pictures of the same thing at growing distance in time, and nothing else changes.
    Seeds count up from the request's, which is drawn once where it was left open.
    """
    values, first = options.dump(), drawn(options.seed, seeds)
    return tuple(
        type(options).parse(values | {"window": window, "target": target, "seed": seed})
        for window in tuple(windows) or (options.window,)
        for target in tuple(targets) or (options.target,)
        for seed in range(first, first + seeds)
    )


def _rule(options: FrameOptions) -> Rule:
    """The profile's rule for the number of references given."""
    profile, given = PROFILES[options.profile], len(options.references)
    if profile.most is not None and given > profile.most:
        raise OptionError("error.frame.references", profile=options.profile, most=profile.most, given=given)
    rule = profile.referred if given else profile.alone
    if rule is None:
        raise OptionError("error.frame.alone", profile=options.profile, flag="--reference")
    if options.target is not None and not rule.free:
        raise OptionError("error.frame.target", profile=options.profile)
    return rule


def _indices(options: FrameOptions, bare: FrameLayout) -> tuple[int, ...]:
    """Positions of the references; those left open take the lowest from the profile's on that nothing else has."""
    taken = {*bare.clean, *bare.post, *(reference.index for reference in options.references)}
    free = (index for index in count(PROFILES[options.profile].index) if index not in taken)
    return tuple(next(free) if reference.index is None else reference.index for reference in options.references)


def _check_free(layout: FrameLayout) -> None:
    """Two latents at one position would be mixed up; what oichi does at reduced resolution is its own affair."""
    given = (*layout.clean, *layout.post)
    for index in layout.clean[1:]:
        if given.count(index) > 1:
            raise OptionError("error.frame.index", index=index, flag="--reference", free=max(given) + 1)


def _notes(options: FrameOptions, rule: Rule, layout: FrameLayout) -> Iterator[Adjusted]:
    """What deserves a word before the start."""
    yield from request_notes(options)
    if options.target is not None and options.target != layout.target:
        yield Adjusted("note.frame.target", {"asked": options.target, "used": layout.target})
    if layout.target in (*layout.clean, *layout.post):
        yield Adjusted("note.frame.same", {"target": layout.target})
    for index in layout.clean[1:]:
        if index < layout.target and PROFILES[options.profile].after:
            yield Adjusted("note.frame.index", {"index": index, "target": layout.target})
    if rule.x4_at_target and layout.x4:
        yield Adjusted("note.frame.oichi", {"target": layout.target})
    plain = type(options).model_fields["window"].default
    if options.window != plain and layout == frame_layout(rule, plain, options.target, layout.clean[1:], options.zeros):
        yield Adjusted("note.frame.window", {"profile": options.profile})

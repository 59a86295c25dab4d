"""What the transformer is shown in one training step: a window of a clip and its surroundings, as a section sees them.

A clip is latents 0 (the start picture) to 36. A sample takes a window of w latents out of it and dresses it exactly
as the program dresses a section (layouts of `eichi.plan.layout`):

    reverse   the anchor lies p latents before the window: mostly the start picture, sometimes a later frame, as a
              key frame is. Behind the window lie the latents generated before it (none, one window, two ...), then
              the Final Frame or zeros, then zeros, 19 in all.
    forward   the start picture, and the 19 latents before the window, zeros before the beginning.

    single    one latent at a target position, dressed as an image is (profiles of `eichi.plan.oneframe`): the start
              picture, sometimes a later one as its reference, sometimes with a part of either masked out.

Positions always tell the true distance in time. All samples of a batch share one layout, because the rotary code of
the official class has no batch axis. A third of the histories carries noise, since at work they are the model's own.
Some histories contradict the prompt: a section's own prompt must count for more than where the neighbours go. With some
others nothing is said at all: then things go on as the neighbours show them.

And for some, the nearest window of the history is a sample of its own, as the section made before this one was: the
network draws it first and goes on from that, as it does at work. Who only ever saw true neighbours takes its own errors
for what the world looks like, and adds to them from section to section.

Windows `alone` have no neighbours: nothing but the prompt says what will happen, and there guidance is learnt
(`guidance.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch

from eichi.options import ZeroOptions
from eichi.plan.layout import CONTEXT, Layout, forward_layout, reverse_layout
from eichi.plan.oneframe import PROFILES, frame_layout
from training.cache import LATENTS, Clips
from training.rng import Rng, pick
from training.words import CAMERA, DIRECTIONS, OPPOSITE

Section: TypeAlias = tuple[int, torch.Tensor, torch.Tensor]  # place in a batch, window, history; time first

REVERSE, FORWARD = "reverse", "forward"
WINDOWS, SHORT_SHARE = (9, 5), 0.3
# Shares of paddings of 0, 1, 2, 3 windows, and of any number of latents.
PADDINGS, OTHER = (0.36, 0.28, 0.1, 0.08), 0.18
KEY_FRAME, FINAL, ODD_LENGTH = 0.3, 0.4, 0.12
NOISE = (0.0, 0.0, 0.05, 0.15)
# Shares of single images, of images with a reference, and with a part masked out.
SINGLE, REFERRED, MASKED = 0.1, 0.6, 0.3
CROSSED = 0.75  # of histories that go the opposite way
SLOW = ("spin", "shrink", "wave", "zoom")


@dataclass(frozen=True)
class Mix:
    """What a batch is made of. Only a window without neighbours teaches words: history gives the motion away."""

    alone: float  # share of windows without history and Final Frame (forward: of first sections)
    named: float  # share of clips that move in a named direction
    photos: float  # share of photographs among the latter: on them a sprite is hardest to tell from what is behind it
    slow: float  # share of the motions learnt most slowly among the clips without a direction
    camera: bool  # whether others may be clips with a moving camera
    unsaid: float = 0.0  # share of windows without a prompt among those whose neighbours show the motion
    # Share of batches whose histories the network draws itself where it can. A network that learnt with six in ten of
    # them, most from nothing but noise, keeps its looks longer and steps more at the seams.
    drafted: float = 0.0


# Words for directions are the hardest thing to learn and need the most direct lesson; the rest comes easily after.
EARLY = Mix(alone=0.7, named=0.75, photos=0.3, slow=0.0, camera=False)
LATE = Mix(alone=0.4, named=0.42, photos=0.5, slow=0.65, camera=True, unsaid=0.1)
# What networks are compared on: it stays when lessons change.
CHECK = Mix(alone=0.4, named=0.45, photos=0.5, slow=0.0, camera=True)


@dataclass(frozen=True)
class Sample:
    """A batch before noise is added. Latents are (n, 16, t, h, w) float32."""

    layout: Layout
    window: torch.Tensor
    anchor: torch.Tensor  # (n, 16, 1, h, w)
    history: torch.Tensor  # (n, 16, 19, h, w), in the order of time; of an image, what its layout has
    rows: torch.Tensor  # of the clips, to find prompts and pictures by
    unsaid: torch.Tensor  # (n) bool, whether the prompt is left out
    alone: torch.Tensor  # (n) bool, whether there are no neighbours
    earlier: "Earlier | None" = None

    @property
    def context(self) -> dict[str, torch.Tensor]:
        """The arguments of the transformer that describe the surroundings."""
        return surroundings(self.layout, self.anchor, self.history)

    def to(self, device: str) -> "Sample":
        """The same on a device, but for the rows."""
        window, anchor, history = (part.to(device) for part in (self.window, self.anchor, self.history))
        earlier = self.earlier and replace(self.earlier, sample=self.earlier.sample.to(device))
        return replace(self, window=window, anchor=anchor, history=history, earlier=earlier)

    def after(self, made: torch.Tensor) -> "Sample":
        """The same behind the sections that were made for `earlier`, (n, 16, w, h, w)."""
        assert self.earlier is not None
        size, history = made.shape[2], self.history.clone()
        history[self.earlier.places, :, slice(-size, None) if _looks_back(self.layout) else slice(size)] = made
        return replace(self, history=history, earlier=None)


@dataclass(frozen=True)
class Earlier:
    """The sections made before some of a batch's: their windows are the nearest of what these have as history."""

    sample: Sample
    places: torch.Tensor  # in the batch


def surroundings(layout: Layout, anchor: torch.Tensor, history: torch.Tensor) -> dict[str, torch.Tensor]:
    """Split latents of history, in the order of time, the way a layout does.

    For a resolution that a layout leaves out, the anchor stands in at no position, see `eichi.models.emptyhistory`.
    """
    sizes, device = (len(layout.clean), len(layout.x2), len(layout.x4)), anchor.device
    if _looks_back(layout):
        x4, x2, clean = history.split(sizes[::-1], dim=2)
    else:
        clean, x2, x4 = history.split(sizes, dim=2)
    return {
        "indices_latents": torch.tensor(layout.window, device=device),
        "latents_clean": torch.cat([anchor, clean], 2),
        "indices_latents_clean": torch.tensor(layout.start + layout.clean, device=device),
        "latents_history_2x": x2 if layout.x2 else anchor,
        "indices_latents_history_2x": torch.tensor(layout.x2, device=device),
        "latents_history_4x": x4 if layout.x4 else anchor,
        "indices_latents_history_4x": torch.tensor(layout.x4, device=device),
    }


def _looks_back(layout: Layout) -> bool:
    """Whether the history is of what came before the window, so that its last latents are the nearest."""
    return bool(layout.x4) and layout.x4[0] < layout.window[0]


def draw(
    rng: Rng, clips: Sequence[Clips], direction: str, count: int, mix: Mix = LATE, common: Rng | None = None
) -> tuple[int, Sample]:
    """A batch of `count` windows; also says which of the sets of clips (one per picture size) it comes from.

    What a step's time depends on is drawn from `common`: processes that wait for each other take equally long then.
    """
    common = common or rng
    sizes = [len(c) for c in clips]
    which = int(common.choice(len(sizes), p=[s / sum(sizes) for s in sizes]))
    rows = torch.tensor([_row(rng, clips[which], mix) for _ in range(count)])
    if direction == REVERSE and rng.random() < SINGLE:
        return which, _single(rng, clips[which], rows)
    window = WINDOWS[int(common.random() < SHORT_SHARE)]
    drafts = mix.drafted > 0 and bool(common.random() < mix.drafted)
    make = _reverse if direction == REVERSE else _forward
    return which, make(rng, clips[which], rows, window, mix, drafts)


def _row(rng: Rng, clips: Clips, mix: Mix) -> int:
    """A clip of the kind the mix asks for; of an odd collection without one, any."""
    named, photo, slow, row = rng.random() < mix.named, rng.random() < mix.photos, rng.random() < mix.slow, 0
    for _ in range(100):
        row = int(rng.integers(0, len(clips)))
        motion = clips.motions[row]
        if motion in DIRECTIONS:
            fits = named and (clips.kinds[row] == "photo") == photo
        else:
            fits = not named and (mix.camera or motion not in CAMERA) and (motion in SLOW or not slow)
        if fits:
            break
    return row


def _crossed(rng: Rng, clips: Clips, row: int) -> int | None:
    """The clip of the same picture that goes the opposite way, now and then; None where the prompt says no way."""
    opposite, other = OPPOSITE.get(clips.motions[row]), row ^ 1
    if rng.random() > CROSSED or opposite is None or not clips.prompts[row] or other >= len(clips):
        return None
    return other if clips.motions[other] == opposite else None


def _reverse(rng: Rng, clips: Clips, rows: torch.Tensor, window: int, mix: Mix, drafts: bool) -> Sample:
    padding = _padding(rng, window)
    anchors, windows, histories, unsaid = [], [], [], []
    earlier: list[Section] = []
    for place, row in enumerate(rows.tolist()):
        free = LATENTS - 1 - window - padding  # latents between start and end that are neither padding nor window
        key = int(rng.integers(0, free + 1)) if rng.random() < KEY_FRAME else 0
        first = key + padding + 1
        after = first + window
        left = LATENTS - after
        length = int(rng.integers(0, left + 1))
        if rng.random() > ODD_LENGTH:
            length = window * int(rng.integers(0, left // window + 1))
        silent = rng.random() < mix.alone
        other = _crossed(rng, clips, row)
        shown = row if other is None else other
        behind = [] if silent else [*clips.clips[shown, after : after + length]]
        if not silent and rng.random() < FINAL:
            behind.append(clips.clips[shown, after + length - 1])
        anchors.append(clips.clips[row, key])
        windows.append(clips.clips[row, first:after])
        histories.append(_padded(behind[:CONTEXT], clips, behind=True))
        unsaid.append(len(behind) > 1 and other is None and _left_out(rng, mix))
        if drafts and other is None and not silent and length >= window and not unsaid[-1]:
            further = _padded(behind[window:][:CONTEXT], clips, behind=True)
            earlier.append((place, torch.stack(behind[:window]), further))
    sample = _sample(rng, reverse_layout(window, padding), rows, (anchors, windows, histories), unsaid)
    return _drafted(rng, sample, reverse_layout(window, padding + window), earlier)


def _forward(rng: Rng, clips: Clips, rows: torch.Tensor, window: int, mix: Mix, drafts: bool) -> Sample:
    anchors, windows, histories, unsaid = [], [], [], []
    earlier: list[Section] = []
    for place, row in enumerate(rows.tolist()):
        first = 1 + window * int(rng.integers(0, (LATENTS - 1) // window))
        if rng.random() < ODD_LENGTH:
            first = int(rng.integers(1, LATENTS - window + 1))
        if rng.random() < mix.alone:
            first = 1
        other = _crossed(rng, clips, row) if first > window else None
        shown, made = row, clips.clips[row, first : first + window]
        if other is not None:  # turning round: the way back of what went the other way
            shown, made = other, clips.clips[other, first - 1 - window : first - 1].flip(0)
        anchors.append(clips.clips[row, 0])
        windows.append(made)
        histories.append(_padded([*clips.clips[shown, max(0, first - CONTEXT) : first]], clips, behind=False))
        unsaid.append(first > 2 and other is None and _left_out(rng, mix))
        start = first - window
        if drafts and other is None and start > 0 and not unsaid[-1]:
            further = _padded([*clips.clips[row, max(0, start - CONTEXT) : start]], clips, behind=False)
            earlier.append((place, clips.clips[row, start:first], further))
    sample = _sample(rng, forward_layout(window), rows, (anchors, windows, histories), unsaid)
    return _drafted(rng, sample, forward_layout(window), earlier)


def _drafted(rng: Rng, sample: Sample, layout: Layout, earlier: list[Section]) -> Sample:
    """A batch with the sections made before some of its own."""
    if not earlier:
        return sample
    numbers, windows, histories = zip(*earlier, strict=True)
    places = torch.tensor(numbers)
    anchors = [*sample.anchor[places, :, 0]]
    parts = anchors, [*windows], [*histories]
    made = _sample(rng, layout, sample.rows[places], parts, [False] * len(places))
    return replace(sample, earlier=Earlier(made, places))


def _single(rng: Rng, clips: Clips, rows: torch.Tensor) -> Sample:
    """Images. What lies at a position is what the clip shows at that time."""
    profile = PROFILES[pick(rng, ("kisekae", *PROFILES))]
    referred = profile.alone is None or rng.random() < REFERRED
    rule = profile.referred if referred or profile.alone is None else profile.alone
    index = profile.index if rng.random() < 0.6 or not profile.after else int(rng.integers(11, 28))
    target = None if rng.random() < 0.4 or not rule.free else int(rng.integers(2, 10))
    layout = frame_layout(rule, WINDOWS[0], target, (index,) if referred else (), ZeroOptions()).section
    latents = sum(map(len, (layout.clean, layout.x2, layout.x4)))
    anchors, windows, histories = [], [], []
    for row in rows.tolist():
        history = torch.zeros(latents, *clips.clips.shape[2:], dtype=torch.float16)
        if referred:
            history[0] = _holed(rng, clips.clips[row, index])
        anchors.append(_holed(rng, clips.clips[row, 0]))
        windows.append(clips.clips[row, layout.window[0]][None])
        histories.append(history)
    return _sample(rng, layout, rows, (anchors, windows, histories), [False] * len(rows))


def _holed(rng: Rng, latent: torch.Tensor) -> torch.Tensor:
    """A latent (16, h, w), now and then with a rectangle, a quarter of it or less, masked out."""
    if rng.random() > MASKED:
        return latent
    height, width = latent.shape[1:]
    top, left = int(rng.integers(0, height - 1)), int(rng.integers(0, width - 1))
    holed = latent.clone()
    holed[:, top : top + height // 2, left : left + width // 2] = 0
    return holed


def _padding(rng: Rng, window: int) -> int:
    """Latents between anchor and window. The program counts half-second windows as 4.5 latents here."""
    if rng.random() < OTHER:
        return int(rng.integers(0, 3 * window + 1))
    sections = int(rng.choice(len(PADDINGS), p=[p / sum(PADDINGS) for p in PADDINGS]))
    return int(sections * (9 if window == 9 else 4.5))


def _padded(known: list[torch.Tensor], clips: Clips, behind: bool) -> torch.Tensor:
    """Known latents and zeros, 19 in all, the zeros on the far side."""
    zeros = torch.zeros(CONTEXT - len(known), *clips.clips.shape[2:], dtype=torch.float16)
    parts = [*([torch.stack(known)] if known else []), zeros]
    return torch.cat(parts if behind else parts[::-1])


def _left_out(rng: Rng, mix: Mix) -> bool:
    """Whether this prompt is left out; where none ever is, nothing is drawn for it."""
    return mix.unsaid > 0 and rng.random() < mix.unsaid


def _sample(
    rng: Rng, layout: Layout, rows: torch.Tensor, parts: tuple[list[torch.Tensor], ...], unsaid: list[bool]
) -> Sample:
    """Stack (anchors, windows, histories), put time behind the channels, and add noise to some of the histories."""
    anchors, windows, histories = (torch.stack(p).float() for p in parts)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    levels = torch.tensor(NOISE)[torch.from_numpy(rng.integers(0, len(NOISE), len(rows)))].view(-1, 1, 1, 1, 1)
    filled = (histories != 0).any(dim=(2, 3, 4), keepdim=True)  # zeros mean "nothing there" and stay zeros
    alone = filled.flatten(1).sum(1) <= int(_looks_back(layout))  # of a first section it is the start picture itself
    histories = histories + levels * filled * torch.randn(histories.shape, generator=generator)
    return Sample(
        layout,
        windows.transpose(1, 2).contiguous(),
        anchors[:, :, None],
        histories.transpose(1, 2).contiguous(),
        rows,
        torch.tensor(unsaid),
        alone,
    )

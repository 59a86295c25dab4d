"""Where the sprite is and what the camera does, measured in pictures alone.

The sprite is what differs from the known background, its place the centre of that difference. A camera's movement is
found by trying shifts and magnifications of the first frame and keeping the best fit. Frames are in -1..1; places
and shifts are shares of the width.
"""

import math

import torch
import torch.nn.functional as F

# Smaller differences than this are codec noise (pixels in -1..1, mean over the colours).
QUIET = 0.16
SHIFTS = tuple(k / 64 for k in range(-24, 25))
ANGLES = tuple(range(-80, 81, 4))  # degrees
SCALES = tuple(1 + k / 40 for k in range(-8, 33))


def centres(frames: torch.Tensor, background: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centre (n, 2) and mass (n) of the sprite in frames (n, 3, h, w); x to the right, y down, the middle at 0.

    The mass is the share of the picture that differs. Without any difference the centre is the middle.
    """
    height, width = frames.shape[-2:]
    weight = ((frames - background).abs().mean(1) - QUIET).clamp(min=0)
    weight = weight * (_smooth(weight) > 0.05)  # single pixels are not a sprite
    x = (torch.arange(width) + 0.5) / width - 0.5
    y = ((torch.arange(height) + 0.5) - height / 2) / width
    total = weight.sum((1, 2)).clamp(min=1e-6)
    centre = torch.stack([(weight.sum(1) * x).sum(1) / total, (weight.sum(2) * y).sum(1) / total], 1)
    return centre, (weight > 0).float().mean((1, 2))


def moved(frames: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """From the sprite's first to its last centre, (2), averaged over the last tenth of the clip."""
    places, _ = centres(frames, background)
    return places[-max(1, len(places) // 10) :].mean(0) - places[0]


def drift(frames: torch.Tensor, background: torch.Tensor) -> float:
    """The sprite's largest distance from where it began."""
    places, _ = centres(frames, background)
    return float((places - places[0]).norm(dim=1).max())


def growth(frames: torch.Tensor, background: torch.Tensor) -> float:
    """The sprite's area at the end divided by that at the beginning."""
    _, mass = centres(frames, background)
    return float(mass[-max(1, len(mass) // 10) :].mean() / mass[0].clamp(min=1e-4))


def turned(first: torch.Tensor, later: torch.Tensor, background: torch.Tensor, centre: torch.Tensor) -> float:
    """By how many degrees, whichever way, what stands out of the background turned between two frames (3, h, w).

    It is cut out of the first frame, turned about `centre` (2) and laid over the background, (1, 3, h, w): what does
    not turn, however rich, then counts for nothing.
    """
    height, width = first.shape[-2:]
    cover = (_smooth((first - background).abs().mean(1) - QUIET) > 0).float()
    cut = torch.cat([first * cover, cover])
    (x, y), grids = (2 * centre).tolist(), []
    tops, lefts = (torch.arange(height) + 0.5 - height / 2) * 2 / width, (torch.arange(width) + 0.5) * 2 / width - 1
    rows, columns = torch.meshgrid(tops - y, lefts - x, indexing="ij")
    for angle in map(math.radians, ANGLES):
        cos, sin = math.cos(angle), math.sin(angle)
        across, down = x + columns * cos + rows * sin, y + rows * cos - columns * sin
        grids.append(torch.stack([across, down * width / height], -1))
    turning = F.grid_sample(cut.expand(len(grids), -1, -1, -1), torch.stack(grids), align_corners=False)
    shown = turning[:, :3] + background * (1 - turning[:, 3:])
    return float(abs(ANGLES[int((shown - later).abs().sum((1, 2, 3)).argmin())]))


def panned(first: torch.Tensor, last: torch.Tensor) -> float:
    """How far the camera went to the right between two frames (3, h, w)."""
    return _best(first, last, [(1.0, shift) for shift in SHIFTS])[1]


def zoomed(first: torch.Tensor, last: torch.Tensor) -> float:
    """How much larger things became."""
    return _best(first, last, [(scale, 0.0) for scale in SCALES])[0]


def _best(first: torch.Tensor, last: torch.Tensor, trials: list[tuple[float, float]]) -> tuple[float, float]:
    """The (magnification, shift) under which the first frame resembles the last most, where both are known."""
    theta = torch.tensor([[[1 / scale, 0, 2 * shift], [0, 1 / scale, 0]] for scale, shift in trials])
    grid = F.affine_grid(theta, [len(trials), *first.shape], align_corners=False)
    seen = F.grid_sample(first.expand(len(trials), -1, -1, -1), grid, align_corners=False, padding_mode="border")
    known = (grid.abs().amax(-1) <= 1).float()[:, None]
    error = ((seen - last).abs() * known).sum((1, 2, 3)) / known.sum((1, 2, 3)).clamp(min=1)
    return trials[int(error.argmin())]


def _smooth(weight: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(weight[:, None], 3, stride=1, padding=1)[:, 0]

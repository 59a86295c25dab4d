"""What a clip shows, as the report asks it: does the sprite rise, turn, wave, keep its looks, move evenly?

Clips are (n, 3, height, width) in -1..1, one picture for each latent unless said otherwise; lengths are shares of the
width. Every measure is passed by the world's own clips (`tests/training/test_track.py`): one that the truth fails says
nothing of a model.
"""

from statistics import mean, pstdev
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from training import sprites, track, world
from training.codec import GROUP
from training.words import DIRECTIONS

Clip: TypeAlias = Tensor

HIGH = 0.08  # less is no jump
RISE, FALL = 1.25, 0.8  # of a sprite's area: less is neither growing nor shrinking
TURNED = (12.0, 70.0)  # degrees; more could be a symmetry of the shape
SOON = slice(2, 6)  # latents until which it must be seen; 20 to 60 degrees are right there
STAYS = 0.1  # farther is not on the spot
RAISED = 0.12  # share of the place beside the head that a hand covers
SWING = 9  # latents until an arm hangs again
SIDE = 32  # pixels of a sprite's crop
RIM = 0.25  # of the largest slope of a sprite's outline: where there is more, the outline runs
CONTRAST, KEPT = 0.1, 0.5  # of an edge that counts, in pixels' -1..1 a pixel; what must be left of it
SEARCH = torch.linspace(-0.09, 0.09, 13)  # how far from its place a sprite is looked for


def rise(clip: Clip, background: Tensor) -> float:
    """How far the sprite rose above where it began, at its highest."""
    places, _ = track.centres(clip, background)
    return float((places[0, 1] - places[:, 1]).max())


def spins(clip: Clip, scene: world.Scene, background: Tensor) -> bool:
    """Whether the sprite turns while it stays where it is."""
    centre = world.truth(scene, torch.zeros(1))[0]
    turned = [track.turned(clip[0], later, background, centre) for later in clip[SOON]]
    return any(TURNED[0] <= angle <= TURNED[1] for angle in turned) and track.drift(clip, background) < STAYS


def waves(clip: Clip, scene: world.Scene, background: Tensor) -> bool:
    """Whether a figure's arm goes up beside its head and comes down again, while it stays where it is."""
    height, width = clip.shape[-2:]
    x, y = world.truth(scene, torch.zeros(1))[0].tolist()
    reach = scene.radius * min(height, width) / 2 / width
    columns = (torch.arange(width) + 0.5) / width - 0.5 - x
    rows = (torch.arange(height) + 0.5 - height / 2) / width - y
    covered = ((clip - background).abs().mean(1) > track.QUIET).float()

    def share(top: float, bottom: float, left: float, right: float) -> Tensor:
        place = covered[:, (rows > top * reach) & (rows < bottom * reach)]
        return place[:, :, (columns > left * reach) & (columns < right * reach)].mean((1, 2))

    head, hand = share(-0.95, -0.35, -0.3, 0.3), share(-0.9, 0.0, 0.5, 1.1)
    raised = hand - hand[0]
    up = float(raised[: SWING + 1].max())
    falls, stays = float(raised[SWING]) < up / 2, bool((head > 0.6 * head[0]).all())
    return up > RAISED and falls and stays and track.drift(clip, background) < STAYS


def lost(clip: Clip, scene: world.Scene, background: Tensor) -> float:
    """Decibels that a moving sprite's looks lose from the first second to the last."""
    quality = likeness(clip, scene, background)
    second = world.FPS // GROUP
    return mean(quality[1 : second + 1]) - mean(quality[-second:])


def likeness(clip: Clip, scene: world.Scene, background: Tensor) -> list[float]:
    """Decibels of every picture's sprite against that of the first, colours within its outline and background around.

    Looked for near the place where the world has it, and taken where it fits best; what the picture's rim hides does
    not count.
    """
    places = world.truth(scene, torch.arange(0.0, GROUP * len(clip), GROUP))
    alpha = _outline(scene)
    inside, outside = alpha > 0.95, alpha < 0.05
    first, _ = _crops(clip[:1], places[:1], scene)
    found = []
    for picture, place in zip(clip, places, strict=True):
        near = place + torch.cartesian_prod(SEARCH, SEARCH)
        seen, there = _crops(picture[None].expand(len(near), -1, -1, -1), near, scene)
        behind, _ = _crops(background.expand(len(near), -1, -1, -1), near, scene)
        counts = (inside | outside) & there
        error = (seen - torch.where(inside, first, behind)).square() * counts
        loss = error.sum((1, 2, 3)) / (3 * counts.sum((1, 2, 3)))
        found.append(float(10 * torch.log10(4 / loss.min().clamp(min=1e-8))))
    return found


def edges(picture: Tensor, true: Tensor, place: Tensor, scene: world.Scene) -> float:
    """The share of a sprite's outline whose contrast is at least half of the truth's, from 0 to 1.

    `picture` and `true` are (3, height, width), `place` (2) is where the truth has the sprite; in the picture it is
    looked for near that, and taken where it resembles the truth most. Contrast is the slope of the colours, the
    steepest within a pixel's distance; where the truth itself has none, as on the picture's rim, nothing is asked.
    """
    near = place + torch.cartesian_prod(SEARCH, SEARCH)
    wanted, inside = _crops(true[None], place[None], scene)
    seen, there = _crops(picture[None].expand(len(near), -1, -1, -1), near, scene)
    error = ((seen - wanted).square() * there).sum((1, 2, 3)) / (3 * there.sum((1, 2, 3))).clamp(min=1)
    best = int(error.argmin())
    outline = _slope(_outline(scene))
    asked = (outline > RIM * outline.max()) & inside & there[best : best + 1]
    before, after = _slope(wanted), F.max_pool2d(_slope(seen[best : best + 1]), 3, stride=1, padding=1)
    asked = asked & (before > CONTRAST)
    return float((after[asked] >= KEPT * before[asked]).float().mean()) if bool(asked.any()) else 1.0


def _slope(pictures: Tensor) -> Tensor:
    """How steep the steepest colour is at each pixel, (n, 1, h, w)."""
    right, down = F.pad(pictures, (1, 1, 0, 0), mode="replicate"), F.pad(pictures, (0, 0, 1, 1), mode="replicate")
    across, along = (right[..., 2:] - right[..., :-2]) / 2, (down[..., 2:, :] - down[..., :-2, :]) / 2
    return (across.square() + along.square()).sqrt().amax(1, keepdim=True)


def _crops(pictures: Tensor, places: Tensor, scene: world.Scene) -> tuple[Tensor, Tensor]:
    """The squares (n, 3, SIDE, SIDE) that hold a sprite at places (n, 2), and which of their pixels are pictures'."""
    height, width = pictures.shape[-2:]
    reach = scene.radius * min(height, width) / sprites.MARGIN
    theta = torch.zeros(len(places), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = reach / width, reach / height
    theta[:, :, 2] = 2 * places * torch.tensor([1, width / height])
    grid = F.affine_grid(theta, [len(places), 3, SIDE, SIDE], align_corners=False)
    there = (grid.abs() <= 1).all(-1)[:, None]
    return F.grid_sample(pictures, grid, align_corners=False, padding_mode="border"), there


def _outline(scene: world.Scene) -> Tensor:
    """How much a sprite covers of each pixel of such a square, (1, 1, SIDE, SIDE)."""
    assert scene.sprite is not None
    return F.interpolate(scene.sprite[None, 3:], (SIDE, SIDE), mode="bilinear", align_corners=False)


def unevenness(frames: Clip, scene: world.Scene, background: Tensor) -> float:
    """Of a video, all its frames: deviation of a sprite's steps within each latent's four, by its mean step."""
    places, _ = track.centres(frames, background)
    way = torch.tensor(DIRECTIONS[scene.motion], dtype=torch.float32)
    steps = ((places[1:] - places[:-1]) @ way).tolist()
    groups = [steps[k : k + GROUP] for k in range(GROUP, len(steps) - GROUP + 1, GROUP)]
    return float(mean(pstdev(group) for group in groups) / max(abs(mean(steps)), 1e-4))

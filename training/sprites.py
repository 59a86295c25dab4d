"""What moves: a coloured shape, a simple figure or a cut-out of a photograph, drawn once as a small RGBA picture.

A sprite knows neither where it is nor how it moves. It is drawn four times too large and shrunk, which gives clean
edges, and its colours are multiplied by its alpha, so that bilinear sampling leaves no fringe.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageDraw

from training.photos import crop
from training.rng import Rng

# Pixels of a sprite picture; its shape touches MARGIN of the half width, so rotation and blur never meet the border.
PIXELS, OVERSAMPLE, MARGIN = 44, 4, 0.88  # PIXELS: the least, of pictures of 64

Colour: TypeAlias = tuple[int, int, int]
Points: TypeAlias = list[tuple[float, float]]

COLOURS: dict[str, Colour] = {
    "red": (214, 40, 40),
    "green": (42, 157, 60),
    "blue": (38, 84, 214),
    "yellow": (246, 206, 44),
    "orange": (244, 128, 30),
    "purple": (132, 52, 176),
    "pink": (244, 130, 180),
    "white": (245, 245, 245),
    "black": (22, 22, 26),
    "cyan": (40, 196, 212),
    "brown": (128, 78, 40),
}


def star() -> Points:
    radii = [1.0 if k % 2 == 0 else 0.45 for k in range(10)]
    return [(r * math.sin(k * math.pi / 5), -r * math.cos(k * math.pi / 5)) for k, r in enumerate(radii)]


def heart() -> Points:
    angles = [2 * math.pi * k / 48 for k in range(48)]
    return [
        (
            math.sin(a) ** 3,
            -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 16.5 - 0.1,
        )
        for a in angles
    ]


def circle(x: float = 0.0, y: float = 0.0, radius: float = 1.0) -> Points:
    return [
        (x + radius * math.cos(2 * math.pi * k / 40), y + radius * math.sin(2 * math.pi * k / 40)) for k in range(40)
    ]


def triangle() -> Points:
    return [(0.0, -1.0), (0.92, 0.75), (-0.92, 0.75)]


def square() -> Points:
    return [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]


def diamond() -> Points:
    return [(0.0, -1.0), (0.72, 0.0), (0.0, 1.0), (-0.72, 0.0)]


def cross() -> Points:
    a = 0.34
    return [(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a)]


def body() -> Points:
    return [(-0.5, -0.3), (0.5, -0.3), (0.62, 0.4), (0.3, 0.4), (0.34, 1), (-0.34, 1), (-0.3, 0.4), (-0.62, 0.4)]


OUTLINES: dict[str, Callable[[], Points]] = {
    "circle": circle,
    "square": square,
    "triangle": triangle,
    "star": star,
    "heart": heart,
    "diamond": diamond,
    "cross": cross,
    "face": circle,
    "figure": body,
}
# Shapes whose turning shows.
TURNING = ("square", "triangle", "star", "heart", "diamond", "cross", "face", "figure")


# Where a figure's arm hangs, and the arm, hanging down inside the body.
SHOULDER, LIMB = (0.4, -0.16), (0.58, 0.14)  # length, half of the width


def arm(colour: Colour, pixels: int = PIXELS) -> torch.Tensor:
    """A figure's arm as a sprite of the same size, hanging from SHOULDER."""
    side, (x, y), (length, half) = pixels * OVERSAMPLE, SHOULDER, LIMB
    mask = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(mask)
    for points in ([(x - half, y), (x + half, y), (x + half, y + length), (x - half, y + length)], circle(x, y, half),
                   circle(x, y + length, 1.3 * half)):  # fmt: skip
        pen.polygon(_pixels(points, side, 1.0), fill=255)
    alpha = _shrunk(mask, pixels)
    return torch.cat([torch.tensor(colour).view(3, 1, 1) / 255 * alpha, alpha[None]])


def draw(rng: Rng, shape: str, colour: Colour, held: bool, cutout: bool, pixels: int = PIXELS) -> torch.Tensor:
    """One sprite as premultiplied (4, pixels, pixels) in 0..1; `cutout` fills it with a piece of a photograph."""
    side = pixels * OVERSAMPLE
    outline = tuple(int(c * 0.45) for c in colour) if rng.random() < 0.5 and not cutout else colour
    mask = Image.new("L", (side, side), 0)
    paint = Image.new("RGB", (side, side), outline)
    pen, brush = ImageDraw.Draw(mask), ImageDraw.Draw(paint)
    for points in _parts(shape):
        pen.polygon(_pixels(points, side, 1.0), fill=255)
        brush.polygon(_pixels(points, side, 0.84 if shape != "cross" else 0.8), fill=colour)
    if shape == "face":
        dark = (30, 30, 34) if sum(colour) > 250 else (240, 240, 240)
        for x in (-0.38, 0.38):
            brush.polygon(_pixels(circle(x, -0.25, 0.17), side, 1.0), fill=dark)
        brush.arc(_pixels([(-0.5, -0.35), (0.5, 0.6)], side, 1.0), 20, 160, fill=dark, width=side // 18)
    alpha = _shrunk(mask, pixels)
    fill = crop(rng, pixels, pixels, held) if cutout else _shrunk(paint, pixels).permute(2, 0, 1)
    return torch.cat([fill * alpha, alpha[None]])


def _shrunk(drawn: Image.Image, pixels: int) -> torch.Tensor:
    """An oversampled drawing at its size, in 0..1."""
    return torch.from_numpy(np.asarray(drawn.resize((pixels, pixels), Image.Resampling.BOX), np.float32) / 255)


def _parts(shape: str) -> list[Points]:
    return [body(), circle(0.0, -0.62, 0.36)] if shape == "figure" else [OUTLINES[shape]()]


def _pixels(points: Points, side: int, shrink: float) -> Points:
    """Unit coordinates to pixels of the oversampled picture."""
    half = side / 2
    return [(half + x * shrink * MARGIN * half, half + y * shrink * MARGIN * half) for x, y in points]

"""What is behind the sprite: plain colours, gradients, horizons, procedural textures and pieces of photographs.

A background is a picture of a given size in 0..1; how it is cut, moved or zoomed is the world's business. The mixture
matters more than any single kind: plain ones teach motion quickly, textures and photographs teach that a background
stays where it is.
"""

import colorsys

import numpy as np
import torch
import torch.nn.functional as F

from training.photos import crop
from training.rng import Rng, pick

# Shares of a clip whose camera stands, and of one whose camera moves: a moving camera shows only on texture.
STANDING = {"plain": 0.18, "gradient": 0.17, "horizon": 0.1, "noise": 0.12, "pattern": 0.13, "photo": 0.3}
MOVING = {"horizon": 0.06, "noise": 0.22, "pattern": 0.22, "photo": 0.5}


def choose(rng: Rng, camera: bool) -> str:
    """A kind of background."""
    shares = MOVING if camera else STANDING
    return list(shares)[int(rng.choice(len(shares), p=list(shares.values())))]


def paint(rng: Rng, kind: str, height: int, width: int, held: bool) -> torch.Tensor:
    """One background as float (3, height, width) in 0..1."""
    if kind == "photo":
        return crop(rng, height, width, held)
    if kind == "noise":
        return noise(rng, height, width)
    if kind == "pattern":
        return pattern(rng, height, width)
    first = colour(rng)
    if kind == "plain":
        return first.view(3, 1, 1).expand(3, height, width).clone()
    y = torch.linspace(0, 1, height).view(1, height, 1)
    x = torch.linspace(0, 1, width).view(1, 1, width)
    if kind == "gradient":
        angle = float(rng.uniform(0, 2 * np.pi))
        ramp = 0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    else:  # horizon: ground below, sky above, the border one or two pixels soft
        ramp = torch.clamp((y - float(rng.uniform(0.4, 0.75))) * height / 1.5, 0, 1).expand(1, height, width)
    return torch.lerp(first.view(3, 1, 1), colour(rng).view(3, 1, 1), ramp.clamp(0, 1).float())


def colour(rng: Rng) -> torch.Tensor:
    """A muted colour, so that sprites stand out."""
    values = colorsys.hls_to_rgb(float(rng.random()), float(rng.uniform(0.12, 0.9)), float(rng.uniform(0, 0.6)))
    return torch.tensor(values, dtype=torch.float32)


def noise(rng: Rng, height: int, width: int) -> torch.Tensor:
    """Cloudy noise: random numbers at two scales, between two or three colours."""
    total = torch.zeros(3, height, width)
    for cells, amount in ((int(rng.integers(2, 7)), 0.22), (int(rng.integers(8, 20)), 0.1)):
        rows = max(2, round(cells * height / min(height, width)))
        columns = max(2, round(cells * width / min(height, width)))
        grid = torch.from_numpy(rng.normal(0, amount, (1, 3, rows, columns)).astype(np.float32))
        total += F.interpolate(grid, (height, width), mode="bicubic", align_corners=False)[0]
    return (colour(rng).view(3, 1, 1) + total * float(rng.uniform(0.4, 1.2))).clamp(0, 1)


def pattern(rng: Rng, height: int, width: int) -> torch.Tensor:
    """Stripes, checks or dots of two colours, with soft edges and a little noise."""
    unit = min(height, width)
    y, x = torch.meshgrid(torch.arange(height) / unit, torch.arange(width) / unit, indexing="ij")
    angle, cycles = float(rng.uniform(0, np.pi)), float(rng.uniform(2, 5.5))
    u = (x * np.cos(angle) + y * np.sin(angle)) * cycles + float(rng.random())
    v = (-x * np.sin(angle) + y * np.cos(angle)) * cycles + float(rng.random())
    wave_u, wave_v = torch.sin(2 * np.pi * u), torch.sin(2 * np.pi * v)
    kind = pick(rng, ("stripes", "checks", "dots"))
    field = {"stripes": wave_u, "checks": wave_u * wave_v * 2, "dots": wave_u + wave_v - 0.7}[kind]
    mix = torch.sigmoid(field * 4)[None]
    pair = torch.lerp(colour(rng).view(3, 1, 1), colour(rng).view(3, 1, 1), mix.float())
    return (pair + 0.25 * (noise(rng, height, width) - 0.5)).clamp(0, 1)

"""Photographs for backgrounds and textures, read from Python packages that are installed anyway.

Nothing is downloaded and nothing is copied into the repository: pictures are read from `scikit-image`,
`scikit-learn` and `matplotlib` at training time. Three of them are kept out of training altogether, so that
"a photograph never seen" can be measured. Grey pictures are tinted by the caller's colour jitter.

Licences, as stated by the packages: NASA pictures (astronaut, hubble, moon) and grace_hopper are in the public
domain; chelsea, coffee, rocket, camera, brick, grass, gravel, retina and the motorcycle pair are CC0; ihc and coins
have no known restrictions; china and flower are CC BY 2.0 (Leopold Kroisamer; Naoto Takeuchi).
"""

from functools import cache
from importlib import resources

import numpy as np
import torch
from PIL import Image

from training.rng import Rng

SKIMAGE, SKLEARN, MATPLOTLIB = "skimage.data", "sklearn.datasets.images", "matplotlib"

SEEN = (
    (SKIMAGE, "astronaut.png"),
    (SKLEARN, "china.jpg"),
    (SKLEARN, "flower.jpg"),
    (MATPLOTLIB, "mpl-data/sample_data/grace_hopper.jpg"),
    (SKIMAGE, "motorcycle_left.png"),
    (SKIMAGE, "motorcycle_right.png"),
    (SKIMAGE, "hubble_deep_field.jpg"),
    (SKIMAGE, "ihc.png"),
    (SKIMAGE, "retina.jpg"),
    (SKIMAGE, "camera.png"),
    (SKIMAGE, "coins.png"),
    (SKIMAGE, "brick.png"),
    (SKIMAGE, "grass.png"),
    (SKIMAGE, "gravel.png"),
    (SKIMAGE, "moon.png"),
)
UNSEEN = ((SKIMAGE, "chelsea.png"), (SKIMAGE, "coffee.png"), (SKIMAGE, "rocket.jpg"))

# A crop is never wider than this many source pixels per output pixel: beyond it, 64 pixels show no object any more.
WIDEST, LONGEST = 8.0, 900


@cache
def load(package: str, name: str) -> Image.Image:
    """One picture as RGB, at most `LONGEST` pixels on its longer side."""
    with resources.as_file(resources.files(package) / name) as path, Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return picture


def crop(rng: Rng, height: int, width: int, held: bool) -> torch.Tensor:
    """A random, jittered crop as float (3, height, width) in 0..1."""
    names = UNSEEN if held else SEEN
    # The first eight are colour photographs, the rest textures and grey pictures: take the former twice as often.
    choices = names if held else names + names[:8]
    picture = load(*choices[int(rng.integers(len(choices)))])
    largest = min(picture.width / width, picture.height / height)
    scale = float(rng.uniform(min(1.0, largest), min(WIDEST, largest)))
    box_width, box_height = width * scale, height * scale
    left = float(rng.uniform(0, picture.width - box_width))
    top = float(rng.uniform(0, picture.height - box_height))
    box = (left, top, left + box_width, top + box_height)
    shrunk = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(shrunk, np.float32) / 255
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if not held:
        gain = rng.uniform(0.75, 1.2, 3) if rng.random() < 0.5 else np.ones(3)
        pixels = np.clip(pixels ** rng.uniform(0.75, 1.35) * gain, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(pixels, np.float32)).permute(2, 0, 1)

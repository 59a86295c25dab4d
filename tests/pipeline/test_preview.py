"""Latents as a rough picture, by the table that belongs to the checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch

from eichi.catalog import ModelFolders, PreviewMatrix, find
from eichi.models.load import Components
from eichi.pipeline.conditioning import encode_picture
from eichi.pipeline.preview import draw_preview
from eichi.settings import Runtime


def test_a_channel_is_a_colour() -> None:
    factors = ((1.0, 0.0, 0.0), (0.0, 2.0, 0.0), *(((0.0, 0.0, 0.0),) * 14))
    latents = torch.zeros(1, 16, 3, 2, 4)
    latents[0, 0, 1] = 0.2
    latents[0, 1, 2, 0, 3] = -1.0
    pixels = draw_preview(latents, PreviewMatrix(factors, (0.4, 0.6, 1.5)))
    assert pixels.shape == (3, 2, 4, 3)
    assert pixels[0, 0, 0].tolist() == [102, 153, 255]
    assert pixels[1, 0, 0].tolist() == [153, 153, 255]
    assert pixels[2, 0, 3].tolist() == [102, 0, 255]


@pytest.mark.parametrize("color", [(200, 40, 40), (40, 200, 40), (40, 40, 200), (230, 230, 230)])
def test_the_embedded_table_gives_the_colours_of_a_picture(tmp_path: Path, color: tuple[int, int, int]) -> None:
    components = Components(find("tiny"), Runtime(ModelFolders(tmp_path), "cpu"))
    picture = np.broadcast_to(np.array(color, dtype=np.uint8), (64, 64, 3)).copy()
    with torch.inference_mode():
        pixels = draw_preview(encode_picture(components, picture), components.entry.preview)
    assert pixels.shape == (1, 8, 8, 3)
    assert np.abs(pixels.mean(axis=(0, 1, 2)) - color).max() < 40

"""A latent file is as it was written, or refused."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from eichi.errors import InputError
from eichi.video.latentfile import KEY, Latents, load_latents, save_latents

VALUES = np.random.default_rng(0).normal(size=(1, 16, 5, 4, 4)).astype(np.float32)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    record = {"kind": "video", "request": {"prompt": "猫 \udc80", "keyframes": {"prompts": {2: "b", 10: "c"}}}}
    save_latents(path, Latents(VALUES, 3, (2,)), record)
    read = load_latents(path)
    assert np.array_equal(read.values, VALUES)
    assert (read.first, read.joints) == (3, (2,))
    assert b'\\"checksum\\": \\"' in path.read_bytes()  # files that are there already say it so


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path) -> None:
    """Latents are numbers, and damaged ones are other numbers; so is the place that they begin at."""
    path = tmp_path / "a.safetensors"
    save_latents(path, Latents(VALUES, 3), {"kind": "video", "request": {}})
    content = path.read_bytes()
    for place in {*range(0, len(content), 97), content.index(b"first_latent") + len('first_latent\\": ')}:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(InputError):
            load_latents(path)


def test_other_programs_have_none(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({KEY: VALUES}, path)
    assert np.array_equal(load_latents(path).values, VALUES)

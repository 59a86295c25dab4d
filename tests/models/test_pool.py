"""A model of random numbers is the same everywhere, stays in range in half precision, and needs nothing downloaded."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from eichi.catalog import NETWORKS, PARTS, ModelFolders
from eichi.models.load import Components
from eichi.models.pool import LENGTH, RandomSource, random_entry, random_matrix, random_sources
from eichi.pipeline.conditioning import encode_picture, encode_prompt, encode_vision
from eichi.pipeline.decode import Decoder
from eichi.settings import Runtime

CPU = torch.device("cpu")


def test_the_numbers_are_the_same_on_every_machine() -> None:
    """They were these when this was written; a digest of a GPU's must be the same."""
    made = random_matrix("a.weight", (24, 16), 1.0, torch.bfloat16)
    assert hashlib.sha256(made.view(torch.int16).numpy().tobytes()).hexdigest()[:16] == "019dcbfb00a0c8dc"
    assert not torch.equal(made, random_matrix("b.weight", (24, 16), 1.0, torch.bfloat16))


def test_a_tensor_longer_than_the_pool_goes_on_at_its_begin() -> None:
    made = random_matrix("a.weight", (3, LENGTH // 2), 1.0, torch.float32).view(-1)
    assert torch.equal(made[:1000], made[LENGTH : LENGTH + 1000])
    assert made.unique().numel() > 60_000


def test_what_goes_through_keeps_its_size() -> None:
    states = torch.randn(64, 512, generator=torch.Generator().manual_seed(0))
    made = states @ random_matrix("a.weight", (256, 512), 1.0, torch.float32).T
    assert made.std() == pytest.approx(1.0, abs=0.1)


def test_norms_are_ones_and_biases_zeros() -> None:
    source = RandomSource({"norm.weight": (4,), "norm.bias": (4,), "to.weight": (4, 4)}, torch.float16, CPU)
    assert source.read("norm.weight").tolist() == [1.0] * 4
    assert source.read("norm.bias").tolist() == [0.0] * 4
    assert source.read("to.weight").dtype == source.dtype("to.weight") == torch.float16
    assert len({source.mark(name) for name in source.shapes}) == 3
    with pytest.raises(KeyError):
        source.read("other")


def test_a_small_model_computes_in_the_precisions_of_a_card(tmp_path: Path) -> None:
    """Of the embedded model's own weights the VAE overflows there."""
    entry = random_entry("small", tmp_path)
    components = Components(entry, Runtime(ModelFolders(tmp_path), "cpu"), sources=random_sources(entry, CPU))
    components.precision = entry.anatomy.precision
    pixels = np.zeros((64, 64, 3), np.uint8)
    words, vision = encode_prompt(components, "a"), encode_vision(components, pixels)
    latent = encode_picture(components, pixels)
    decoder = Decoder(components.vae, 1, "forward")
    frames = decoder.push(0, latent)
    assert components.vae.dtype == torch.float16 and components.transformer.dtype == torch.bfloat16
    assert all(bool(made.isfinite().all()) for made in (words.states, words.pooled, vision, latent))
    assert frames is not None and frames[1].std() > 1 and decoder.repeated == 0


def test_the_full_model_has_the_published_shapes(tmp_path: Path) -> None:
    """Nothing of it is made; what it has of files is there."""
    entry = random_entry("full", tmp_path)
    sources = random_sources(entry, CPU)
    numbers = {part: sum(np.prod(shape) for shape in sources[part].shapes.values()) for part in NETWORKS}
    assert numbers["transformer"] == entry.anatomy.transformer == 12_874_314_816
    assert numbers["vae"] == entry.anatomy.vae
    components = Components(entry, Runtime(ModelFolders(tmp_path), "cpu"), sources=sources)
    assert components.folders.keys() == set(PARTS) - set(NETWORKS)
    assert components.feature_extractor.size["height"] == 384
    assert len(components.tokenizer("a").input_ids) > 0

"""The VAE by any of its names is the same network."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo

from eichi.catalog import find
from eichi.models.formats import arrange, layouts
from eichi.models.networks import make_network
from eichi.models.source import FileSource, fill
from eichi.models.vaenames import our_names
from tests import trees


@pytest.fixture
def vae() -> AutoencoderKLHunyuanVideo:
    """The real arrangement of layers with an attention in the middle."""
    torch.manual_seed(0)
    made = AutoencoderKLHunyuanVideo(block_out_channels=(8, 16, 16, 16), layers_per_block=2, norm_num_groups=4)
    return made.eval()


@pytest.mark.parametrize("prefix", ["", "vae.", "first_stage_model."])
@pytest.mark.parametrize("inner", ["", "conv."])
@torch.inference_mode()
def test_the_names_of_comfyui(tmp_path: Path, vae: AutoencoderKLHunyuanVideo, prefix: str, inner: str) -> None:
    """All of them, in both halves; what is drawn with it is equal bit by bit."""
    theirs = trees.causal(vae)
    assert theirs.keys() != vae.state_dict().keys()
    named = {name.replace(f"attn_1.{one}.", f"attn_1.{one}.{inner}"): t for name, t in theirs.items() for one in "q"}
    path = trees.write(tmp_path / "x.safetensors", trees.prefixed(prefix, named))
    made = make_network("vae", dict(vae.config))
    fill(made, FileSource("vae", path), torch.float32)
    assert all(torch.equal(tensor, vae.state_dict()[name]) for name, tensor in made.state_dict().items())
    clip = torch.rand(1, 3, 5, 32, 32)
    assert isinstance(made, AutoencoderKLHunyuanVideo)
    assert torch.equal(made(clip).sample, vae(clip).sample)


def test_the_names_of_tencent_are_diffusers_s(vae: AutoencoderKLHunyuanVideo) -> None:
    names = list(vae.state_dict())
    assert our_names(names) == dict(zip(names, names, strict=True))


def test_the_published_one_in_full(tmp_path: Path) -> None:
    """Every name of the large network has one of ComfyUI's, and the way back."""
    published = find("framepack").published["vae"]
    network = make_network("vae", published.config)
    assert isinstance(network, AutoencoderKLHunyuanVideo)
    back = our_names(trees.causal(network))
    assert sorted(back.values()) == sorted(published.shapes)


@pytest.mark.parametrize("name", ["", "decoder.", "decoder.up..block", "decoder.up.99999999999999999999.x", "\n"])
def test_what_is_no_name_of_a_layer_stays(tmp_path: Path, name: str) -> None:
    tensors = {name or "_": torch.ones(1), "decoder.conv_in.conv.weight": torch.ones(2)}
    path = trees.write(tmp_path / "x.safetensors", tensors)
    assert set(layouts(path)) == {"vae"}
    assert arrange("vae", path).lacks(find("framepack").published["vae"].shapes)

"""A transformer without some of its inputs, against its own forward pass with the missing tables set to None."""

import inspect
import textwrap
from types import MethodType
from typing import Any

import pytest
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.models.transformers import transformer_hunyuan_video_framepack as module
from torch import Tensor

from eichi.models.emptyhistory import allow_empty_history
from tests import small


@pytest.fixture(scope="module")
def model() -> HunyuanVideoFramepackTransformer3DModel:
    torch.manual_seed(0)
    return small.transformer()


def inputs(x2: int, x4: int) -> dict[str, Any]:
    """A single image's inputs with latents at `x2` and `x4` positions."""
    draw = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw)

    given = {
        "hidden_states": noise(1, 16, 1, 6, 10),
        "timestep": torch.tensor([500.0]),
        "encoder_hidden_states": noise(1, 4, small.WIDTH),
        "encoder_attention_mask": torch.ones(1, 4),
        "pooled_projections": noise(1, small.WIDTH),
        "image_embeds": noise(1, 3, small.WIDTH),
        "indices_latents": torch.tensor([1]),
        "guidance": torch.tensor([10_000.0]),
        "latents_clean": noise(1, 16, 2, 6, 10),
        "indices_latents_clean": torch.tensor([0, 10]),
        "return_dict": False,
    }
    for scale, count in (("2x", x2), ("4x", x4)):
        given[f"latents_history_{scale}"] = noise(1, 16, max(count, 1), 6, 10)
        given[f"indices_latents_history_{scale}"] = torch.arange(11, 11 + count)
    return given


def documented(model: HunyuanVideoFramepackTransformer3DModel) -> MethodType:
    """The model's forward pass as its declaration promises it: absent inputs are None and their tables too."""
    source = textwrap.dedent(inspect.getsource(type(model).forward))
    line = "    batch_size, num_channels, num_frames, height, width = hidden_states.shape\n"
    assert source.count(line) == 1
    source = source.replace(line, f"{line}    image_rotary_emb_history_2x = image_rotary_emb_history_4x = None\n")
    names: dict[str, Any] = dict(vars(module))
    exec(source, names)
    return MethodType(names["forward"], model)


@pytest.mark.parametrize(("x2", "x4"), [(0, 0), (1, 0), (0, 1), (2, 16)])
@torch.inference_mode()
def test_absent_is_what_the_library_promises(model: HunyuanVideoFramepackTransformer3DModel, x2: int, x4: int) -> None:
    given = inputs(x2, x4)
    with allow_empty_history(model):
        ours = model(**given)[0]
    for scale, count in (("2x", x2), ("4x", x4)):
        if not count:
            given[f"latents_history_{scale}"] = given[f"indices_latents_history_{scale}"] = None
    assert torch.equal(ours, documented(model)(**given)[0])


@torch.inference_mode()
def test_the_model_is_as_it_was(model: HunyuanVideoFramepackTransformer3DModel) -> None:
    given = inputs(2, 16)
    before = model(**given)[0]
    with allow_empty_history(model):
        assert torch.equal(model(**given)[0], before)
    assert "_pack_history_states" not in vars(model)
    assert torch.equal(model(**given)[0], before)


@torch.inference_mode()
def test_the_library_still_needs_it(model: HunyuanVideoFramepackTransformer3DModel) -> None:
    """Once this passes without an error, `models.emptyhistory` can go."""
    given = inputs(2, 16) | {"latents_history_2x": None, "indices_latents_history_2x": None}
    with pytest.raises(UnboundLocalError):
        model(**given)

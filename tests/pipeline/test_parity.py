"""Our section loop against diffusers' FramePack pipeline: the transformer receives the same tensors.

Both run on one small random checkpoint. The transformer's answer is replaced by the velocity towards a fixed target
for each section, so that both solvers end in the same latents and every later section must show the same history.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.theirs import assemble, request
from eichi.catalog import Direction, Entry
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.conditioning import encode_picture
from eichi.pipeline.generate import compute
from eichi.plan.plan import make_plan
from tests import small

PROMPT = "a red star moves right"
STEPS, SEED, SIZE = 2, 7, 64
STYLE = {"reverse": "inverted_anti_drifting", "forward": "vanilla"}


@pytest.fixture(scope="module", params=["reverse", "forward"])
def components(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Components:
    like = "framepack" if request.param == "reverse" else "framepack-f1"
    folder = small.build(tmp_path_factory.mktemp(like), like)
    return Components(small.entry(folder), folder, "cpu")


@pytest.fixture
def calls(components: Components) -> Iterator[list[dict[str, Any]]]:
    """What the transformer is given, call by call; its answer leads every section to its own target."""
    seen: list[dict[str, Any]] = []
    model = components.transformer
    real = model.forward

    def answer(hidden_states: Tensor, timestep: Tensor, **rest: Any) -> tuple[Tensor]:
        target = torch.randn(hidden_states.shape, generator=torch.Generator().manual_seed(len(seen) // STEPS))
        seen.append({"hidden_states": hidden_states.clone(), "timestep": timestep.clone(), **rest})
        return ((hidden_states - target) / (timestep.view(1, 1, 1, 1, 1) / 1000.0),)

    model.forward = answer
    yield seen
    model.forward = real


@pytest.mark.parametrize("sections", [1, 3, 5])
def test_same_inputs(components: Components, calls: list[dict[str, Any]], sections: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    ours(components, pixels, sections)
    mine = list(calls)
    calls.clear()
    theirs(components, pixels, sections)
    assert len(mine) == len(calls) == STEPS * sections
    for one, other in zip(mine, calls, strict=True):
        words = int(other["encoder_attention_mask"].sum())
        assert one["encoder_attention_mask"].sum() == words
        assert torch.allclose(one["encoder_hidden_states"], other["encoder_hidden_states"][:, :words], atol=1e-5)
        for name in ("indices_latents", "indices_latents_clean"):
            assert torch.equal(one[name], other[name])
        for scale in ("2x", "4x"):
            name = f"latents_history_{scale}"
            assert torch.equal(one[f"indices_{name}"], other[f"indices_{name}"])
            assert torch.allclose(one[name], other[name], atol=1e-5)
        # Theirs feeds SigLIP floats that its processor cuts to bytes: up to a grey level apart.
        assert torch.allclose(one["image_embeds"], other["image_embeds"], atol=3e-2)
        for name in ("hidden_states", "timestep", "guidance", "pooled_projections", "latents_clean"):
            assert torch.allclose(one[name], other[name], rtol=1e-5, atol=1e-4), name


def ours(components: Components, pixels: np.ndarray, sections: int) -> None:
    window_seconds = (36 * sections + 1) / 30
    options = VideoOptions.parse(
        {
            "image": "unused.png",
            "prompt": PROMPT,
            "seconds": window_seconds,
            "seed": SEED,
            "sampling": {"steps": STEPS, "teacache": False},
        }
    )
    plan = make_plan(options, components.entry, (SIZE, SIZE))
    assert len(plan.sections) == sections
    for _ in compute(plan, components, {"image": pixels}):
        pass


def theirs(components: Components, pixels: np.ndarray, sections: int) -> None:
    entry: Entry = components.entry
    direction: Direction = entry.direction
    pipe = assemble(components)
    # The posterior's mode, as ours; a draw would also move the generator on.
    pipe.prepare_image_latents = lambda *_, **__: encode_picture(components, pixels)
    asked = request(entry, pixels, PROMPT, sections, 9, STEPS, SEED)
    pipe(**asked, sampling_type=STYLE[direction], output_type="latent")

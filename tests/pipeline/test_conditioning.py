"""What the transformer is told, against the encoders driven by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from eichi.catalog import ModelFolders
from eichi.models.load import Components
from eichi.pipeline.conditioning import blend, encode_picture, encode_prompt, encode_vision
from eichi.settings import Runtime
from tests import small


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp("small"))
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@torch.inference_mode()
def test_prompt_is_the_third_last_state_behind_the_head(components: Components) -> None:
    words = encode_prompt(components, "a red star")
    template = components.entry.template
    text = template.text.replace("{}", "a red star")
    ids = components.tokenizer(text, return_tensors="pt").input_ids
    states = components.text_encoder(input_ids=ids, output_hidden_states=True).hidden_states
    # The small tokenizer splits at spaces, so the last of the three words is read with the template's end mark.
    assert words.states.shape == (1, ids.shape[1] - template.head, small.WIDTH)
    assert torch.equal(words.states, states[-3][:, template.head :])
    assert words.mask.shape == words.states.shape[:2]
    assert words.mask.all()


def test_long_prompts_are_cut(components: Components) -> None:
    words = encode_prompt(components, "star " * 400)
    assert words.states.shape[1] == 256
    assert torch.equal(words.pooled, encode_prompt(components, "star " * 300).pooled)


def test_braces_are_text(components: Components) -> None:
    assert encode_prompt(components, "a {red} {} {0} star").states.shape[1] > 3


def test_picture_is_deterministic(components: Components) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (48, 80, 3), dtype=np.uint8)
    latent = encode_picture(components, pixels)
    torch.manual_seed(99)
    assert torch.equal(latent, encode_picture(components, pixels))
    assert latent.shape == (1, 16, 1, 6, 10)
    assert latent.dtype == torch.float32


def test_vision(components: Components) -> None:
    state = encode_vision(components, np.zeros((48, 80, 3), dtype=np.uint8))
    assert state.shape == (1, 4, small.WIDTH)


def test_parts_come_and_go(components: Components, tmp_path: Path) -> None:
    first = components.text_encoder
    assert components.text_encoder is first
    components.release("text_encoder")
    assert components.text_encoder is not first


def test_blended_prompts_keep_every_word_of_both(components: Components) -> None:
    short, long = encode_prompt(components, "a star"), encode_prompt(components, "a red star on the right")
    assert short.states.shape[1] < long.states.shape[1]
    for earlier, later in ((short, long), (long, short)):
        mixed = blend(earlier, later, 0.25)
        assert mixed.states.shape == long.states.shape
        assert mixed.mask.shape == long.mask.shape
        assert mixed.mask.all()
        count = short.states.shape[1]
        expected = 0.75 * earlier.states[:, :count] + 0.25 * later.states[:, :count]
        assert torch.allclose(mixed.states[:, :count], expected, atol=1e-5)
        weight = 0.25 if later is long else 0.75
        assert torch.allclose(mixed.states[:, count:], weight * long.states[:, count:], atol=1e-5)
        assert torch.allclose(mixed.pooled, 0.75 * earlier.pooled + 0.25 * later.pooled, atol=1e-5)
        assert mixed.states.dtype == later.states.dtype

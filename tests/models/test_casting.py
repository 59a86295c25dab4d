"""LLaMA that stays as its file has it gives what a copy of it in the wanted type gives, and is as it was afterwards."""

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from eichi.models.casting import cast_layers


def small(layers: int, dtype: torch.dtype) -> LlamaModel:
    """A small LLaMA; what is no weight stays in float32, as in one that is loaded."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    encoder = LlamaModel(config)
    encoder.requires_grad_(False).eval()
    for parameter in encoder.parameters():
        parameter.data = parameter.data.to(torch.float16).to(dtype)
    return encoder


@pytest.mark.parametrize("wanted", [torch.float32, torch.bfloat16])
def test_a_layer_at_a_time_computes_as_all_of_them(wanted: torch.dtype) -> None:
    encoder, whole = small(3, torch.float16), small(3, wanted)
    ids = torch.arange(12)[None]
    places = {name: tensor.data_ptr() for name, tensor in encoder.state_dict().items()}
    with torch.inference_mode():
        expected = whole(input_ids=ids, output_hidden_states=True).hidden_states
        cast_layers(encoder, wanted)
        for _ in range(2):
            made = encoder(input_ids=ids, output_hidden_states=True).hidden_states
            assert all(torch.equal(one, other) for one, other in zip(made, expected, strict=True))
    assert made[-1].dtype == wanted
    assert {name: tensor.data_ptr() for name, tensor in encoder.state_dict().items()} == places
    assert {tensor.dtype for tensor in encoder.state_dict().values()} == {torch.float16}


def test_a_turn_that_an_error_ended_leaves_no_copy_behind() -> None:
    encoder = small(1, torch.float16)
    cast_layers(encoder, torch.float32)
    with torch.inference_mode():
        with pytest.raises(RuntimeError):
            encoder.layers[0](torch.zeros(1, 2, 31), position_embeddings=(torch.zeros(1), torch.zeros(1)))
        encoder(input_ids=torch.arange(3)[None])
    assert {tensor.dtype for tensor in encoder.state_dict().values()} == {torch.float16}

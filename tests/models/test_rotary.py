"""Scaled places: those of the library between its own, and its own again afterwards."""

import torch

from eichi.models.rotary import SCALE, scaled, scaling
from tests import small
from tests.models.test_nag import inputs

CPU = torch.device("cpu")


def test_half_the_distance_is_half_the_place() -> None:
    rope, times = small.transformer().rope, torch.tensor([0, 5])
    own = rope(times, 8, 16, CPU)
    for mine, theirs in zip(scaled(rope, times, 8, 16, CPU, 1.0), own, strict=True):
        assert mine.equal(theirs)
    for mine, theirs in zip(scaled(rope, times, 8, 16, CPU, 0.5), own, strict=True):
        near, far = mine.view(2, 4, 8, -1), theirs.view(2, 4, 8, -1)
        assert near[:, ::2, ::2].allclose(far[:, :2, :4])


@torch.inference_mode()
def test_a_scale_is_said_with_a_call() -> None:
    torch.manual_seed(0)
    network, words = small.transformer().eval(), torch.ones(1, 3, small.WIDTH)
    plain = network(**inputs(words))[0]
    with scaling(network):
        assert network(**inputs(words, attention_kwargs={SCALE: 1.0}))[0].equal(plain)
        assert not network(**inputs(words, attention_kwargs={SCALE: 0.5}))[0].equal(plain)
    assert network(**inputs(words))[0].equal(plain)

"""The parts that learn: tokenizers, Muon, and files that survive an interruption."""

from pathlib import Path

import torch

from training import muon, state, text
from training.rng import stream


def test_the_template_takes_95_tokens_before_any_prompt() -> None:
    llama, clip = text.tokenizers()
    head = llama(text.TEMPLATE.split("{}")[0]).input_ids
    assert len(head) == text.CROP
    for prompt in ("", "A red star moves right.", "\n\nlines", " a space", "Привет, мир", "日本語 '", "...!?"):
        whole = llama(text.TEMPLATE.format(prompt)).input_ids
        assert whole[: text.CROP] == head
        assert llama.decode(whole[text.CROP :]) == prompt.lower() + "<|eot_id|>"
    assert clip.eos_token_id != 2
    assert clip("it jumps").input_ids[-1] == clip.eos_token_id


def test_newton_schulz_makes_singular_values_alike() -> None:
    torch.manual_seed(0)
    for shape in ((3, 16, 32), (2, 48, 16)):
        values = torch.linalg.svdvals(muon.orthogonal(torch.randn(shape)))
        assert values.min() > 0.4
        assert values.max() < 1.4


def test_muon_moves_a_matrix_towards_its_target() -> None:
    torch.manual_seed(0)
    weight, target = torch.nn.Parameter(torch.zeros(8, 4)), torch.randn(8, 4)
    optimiser = muon.Muon([weight], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        (weight - target).square().sum().backward()
        optimiser.step()
    assert (weight - target).abs().max() < 0.2


def test_a_checkpoint_is_written_aside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.pt"
    state.save(path, {"step": 1})
    state.save(path, {"step": 2})
    assert state.load(path) == {"step": 2}
    assert [p.name for p in path.parent.iterdir()] == ["x.pt"]


def test_streams_are_told_apart_by_name() -> None:
    assert stream("train", 1).random() == stream("train", 1).random()
    assert stream("train", 1).random() != stream("held", 1).random()

"""Guidance is learnt where nothing but the prompt says what happens, and networks are compared without it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training import cache, samples, state, transformer, world
from training.network import Net
from training.rng import stream
from training.text import Told, saved_tokenizers
from training.transformer import Job, Trainer, loss, strength

COUNT = 4


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    """One with clips in named directions, whose running mean says something."""
    saved_tokenizers(tmp_path)
    scenes = [scene for k in range(2) for scene in world.pair("train", k, (48, 80))]
    clips = cache.gather(scenes, lambda frames: torch.randn(len(frames), 16, 6, 10))
    for split in (cache.TRAIN, cache.VALID):
        state.save(tmp_path / "clips" / f"{split}-0000.pt", vars(clips))
    trainer = Trainer(Job(tmp_path, minutes=1, batch=COUNT, ranks=1, direction=samples.FORWARD))
    mean = trainer.mean.module
    assert isinstance(mean, Net)
    torch.nn.init.normal_(mean.transformer.proj_out.weight)
    for block in (*mean.transformer.transformer_blocks, *mean.transformer.single_transformer_blocks):
        torch.nn.init.normal_(block.attn.to_out[0].weight if block.attn.to_out else block.proj_out.weight, std=0.2)
    return trainer


def drawn(trainer: Trainer, alone: float) -> samples.Sample:
    mix = replace(samples.LATE, alone=alone, drafted=0.0)
    return samples.draw(stream("guided", 1), trainer.clips, samples.FORWARD, COUNT, mix)[1]


def test_the_prompts_count_more_where_they_are_alone(trainer: Trainer) -> None:
    first, mixed = drawn(trainer, 1.0), drawn(trainer, 0.0)
    assert first.alone.all() and not mixed.alone.all()
    tokens, seen = trainer.tokens[0], trainer.seen[0]
    words = torch.tensor([next(row for row, said in enumerate(trainer.clips[0].prompts) if said)] * COUNT)
    guidance = torch.tensor([1.0, 10.0, 19.0, 32.0])
    noisy, sigma = torch.randn(first.window.shape), torch.full((COUNT,), 0.9)
    first = replace(first, alone=torch.tensor([True, True, False, True]))
    mean = trainer.mean.module
    assert isinstance(mean, Net)
    with torch.no_grad():
        added = trainer._guide(tokens, words, first, seen[first.rows])(noisy, sigma, guidance)
        with_words, without = (
            mean(noisy, sigma, first.context, mean.read(tokens.pick(rows)), seen[first.rows], guidance)
            for rows in (words, torch.full_like(words, len(tokens.llama) - 1))
        )
    changed = with_words - without
    assert changed.abs().amax() > 0.01
    share = torch.tensor([0.0, 1 / 2, 0.0, 2 / 3]).view(-1, 1, 1, 1, 1)
    assert torch.allclose(added, share * changed, atol=1e-4)
    nobody = replace(first, alone=torch.zeros(COUNT, dtype=torch.bool))
    assert not trainer._guide(tokens, words, nobody, seen[first.rows])(noisy, sigma, guidance).any()


def test_who_learns_from_itself_ends_where_guidance_says() -> None:
    guidance = torch.tensor([1.0, 5.5, 10.0, 32.0])
    learnt = torch.ones(4)
    for _ in range(60):
        learnt = 1 + (1 - 1 / strength(guidance)) * learnt
    assert learnt.tolist() == pytest.approx([1.0, 1.5, 2.0, transformer.STRONGEST])


def test_networks_are_compared_without_guidance(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.Tensor] = []

    def velocity(
        noisy: torch.Tensor, sigma: torch.Tensor, context: object, told: Told, seen: object, guidance: torch.Tensor
    ) -> torch.Tensor:
        asked.append(guidance)
        return torch.zeros_like(noisy)

    net, sample = trainer.net, drawn(trainer, 1.0)
    monkeypatch.setattr(net, "forward", velocity)
    told = net.read(trainer.tokens[0].pick(sample.rows))
    loss(net, stream("compared", 1), sample, told, trainer.seen[0])
    assert asked.pop().tolist() == [1.0] * COUNT
    for step in range(20):
        zero = loss(
            net, stream("learnt", step), sample, told, trainer.seen[0], lambda noisy, *_: torch.zeros_like(noisy)
        )
        more = loss(
            net, stream("learnt", step), sample, told, trainer.seen[0], lambda noisy, *_: torch.ones_like(noisy)
        )
        assert zero[0] != more[0]
    everyday = torch.cat(asked) == transformer.EVERYDAY_GUIDANCE
    assert 0.45 < float(everyday.float().mean()) < 0.75


def test_a_window_is_alone_only_without_neighbours(trainer: Trainer) -> None:
    for direction in (samples.REVERSE, samples.FORWARD):
        for step in range(30):
            sample = samples.draw(stream("alone", step), trainer.clips, direction, COUNT)[1]
            for place, alone in enumerate(sample.alone.tolist()):
                known = int((sample.history[place] != 0).flatten(2).any(2).any(0).sum())
                assert alone == (known <= (direction == samples.FORWARD))

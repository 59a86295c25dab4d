"""Guidance is learnt where nothing but the prompt says what happens, and networks are compared without it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training import cache, guidance, samples, state, transformer, world
from training.network import Net
from training.rng import stream
from training.text import Told, saved_tokenizers
from training.transformer import Job, Trainer, loss

COUNT = 4


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    """One with clips in named directions and a teacher that says something."""
    saved_tokenizers(tmp_path)
    scenes = [scene for k in range(2) for scene in world.pair("train", k, (48, 80))]
    clips = cache.gather(scenes, lambda frames: torch.randn(len(frames), 16, 6, 10))
    for split in (cache.TRAIN, cache.VALID):
        state.save(tmp_path / "clips" / f"{split}-0000.pt", vars(clips))
    net = Net(tmp_path)
    torch.nn.init.normal_(net.transformer.proj_out.weight)
    for direction in (samples.REVERSE, samples.FORWARD):
        state.save(transformer.best(tmp_path, direction), {"model": net.state_dict()})
    transformer.teach(tmp_path)
    return Trainer(Job(tmp_path, minutes=1, batch=COUNT, ranks=1, direction=samples.FORWARD))


def drawn(trainer: Trainer, alone: float) -> samples.Sample:
    mix = replace(samples.LATE, alone=alone, drafted=0.0)
    return samples.draw(stream("guided", 1), trainer.clips, samples.FORWARD, COUNT, mix)[1]


def test_the_prompts_count_more_where_they_are_alone(trainer: Trainer) -> None:
    first, mixed = drawn(trainer, 1.0), drawn(trainer, 0.0)
    assert first.alone.all() and not mixed.alone.all()
    teacher, tokens, seen = trainer.teacher, trainer.tokens[0], trainer.seen[0]
    assert teacher is not None
    words = torch.tensor([next(row for row, said in enumerate(trainer.clips[0].prompts) if said)] * COUNT)
    asked = torch.tensor([1.0, 10.0, 19.0, 32.0])
    noisy, sigma = torch.randn(first.window.shape), torch.full((COUNT,), 0.9)
    first = replace(first, alone=torch.tensor([True, True, False, True]))
    with torch.no_grad():
        added = guidance.guide(teacher, tokens, words, first, seen[first.rows])(noisy, sigma, asked)
        with_words, without = (
            teacher(noisy, sigma, first.context, teacher.read(tokens.pick(rows)), seen[first.rows], asked)
            for rows in (words, torch.full_like(words, len(tokens.llama) - 1))
        )
    changed = with_words - without
    assert changed.abs().amax() > 0.01
    assert torch.allclose(added, torch.tensor([0.0, 1.0, 0.0, 2.0]).view(-1, 1, 1, 1, 1) * changed, atol=1e-4)
    nobody = replace(first, alone=torch.zeros(COUNT, dtype=torch.bool))
    assert not guidance.guide(teacher, tokens, words, nobody, seen[first.rows])(noisy, sigma, asked).any()


def test_what_the_teacher_adds_is_learnt(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = trainer.lesson()[0]
    monkeypatch.setattr(transformer, "guide", lambda *_: lambda noisy, *_: torch.ones_like(noisy))
    assert trainer.lesson()[0] != alone
    trainer.teacher = None
    alone = trainer.lesson()[0]
    monkeypatch.setattr(transformer, "guide", lambda *_: lambda noisy, *_: 2 * torch.ones_like(noisy))
    assert trainer.lesson()[0] == alone


def test_the_teacher_is_the_best_network_and_learns_no_more(trainer: Trainer) -> None:
    teacher, best = trainer.teacher, state.load(trainer.job.best)["model"]
    assert teacher is not None and not any(weight.requires_grad for weight in teacher.parameters())
    assert all(torch.equal(weight, best[name]) for name, weight in teacher.state_dict().items())


def test_networks_are_compared_without_guidance(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.Tensor] = []

    def velocity(
        noisy: torch.Tensor, sigma: torch.Tensor, context: object, told: Told, seen: object, said: torch.Tensor
    ) -> torch.Tensor:
        asked.append(said)
        return torch.zeros_like(noisy)

    net, sample = trainer.net, drawn(trainer, 1.0)
    monkeypatch.setattr(net, "forward", velocity)
    told = net.read(trainer.tokens[0].pick(sample.rows))
    loss(net, stream("compared", 1), sample, told, trainer.seen[0])
    assert asked.pop().tolist() == [1.0] * COUNT
    assert 500 < int((guidance.guidances(stream("learnt", 1), 1000) == guidance.EVERYDAY_GUIDANCE).sum()) < 700


def test_a_window_is_alone_only_without_neighbours(trainer: Trainer) -> None:
    for direction in (samples.REVERSE, samples.FORWARD):
        for step in range(30):
            sample = samples.draw(stream("alone", step), trainer.clips, direction, COUNT)[1]
            for place, alone in enumerate(sample.alone.tolist()):
                known = int((sample.history[place] != 0).flatten(2).any(2).any(0).sum())
                assert alone == (known <= (direction == samples.FORWARD))

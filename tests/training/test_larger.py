"""Pictures of 128 pixels: what is drawn in them, a network that grows, and a run that goes on with larger sprites."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from training import cache, network, samples, state, track, transformer, world
from training.text import WIDTH, Tokens, Told, saved_tokenizers
from training.transformer import Job, Trainer

LARGE = (128, 128)


def moved(split: str, number: int, motion: str, frames: torch.Tensor) -> torch.Tensor:
    """The sprite's centre as the pictures show it."""
    scene = world.scene(split, number, LARGE, motion)
    shown, bare = world.render(scene, frames), world.render(scene, torch.zeros(1), bare=True)
    return track.centres(shown, bare)[0] - world.truth(scene, frames)


def test_speeds_are_told_by_the_picture() -> None:
    first = [world.scene(world.FIRST, k, LARGE, "right") for k in range(12)]
    every = [world.scene("train", k, LARGE, "right") for k in range(12)]
    assert max(s.radius for s in first) < 0.25 < max(s.radius for s in every)
    two = torch.tensor([0.0, 1.0])
    for scene in every:
        step = world.poses(scene, two).x.diff()
        assert float(step) <= world.SPEED * scene.radius / world.USUAL + 1e-5
    assert world.scene("train", 3, (64, 64), "right").pace == 1


@pytest.mark.parametrize("motion", ["left", "down", "jump"])
def test_the_tracker_follows_a_sprite_with_another_beside_it(motion: str) -> None:
    numbers = [k for k in range(40) if len(world.scene("held", k, LARGE, motion).prompt) > 0][:4]
    for number in numbers:
        assert moved("held", number, motion, torch.tensor([0.0, 20.0])).abs().max() < 0.06


def test_a_second_sprite_stands_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "BESIDE", 0.0)
    alone = world.scene("train", 5, LARGE, "up")
    monkeypatch.setattr(world, "BESIDE", 1.0)
    scene = world.scene("train", 5, LARGE, "up")
    assert scene.start == alone.start
    assert scene.radius == alone.radius
    differs = (scene.backdrop - alone.backdrop).abs().amax(0) > 0.1
    assert 0.01 < float(differs.float().mean()) < 0.3
    assert not scene.prompt.lower().startswith("it ")


def test_what_turns_is_a_quarter_round_after_a_section() -> None:
    scene = world.scene("train", 1, LARGE, "spin")
    at = world.poses(scene, torch.tensor([world.PERIOD, 2 * world.PERIOD]))
    assert at.angle.tolist() == pytest.approx([math.pi / 2, math.pi])


def test_a_network_that_grew_does_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SINGLE", 1)
    torch.manual_seed(0)
    known = network.transformer()
    torch.nn.init.normal_(known.proj_out.weight)
    monkeypatch.setattr(network, "SINGLE", 2)
    grown = network.transformer()
    network.grow(grown, known)
    given = {
        "hidden_states": torch.randn(1, 16, 1, 4, 4),
        "timestep": torch.tensor([500.0]),
        "encoder_hidden_states": torch.randn(1, 3, 64),
        "encoder_attention_mask": torch.ones(1, 3, dtype=torch.long),
        "pooled_projections": torch.randn(1, 64),
        "image_embeds": torch.randn(1, 4, 64),
        "guidance": torch.tensor([10.0]),
        "indices_latents": torch.tensor([1]),
        "latents_clean": torch.randn(1, 16, 1, 4, 4),
        "indices_latents_clean": torch.tensor([0]),
        "latents_history_2x": torch.randn(1, 16, 2, 4, 4),
        "indices_latents_history_2x": torch.tensor([2, 3]),
        "latents_history_4x": torch.randn(1, 16, 4, 4, 4),
        "indices_latents_history_4x": torch.tensor([4, 5, 6, 7]),
    }
    with torch.no_grad():
        assert torch.equal(grown(**given).sample, known(**given).sample)


def test_sprites_of_all_sizes_come_after_the_smallest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformer, "CHECKED", 1)
    monkeypatch.setattr(transformer, "CHECKED_BATCH", 2)
    saved_tokenizers(tmp_path)
    for split, count in ((cache.FIRST, 1), (cache.TRAIN, 2), (cache.VALID, 1)):
        scenes = [scene for k in range(count) for scene in world.pair(split, k, (48, 80))]
        clips = cache.gather(scenes, lambda frames: torch.randn(len(frames), 16, 6, 10))
        state.save(tmp_path / "clips" / f"{split}-0000.pt", vars(clips))
    trainer = Trainer(Job(tmp_path, minutes=1, batch=2, ranks=1, direction=samples.FORWARD))
    assert [len(clips) for clips in trainer.clips] == [2]
    trainer.spent = 60 * transformer.FIRST_SHARE
    trainer.keep()
    later = Trainer(Job(tmp_path, minutes=1, batch=2, ranks=1, direction=samples.FORWARD))
    assert [len(clips) for clips in later.clips] == [4]
    assert later.due == trainer.due > trainer.spent  # the next look at the validation set is not at once


def test_all_that_learns_and_all_that_it_sees_is_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's `meta` stands for a card: whatever is left on the CPU would not meet the rest."""
    saved_tokenizers(tmp_path)
    scenes = [scene for k in range(2) for scene in world.pair("train", k, (48, 80))]
    clips = cache.gather(scenes, lambda frames: torch.randn(len(frames), 16, 6, 10))
    for split in (cache.TRAIN, cache.VALID):
        state.save(tmp_path / "clips" / f"{split}-0000.pt", vars(clips))
    state.save(transformer.best(tmp_path, samples.REVERSE), {"model": network.Net(tmp_path).state_dict()})
    state.save(transformer.best(tmp_path, samples.FORWARD), {"model": network.Net(tmp_path).state_dict()})
    transformer.teach(tmp_path)
    trainer = Trainer(Job(tmp_path, minutes=1, batch=2, ranks=1, direction=samples.REVERSE, device="meta"))
    net, teacher = trainer.net, trainer.teacher
    assert teacher is not None
    assert {weight.device.type for weight in (*net.parameters(), *trainer.mean.parameters())} == {"meta"}

    def read(tokens: Tokens) -> Told:
        assert {part.device.type for part in vars(tokens).values()} == {"meta"}
        shapes = [(len(tokens.llama), *rest) for rest in ((3, WIDTH), (3,), (WIDTH,))]
        states, mask, pooled = (torch.zeros(shape, device="meta") for shape in shapes)
        return states, mask, pooled

    def drawn(**given: Any) -> tuple[torch.Tensor]:
        tensors = [part for part in given.values() if isinstance(part, torch.Tensor)]
        assert {part.device.type for part in tensors} == {"meta"}
        return (given["hidden_states"],)

    taught: list[int] = []

    def guiding(**given: Any) -> tuple[torch.Tensor]:
        taught.append(len(given["hidden_states"]))
        return drawn(**given)

    for each, forward in ((net, drawn), (teacher, guiding)):
        monkeypatch.setattr(each, "read", read)
        monkeypatch.setattr(each.transformer, "forward", forward)
    assert [part.device.type for part in trainer.lesson()] == ["meta", "meta"]

    drafts: list[str] = []

    def drafted(**given: Any) -> tuple[torch.Tensor]:
        drafts.append(given["hidden_states"].device.type)
        return drawn(**given)

    mean = trainer.mean.module
    assert isinstance(mean, network.Net)
    monkeypatch.setattr(mean.transformer, "forward", drafted)
    monkeypatch.setattr(samples, "LATE", replace(samples.LATE, alone=0.0, drafted=1.0))
    for trainer.step in range(8):
        assert [part.device.type for part in trainer.lesson()] == ["meta", "meta"]
    assert drafts and len(drafts) % transformer.DRAFT == 0
    monkeypatch.setattr(samples, "LATE", replace(samples.LATE, alone=1.0))
    for trainer.step in range(4):
        assert [part.device.type for part in trainer.lesson()] == ["meta", "meta"]
    assert taught and not any(count % 2 for count in taught)

"""What is measured in clips is what is in them: the world's own clips, whose truth is known."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from training import measures, track, world
from training.judge import FIRST, LEAST, SIDE, held

FIGURE = next(s for s in (world.scene("held", k, (64, 64), "wave") for k in range(100)) if s.kind == "plain")
PLAIN = next(s for s in (world.scene("held", k, (64, 64), "spin") for k in range(100)) if s.kind == "plain")


def clip(motion: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A frame for each latent of two seconds, and the empty background."""
    scene = replace(PLAIN, motion=motion)
    return world.render(scene, torch.arange(0.0, 73.0, 4.0)), world.render(scene, torch.zeros(1), bare=True)


@pytest.mark.parametrize("way", ["right", "left", "up", "down"])
def test_a_way_is_seen_and_no_other(way: str) -> None:
    dx, dy = track.moved(*clip(way)).tolist()
    along = {"right": dx, "left": -dx, "up": -dy, "down": dy}
    assert [name for name, value in along.items() if value > LEAST] == [way]


def test_a_picture_whose_sprite_cannot_be_seen_is_left_out() -> None:
    """The 39th is a dark piece of a photograph on a dark wall."""
    dark = world.scene("held", FIRST + 38, (SIDE, SIDE), "up")
    left = [scene.start for scene in islice(held(), 48)]
    assert dark.start not in left
    assert world.scene("held", FIRST + 39, (SIDE, SIDE), "down").start == left[38]


@pytest.mark.parametrize("motion", ["jump", "grow", "shrink", "spin", "still"])
def test_what_happens_on_the_spot_is_told_apart(motion: str) -> None:
    scene = replace(PLAIN, motion=motion)
    frames, background = clip(motion)
    seen = {
        "jump": measures.rise(frames, background) > measures.HIGH,
        "grow": track.growth(frames, background) > measures.RISE,
        "shrink": track.growth(frames, background) < measures.FALL,
        "spin": measures.spins(frames, scene, background),
        "still": track.drift(frames, background) < 0.01 and not measures.spins(frames, scene, background),
    }
    assert seen[motion]
    assert not any(there for name, there in seen.items() if name in ("jump", "spin") and name != motion)


@pytest.mark.parametrize("kind", ["photo", "pattern", "noise"])
def test_a_turn_is_seen_before_a_rich_background(kind: str) -> None:
    """What stands still behind a small sprite must not speak against it."""
    scenes = (world.scene("held", k, (128, 128), "spin") for k in range(300))
    some = list(islice((s for s in scenes if s.kind == kind and s.sprite is not None), 6))
    background = {id(s): world.render(s, torch.zeros(1), bare=True) for s in some}

    def seen(motion: str) -> list[bool]:
        clips = [world.render(replace(s, motion=motion), torch.arange(0.0, 73.0, 4.0)) for s in some]
        return [measures.spins(clip, s, background[id(s)]) for clip, s in zip(clips, some, strict=True)]

    assert seen("spin").count(True) >= 5
    assert not any(seen("still"))


def test_waving_is_told_from_everything_else_a_figure_does() -> None:
    background = world.render(FIGURE, torch.zeros(1), bare=True)
    seen = [
        motion
        for motion in ("wave", "still", "jump", "grow", "shrink", "right", "up", "spin")
        if measures.waves(
            world.render(replace(FIGURE, motion=motion), torch.arange(0.0, 73.0, 4.0)), FIGURE, background
        )
    ]
    assert seen == ["wave"]


def test_looks_are_kept_or_lost() -> None:
    frames, background = clip("right")
    scene = replace(PLAIN, motion="right")
    assert abs(measures.lost(frames, scene, background)) < 2
    faded = torch.lerp(frames, background, torch.linspace(0, 0.5, len(frames)).view(-1, 1, 1, 1))
    assert measures.lost(faded, scene, background) > 4


@pytest.mark.parametrize("side", [64, 128])
def test_an_outline_is_sharp_or_is_not(side: int) -> None:
    scene = next(s for s in (world.scene("held", k, (side, side), "right") for k in range(100)) if s.kind == "plain")
    at = torch.tensor([0.0, 30.0])
    first, later = world.render(scene, at)
    place = world.truth(scene, at)[1]
    assert measures.edges(later, later, place, scene) == 1
    assert (
        measures.edges(
            first.roll(round(float(place[0] - world.truth(scene, at)[0, 0]) * side), -1), later, place, scene
        )
        > 0.9
    )
    blurred = torch.nn.functional.avg_pool2d(later, 9, stride=1, padding=4, count_include_pad=False)
    assert measures.edges(blurred, later, place, scene) < 0.4

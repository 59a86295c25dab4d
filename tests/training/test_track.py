"""What is measured in clips is what is in them: the world's own clips, whose truth is known."""

from dataclasses import replace

import pytest
import torch

from training import report, track, world
from training.judge import LEAST

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


@pytest.mark.parametrize("motion", ["jump", "grow", "shrink", "spin", "still"])
def test_what_happens_on_the_spot_is_told_apart(motion: str) -> None:
    frames, background = clip(motion)
    seen = {
        "jump": report.rise(frames, background) > report.HIGH,
        "grow": track.growth(frames, background) > report.RISE,
        "shrink": track.growth(frames, background) < report.FALL,
        "spin": report.spins(frames, background),
        "still": track.drift(frames, background) < 0.01 and not report.spins(frames, background),
    }
    assert seen[motion]
    assert not any(there for name, there in seen.items() if name in ("jump", "spin") and name != motion)

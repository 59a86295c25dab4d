"""The synthetic world: repeatable, held-out really held out, and the tracker finds what the world says is true."""

import pytest
import torch

from training import photos, track, world
from training.words import DIRECTIONS, MOVES

FRAMES = torch.arange(0.0, 73.0, 8.0)


def test_a_scene_is_the_same_every_time() -> None:
    one, other = (world.render(world.scene("held", 5, (64, 64)), FRAMES) for _ in range(2))
    assert torch.equal(one, other)


def test_held_out_photographs_are_not_trained_on() -> None:
    assert not set(photos.SEEN) & set(photos.UNSEEN)


def test_motions_are_dealt_in_shares_of_one() -> None:
    assert sum(MOVES.values()) == pytest.approx(1)
    assert sum(MOVES[d] for d in DIRECTIONS) > 0.5


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("size", [(64, 64), (48, 80), (80, 48)])
def test_the_tracker_finds_the_named_direction(direction: str, size: tuple[int, int]) -> None:
    scene = world.scene("held", 11, size, direction)
    frames = world.render(scene, FRAMES)
    background = world.render(scene, torch.zeros(1), bare=True)
    places, _ = track.centres(frames, background)
    assert places == pytest.approx(world.truth(scene, FRAMES), abs=0.06)  # the rim hides a part at the end
    way = track.moved(frames, background)
    dx, dy = DIRECTIONS[direction]
    assert way[0] * dx + way[1] * dy > 0.1


def test_where_a_sprite_starts_says_nothing_about_its_motion() -> None:
    left, right = (world.scene("held", 3, (64, 64), motion) for motion in ("left", "right"))
    assert left.start == right.start


def test_the_tracker_tells_camera_motions_apart() -> None:
    pan, zoom = (world.render(world.scene("held", 4, (64, 64), m), FRAMES) for m in ("pan right", "zoom"))
    assert track.panned(pan[0], pan[-1]) > 0.1
    assert track.zoomed(zoom[0], zoom[-1]) > 1.2
    assert abs(track.panned(pan[0], pan[0])) < 0.02

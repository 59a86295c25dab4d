"""The history against the worked tables: which latent lies in which slot, section after section."""

import pytest
import torch
from torch import Tensor

from eichi.catalog import Direction
from eichi.pipeline.sections import History, close_loop

FINAL, IMAGE = -1.0, -2.0


def run(names: list[float]) -> Tensor:
    """Latents of one number each."""
    return torch.tensor(names).view(1, 1, -1, 1, 1)


def section(number: int, window: int = 9) -> list[float]:
    """Names of a section's latents: 100, 101 … for section 1."""
    return [100.0 * (number + 1) + i for i in range(window)]


def slots(history: History) -> tuple[list[float], list[float], list[float]]:
    context = history.context()
    return context.clean.flatten().tolist(), context.x2.flatten().tolist(), context.x4.flatten().tolist()


def start(direction: Direction, *first: float) -> History:
    history = History(direction, run([0.0]))
    if first:
        history.push(run(list(first)))
    return history


def test_reverse_with_final() -> None:
    history = start("reverse", FINAL)
    assert slots(history) == ([FINAL], [0.0] * 2, [0.0] * 16)
    g = [section(k) for k in range(4)]
    history.push(run(g[0]))
    assert slots(history) == ([g[0][0]], g[0][1:3], [*g[0][3:], FINAL, *[0.0] * 9])
    history.push(run(g[1]))
    assert slots(history) == ([g[1][0]], g[1][1:3], [*g[1][3:], *g[0], FINAL])
    history.push(run(g[2]))
    assert slots(history) == ([g[2][0]], g[2][1:3], [*g[2][3:], *g[1], g[0][0]])
    history.push(run(g[3]))
    assert slots(history) == ([g[3][0]], g[3][1:3], [*g[3][3:], *g[2], g[1][0]])


def test_reverse_half_seconds() -> None:
    history = start("reverse", FINAL)
    g = section(0, 5)
    history.push(run(g))
    assert slots(history) == ([g[0]], g[1:3], [*g[3:], FINAL, *[0.0] * 13])


def test_forward() -> None:
    history = start("forward", IMAGE)
    assert slots(history) == ([IMAGE], [0.0] * 2, [0.0] * 16)
    g = [section(k) for k in range(3)]
    history.push(run(g[0]))
    assert slots(history) == ([g[0][8]], g[0][6:8], [*[0.0] * 9, IMAGE, *g[0][:6]])
    history.push(run(g[1]))
    assert slots(history) == ([g[1][8]], g[1][6:8], [IMAGE, *g[0], *g[1][:6]])
    history.push(run(g[2]))
    assert slots(history) == ([g[2][8]], g[2][6:8], [g[0][8], *g[1], *g[2][:6]])


@pytest.mark.parametrize("direction", ["reverse", "forward"])
def test_never_grows(direction: Direction) -> None:
    history = start(direction)
    for number in range(20):
        history.push(run(section(number)))
    assert history.latents.shape[2] == 19


@pytest.mark.parametrize("moment", [2.5, 4.0])
def test_a_joined_section_runs_into_the_picture(moment: float) -> None:
    """Nine latents that stand at 1.0 meet a picture at 38.0, a step of 1.0 for every frame."""
    still, picture = run([1.0] * 9), run([38.0])
    whole = close_loop(still, picture, 1.0, moment)
    assert whole.flatten().tolist() == pytest.approx([1.0 + 4 * k + moment for k in range(9)])
    assert torch.equal(close_loop(still, picture, 0.0, moment), still)
    assert torch.allclose(close_loop(still, picture, 0.5, moment), (still + whole) / 2)


@pytest.mark.parametrize(("moment", "place"), [(2.5, 34.0), (4.0, 32.5)])
def test_a_section_that_arrives_is_left_alone(moment: float, place: float) -> None:
    moving = run([4.0 * k for k in range(9)])
    assert torch.equal(close_loop(moving, run([place]), 1.0, moment), moving)

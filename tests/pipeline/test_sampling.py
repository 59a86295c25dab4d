"""The schedule against its published examples and diffusers', the solver against exact answers."""

import math
from collections.abc import Callable

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from eichi.pipeline.sampling import guide, schedule, shift, start, unipc


@pytest.mark.parametrize(
    ("tokens", "factor"), [(14400, 7.0), (8000, 6.1155), (14040, 7.0), (7800, 5.912), (5184, 3.7968), (2880, 2.571)]
)
def test_shift_examples(tokens: int, factor: float) -> None:
    assert shift(tokens) == pytest.approx(factor, abs=5e-4)


def test_shift_saturates() -> None:
    assert shift(8797) < 7.0
    assert shift(8798) == shift(10**6) == pytest.approx(7.0)


@pytest.mark.parametrize("steps", [1, 4, 25])
def test_schedule_is_that_of_diffusers(steps: int) -> None:
    factor = shift(5184)
    theirs = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    theirs.set_timesteps(sigmas=[1.0 - i / steps for i in range(steps)], mu=math.log(factor))
    assert schedule(steps, factor) == pytest.approx(theirs.sigmas.tolist(), abs=1e-6)


def test_strength_scales_the_schedule_and_mixes_the_start() -> None:
    strength = 1 / 1.02
    assert strength == pytest.approx(0.980392, abs=1e-6)
    assert schedule(4, 7.0, strength)[0] == pytest.approx(strength)
    mixed = start(torch.ones(1), torch.full((1,), 3.0), strength)
    assert mixed.item() == pytest.approx(0.019608 * 3 + 0.980392, abs=1e-5)
    noise = torch.randn(3)
    assert start(noise, torch.ones(3), 1.0) is noise


def test_guidance() -> None:
    positive, negative = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 2, 3)
    assert torch.equal(guide(positive, negative, 3.0, 0.0), 3 * positive)
    assert torch.allclose(guide(positive, negative, 3.0, 1.0), positive)
    assert torch.allclose(guide(positive, negative, 3.0, 0.5), 2 * positive)


def solve(denoise: Callable[[Tensor, float], Tensor], sigmas: tuple[float, ...]) -> list[float]:
    """All predictions of a scalar problem that starts at 1, in double precision."""
    return [float(x) for x in unipc(denoise, torch.ones(1, dtype=torch.float64), sigmas)]


def test_four_steps_by_hand() -> None:
    """x0 = 0.5 x + 0.1 over sigmas 1, 3/4, 1/2, 1/4: orders 1, 2 and 3 worked out with paper and a calculator.

    Step 0 gives m0 = 0.6. Step 1 (order 1): h = ln 4/3, phi = -1/4, base = 3/4 + 0.15 = 0.9, no correction in the
    predictor, so m1 = 0.55; corrected x1 = 0.9 + h/2 * (-0.05) = 0.892808. The rest follows the same table.
    """
    h = math.log(4 / 3)
    evaluated: list[float] = []

    def denoise(x: Tensor, sigma: float) -> Tensor:
        evaluated.append(x.item())
        return 0.5 * x + 0.1

    predictions = solve(denoise, (1.0, 0.75, 0.5, 0.25, 0.0))
    assert predictions[:2] == pytest.approx([0.6, 0.55])
    x1 = 0.9 - 0.025 * h
    # Order 2: r1 = -h1 / h2, D1 = (m0 - m1) / r1, predictor weight 1/2.
    h2 = math.log(1.5)
    d1 = (0.6 - 0.55) / (-h / h2)
    base = 2 / 3 * x1 + 0.55 / 3
    assert evaluated[2] == pytest.approx(base + h2 * 0.5 * d1)
    assert predictions[2] == pytest.approx(0.5 * evaluated[2] + 0.1)
    # Its corrector solves c1 + c2 = b1, r1 c1 + c2 = b2.
    b1, b2 = _b(h2)
    r1 = -h / h2
    c1 = (b1 - b2) / (1 - r1)
    x2 = base + h2 * (c1 * d1 + (b1 - c1) * (predictions[2] - 0.55))
    # Order 3: two earlier points, predictor solves the 2 x 2 system.
    h3 = math.log(2.0)
    m0, m1, m2 = predictions[:3]
    r1, r2 = -h2 / h3, -(h2 + h) / h3
    b1, b2 = _b(h3)
    p1 = (b2 - r2 * b1) / (r1 - r2)
    expected = x2 / 2 + m2 / 2 + h3 * (p1 * (m1 - m2) / r1 + (b1 - p1) * (m0 - m2) / r2)
    assert evaluated[3] == pytest.approx(expected)
    assert predictions[3] == pytest.approx(0.5 * expected + 0.1)
    assert len(evaluated) == 4


def _b(h: float) -> tuple[float, float]:
    """The first two right-hand sides: b_n = psi_n n! / B with B = -h."""
    psi1 = math.expm1(-h) / -h - 1
    psi2 = psi1 / -h - 0.5
    return psi1 / -h, 2 * psi2 / -h


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 25])
def test_straight_flow_is_exact(steps: int) -> None:
    """Where every path ends in one point, the prediction is that point at once and stays there."""
    assert solve(lambda x, sigma: torch.full_like(x, 0.3), schedule(steps, 3.0)) == pytest.approx([0.3] * steps)


def test_linear_flow_is_solved() -> None:
    """For Gaussian data of width s the exact path is x(sigma) = x(1) sqrt((1 - sigma)^2 s^2 + sigma^2)."""
    s = 0.5

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return x * s * s * (1 - sigma) / ((1 - sigma) ** 2 * s * s + sigma * sigma)

    errors = []
    for steps in (10, 20, 40):
        sigmas = schedule(steps, 1.0)
        # Judged half way: towards zero the steps in log sigma grow without bound, whatever their number.
        middle = sigmas[steps // 2]
        exact = denoise(torch.tensor([math.hypot((1 - middle) * s, middle)], dtype=torch.float64), middle).item()
        errors.append(abs(solve(denoise, sigmas)[steps // 2] - exact))
    assert errors[2] < 1e-6
    # Third order: halving the step divides the error by about eight.
    assert errors[0] / errors[1] > 6
    assert errors[1] / errors[2] > 6

"""What is measured for the step caches: the real cache saves half of the steps at its usual threshold."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from eichi.models.stepcache import CacheConfig, StepCache
from eichi.pipeline.calibrate import Measured
from eichi.pipeline.job import THRESHOLDS

STEPS = 25
CHANGES = st.lists(st.floats(0.02, 0.5), min_size=STEPS - 1, max_size=STEPS - 1, unique=True)


@given(CHANGES, st.floats(0.2, 1.0))
def test_half_of_the_steps_are_saved(inputs: list[float], gain: float) -> None:
    measured = Measured(inputs, [gain * change for change in inputs], [[1.0] * STEPS])
    cache = StepCache(CacheConfig("tea", THRESHOLDS["tea"], STEPS, tuple(measured.polynomial)))
    signal = torch.ones(1, dtype=torch.float64)
    for change in [0.0, *inputs]:
        signal = signal * (1 + change)
        cache.decide(signal)
    assert cache.reused <= STEPS / 2


def test_a_fit_that_saves_little_is_left_alone() -> None:
    inputs = [0.2 + k / 100 for k in range(STEPS - 1)]
    measured = Measured(inputs, [2 * change for change in inputs], [[1.0] * STEPS])
    slope, offset = measured.polynomial
    assert abs(slope - 2) < 1e-6
    assert abs(offset) < 1e-6

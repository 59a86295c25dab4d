"""The schedule and the UniPC solver for flow matching: pure functions on tensors and numbers.

A state is x = (1 - sigma) * x0 + sigma * noise, the network predicts v = noise - x0, so x0 = x - sigma * v. The solver
integrates in lambda = -log(sigma), which is what FramePack's sampler does and what sets it apart from diffusers'
UniPC, where lambda is the log signal-to-noise ratio; on these models the two draw different pictures.

Sources: UniPC (Zhao et al., 2023, variant B1); the shift of Flux; FramePack's published choice of both. Written from
the formulas. Knows nothing of sections, prompts or devices.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

# The shift grows with the number of tokens between these two points and is capped where e^mu reaches 7.
TOKENS = (256, 4096)
SHIFTS = (0.5, 1.15)
MAX_SHIFT = math.log(7.0)
MAX_ORDER = 3


def shift(tokens: int) -> float:
    """e^mu for a window of `tokens` transformer tokens."""
    slope = (SHIFTS[1] - SHIFTS[0]) / (TOKENS[1] - TOKENS[0])
    return math.exp(min(slope * (tokens - TOKENS[0]) + SHIFTS[0], MAX_SHIFT))


def schedule(steps: int, factor: float, strength: float = 1.0) -> tuple[float, ...]:
    """steps + 1 noise levels from `strength` down to 0, spaced by the shift `factor` = e^mu."""
    times = [1.0 - i / steps for i in range(steps)]
    return (*(strength * factor / (factor + (1.0 / t - 1.0)) for t in times), 0.0)


def start(noise: Tensor, image: Tensor, strength: float) -> Tensor:
    """The state that sampling starts from: noise, with a share 1 - strength of the image latent in it."""
    return (1.0 - strength) * image + strength * noise if strength != 1.0 else noise


def guide(positive: Tensor, negative: Tensor, scale: float, rescale: float) -> Tensor:
    """Real classifier-free guidance; `rescale` 0-1 pulls the result back to the contrast of `positive`."""
    guided = negative + scale * (positive - negative)
    if rescale == 0.0:
        return guided
    axes = list(range(1, guided.ndim))
    matched = guided * (positive.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True))
    return rescale * matched + (1.0 - rescale) * guided


def unipc(denoise: Callable[[Tensor, float], Tensor], noise: Tensor, sigmas: tuple[float, ...]) -> Iterator[Tensor]:
    """Solve from `noise` at sigmas[0] to sigmas[-1] = 0; yields every step's x0 prediction, the last is the result.

    `denoise(x, sigma)` returns the x0 prediction for a state. One evaluation a step: the predictor's evaluation also
    serves the corrector, and the last sigma, zero, is not evaluated.
    """
    lambdas = [-math.log(sigma) for sigma in sigmas[:-1]]
    order_limit = min(MAX_ORDER, len(lambdas) - 1)
    state = noise
    predictions = [denoise(state, sigmas[0])]
    yield predictions[0]
    for i in range(1, len(lambdas)):
        order = min(i, order_limit)
        predict, correct, points, phi, scale = _coefficients(lambdas, i, order)
        last = predictions[-1]
        slopes = [(predictions[-1 - k] - last) / points[k - 1] for k in range(1, order)]
        base = (sigmas[i] / sigmas[i - 1]) * state - phi * last
        guess = base - scale * _combine(predict, slopes, last)
        fresh = denoise(guess, sigmas[i])
        state = base - scale * (_combine(correct[:-1], slopes, last) + correct[-1] * (fresh - last))
        predictions = [*predictions[-(MAX_ORDER - 1) :], fresh]
        yield fresh


def _coefficients(
    lambdas: list[float], i: int, order: int
) -> tuple[list[float], list[float], list[float], float, float]:
    """Weights of predictor and corrector for the step to lambdas[i], the points r_k, e^-h - 1, and B = -h."""
    h = lambdas[i] - lambdas[i - 1]
    points = [(lambdas[i - 1 - k] - lambdas[i - 1]) / h for k in range(1, order)] + [1.0]
    phi = math.expm1(-h)
    psi, psis = phi / -h - 1.0, []
    for n in range(1, order + 1):
        psis.append(psi * math.factorial(n) / -h)
        psi = psi / -h - 1.0 / math.factorial(n + 1)
    powers = np.vander(np.array(points), order, increasing=True).T
    # With one unknown the paper takes 1/2 instead of the system's solution.
    predict = [0.5] if order == 2 else list(np.linalg.solve(powers[:-1, :-1], psis[:-1])) if order > 2 else []
    correct = [0.5] if order == 1 else list(np.linalg.solve(powers, psis))
    return [float(c) for c in predict], [float(c) for c in correct], points, phi, -h


def _combine(weights: list[float], slopes: list[Tensor], like: Tensor) -> Tensor:
    """Weighted sum of the slopes, zero where there are none."""
    total = torch.zeros_like(like)
    for weight, slope in zip(weights, slopes, strict=True):
        total = total + weight * slope
    return total

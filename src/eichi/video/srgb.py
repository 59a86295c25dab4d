"""Numbers of other colour spaces to sRGB: other curves, other primaries, and what is brighter than white.

Curves and primaries go by the numbers of ITU-T H.273, which videos, AVIF, HEIC and PNG carry. PQ (BT.2100) is absolute
and HLG relative to a display of 1000 cd/m²; 203 cd/m² of it become white (BT.2408), and what is brighter is bent below
white by a Möbius curve that leaves the lower third as it is. Knows nothing of files.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]
Curve = Callable[[Numbers], Numbers]
# Codes [..., 3] of eight or sixteen bits to sRGB in eight.
Converter = Callable[[NDArray[np.uint8 | np.uint16]], NDArray[np.uint8]]

LINEAR, SRGB, PQ, HLG = 8, 13, 16, 18
WHITE, PEAK = 203.0, 1000.0  # cd/m²
KNEE = 0.3  # of white: where bending begins
D65 = (0.3127, 0.3290)
REC709 = (*D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
# White, red, green, blue, each x and y.
PRIMARIES = {
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
LUMINANCE = (0.2627, 0.6780, 0.0593)  # of BT.2020
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
ROWS = 2**18  # codes that are converted at once
FINE = 65535  # steps of light that are told apart, twenty for each of sRGB's darkest


def by_numbers(primaries: int, transfer: int) -> Converter | None:
    """How to convert what H.273's numbers describe; None where it is shown as sRGB is, or unknown."""
    wide = PRIMARIES.get(primaries)
    if transfer in (PQ, HLG):
        bright = _from_pq if transfer == PQ else _from_hlg
        return converter(bright, wide, _shown_hlg if transfer == HLG else None, bend)
    curve: Curve | None = {4: lambda v: v**2.2, 5: lambda v: v**2.8, LINEAR: lambda v: v}.get(transfer)
    if curve is None and wide is None:
        return None
    return converter(curve or decode, wide)


def converter(
    curve: Curve, primaries: Sequence[float] | None = None, light: Curve | None = None, tone: Curve | None = None
) -> Converter:
    """Codes through a curve to light, light through what a display does to it, other primaries, tones, sRGB's curve."""
    turn = None if primaries is None else matrix(primaries).astype(np.float32)
    tables: dict[int, Numbers] = {}

    def convert(codes: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8]:
        top = int(np.iinfo(codes.dtype).max)
        if top not in tables:
            tables[top] = curve(np.arange(top + 1) / top).astype(np.float32)
        made = np.empty(codes.shape, dtype=np.uint8)
        flat, out = codes.reshape(-1, 3), made.reshape(-1, 3)
        for at in range(0, len(flat), ROWS):
            values = tables[top][flat[at : at + ROWS]]
            values = values if light is None else light(values)
            values = values if turn is None else np.einsum("ij,kj->ik", values, turn)
            values = values if tone is None else tone(values)
            out[at : at + ROWS] = _levels()[(values.clip(0.0, 1.0) * FINE + 0.5).astype(np.uint16)]
        return made

    return convert


def matrix(primaries: Sequence[float]) -> Numbers:
    """From linear light of these primaries (white, red, green, blue) to that of sRGB, white becoming white."""
    white, ours = _xyz(primaries[:2]), _xyz(REC709[:2])
    cones = np.diag((BRADFORD @ ours) / (BRADFORD @ white))
    adapted = np.linalg.inv(BRADFORD) @ cones @ BRADFORD
    turned: Numbers = np.linalg.inv(_to_xyz(REC709)) @ adapted @ _to_xyz(primaries)
    return turned


def encode(light: Numbers) -> Numbers:
    """sRGB's curve, light 0-1."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)


@cache
def _levels() -> NDArray[np.uint8]:
    """sRGB in eight bits for every step of light."""
    return (encode(np.arange(FINE + 1) / FINE) * 255 + 0.5).astype(np.uint8)


def decode(codes: Numbers) -> Numbers:
    """Its inverse."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def bend(light: Numbers) -> Numbers:
    """Light in whites bent below 1, all three colours of a pixel alike, so that hues stay."""
    top, knee = PEAK / WHITE, KNEE
    a = -(knee**2) * (top - 1) / (knee**2 - 2 * knee + top)
    b = (knee**2 - 2 * knee * top + top) / (top - 1)
    red, green, blue = (light[..., at, None] for at in range(3))  # much faster than the maximum of an axis of three
    brightest = np.maximum(np.maximum(red, green), blue).clip(1e-6, top)
    bent = (b**2 + 2 * b * knee + knee**2) / (b - a) * (brightest + a) / (brightest + b)
    return light * np.where(brightest <= knee, 1.0, bent / brightest)


def _from_pq(codes: Numbers) -> Numbers:
    """SMPTE ST 2084's codes to light in whites."""
    root = codes ** (32 / 2523)
    light = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
    whites: Numbers = light ** (16384 / 2610) * 10_000 / WHITE
    return whites


def _from_hlg(codes: Numbers) -> Numbers:
    """HLG's codes to light of the scene, 0-1."""
    return np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - 0.55991073) / 0.17883277) + 0.28466892) / 12)


def _shown_hlg(scene: Numbers) -> Numbers:
    """Light of the scene to that of the display, in whites."""
    red, green, blue = (scene[..., at, None] * share for at, share in enumerate(LUMINANCE))
    luminance = np.maximum(red + green + blue, 1e-6)
    shown: Numbers = scene * luminance**0.2 * (PEAK / WHITE)
    return shown


def _xyz(point: Sequence[float]) -> Numbers:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _to_xyz(primaries: Sequence[float]) -> Numbers:
    """From linear light of these primaries to CIE XYZ."""
    columns = np.stack([_xyz(primaries[at : at + 2]) for at in (2, 4, 6)], axis=1)
    scaled: Numbers = columns * np.linalg.solve(columns, _xyz(primaries[:2]))
    return scaled

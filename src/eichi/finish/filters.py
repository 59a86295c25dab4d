"""The filters of FFmpeg that a chain is made of, through PyAV's filter graph: no program is started.

Those that the build which PyAV ships has. Noise is averaged over like pixels of five frames, then over those of each
frame (`bilateral`; FFmpeg's Fourier filter comes out otherwise by a bit now and then). What makes up frames in between
is `minterpolate`: motion estimated from blocks, no network. A graph is made anew for every segment of a video and shown
some frames around it, so that a segment comes out the same whenever it is made. Grain is drawn from the number of the
segment. Knows no file.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from eichi.options import ChainOptions

Pixels = NDArray[np.uint8]
Step = tuple[str, str]  # a filter and what it is told

ABOUT = 2  # frames that denoising looks at on either side
MOTION = 4  # frames that making up others begins with
NOISE, LIKE, GRAIN, SHARP = 0.12, 0.1, 30.0, 1.5  # what the filters are told for 1.0
BLUR = 3.0  # pixels that a pixel is averaged with, where they are like it
DARK = 0.9  # radians of the lens that darkens the corners, for 1.0
YUV = ("format", "yuv444p")
SEED = 2**16  # seeds of grain begin again after so many segments


def before(chain: ChainOptions, motion: Fraction | None) -> tuple[Step, ...]:
    """What is done to frames at their own size; `motion` is the rate that frames are made up for."""
    steps: list[Step] = []
    if chain.denoise:
        near = ":".join(
            f"{plane}a={chain.denoise * LIKE:g}:{plane}b={2 * chain.denoise * LIKE:g}" for plane in range(3)
        )
        steps.append(("atadenoise", f"{near}:s={2 * ABOUT + 1}"))
        steps += [("format", "gbrp"), ("bilateral", f"sigmaS={BLUR:g}:sigmaR={chain.denoise * NOISE:g}:planes=7")]
    if motion is not None:
        told = f"fps={motion.numerator}/{motion.denominator}:mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1"
        steps.append(("minterpolate", told))
    return tuple(steps)


def after(chain: ChainOptions, size: tuple[int, int] | None, segment: int) -> tuple[Step, ...]:
    """What is done to frames at their new size, `size` being one that a filter makes."""
    steps: list[Step] = []
    if size is not None:
        steps.append(("scale", f"{size[0]}:{size[1]}:flags=lanczos+accurate_rnd+bitexact"))
    if chain.brightness or chain.contrast != 1.0:
        each = f"clip((val-128)*{chain.contrast:g}+128+{255 * chain.brightness:g}\\,0\\,255)"
        steps += [("format", "rgb24"), ("lutrgb", f"r={each}:g={each}:b={each}")]
    looks = [*_looks(chain, segment)]
    if looks:
        steps += [YUV, *looks]
    return tuple(steps)


def _looks(chain: ChainOptions, segment: int) -> Iterator[Step]:
    if chain.saturation != 1.0:
        yield "hue", f"s={chain.saturation:g}"
    if chain.sharpen:
        yield "unsharp", f"5:5:{chain.sharpen * SHARP:g}:5:5:0"
    if chain.grain:
        seed = 1 + segment % SEED
        yield "noise", f"c0s={max(1, round(chain.grain * GRAIN))}:c0f=t+u:all_seed={seed}"
    if chain.vignette:
        yield "vignette", f"angle={chain.vignette * DARK:g}"


def reach(chain: ChainOptions, motion: Fraction | None) -> int:
    """Frames on either side of a segment that the filters before have to be shown."""
    return max(ABOUT if chain.denoise else 0, MOTION if motion is not None else 0)


def filtered(
    frames: Iterable[tuple[int, Pixels]], steps: Sequence[Step], rate: Fraction
) -> Iterator[tuple[int, Pixels]]:
    """Frames with their numbers through filters; where these make up frames, numbers count at the new rate."""
    if not steps:
        yield from frames
        return
    graph: Graph | None = None
    for number, pixels in frames:
        graph = graph or _graph(pixels, steps, rate)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts, frame.time_base = number, 1 / rate
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _graph(pixels: Pixels, steps: Sequence[Step], rate: Fraction) -> Graph:
    graph = Graph()
    height, width = pixels.shape[:2]
    last = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / rate)
    for name, told in (*steps, ("format", "rgb24")):
        made = graph.add(name, told)
        last.link_to(made)
        last = made
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[tuple[int, Pixels]]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame.pts or 0, np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)

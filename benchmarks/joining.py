"""A new part joined to a video of five seconds and to one of ten minutes: what that takes, and whether all is kept.

Run it with `python -m benchmarks.joining [FOLDER]`; the videos take half a gigabyte there. Each step is in a process of
its own, whose highest memory the system tells. Copied means H.264 and AAC in an MP4, encoded HEVC and PCM in a MOV.
"""

import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from eichi.video.clip import head, tail
from eichi.video.join import Around, Join
from eichi.video.writer import Writer

RATE, SAMPLES, NEW = 30, 48_000, 36
MADE = (640, 352)
LONG, SHORT = 600, 5  # seconds
CASES = {"copied": ("libx264", "aac", "mp4", (640, 360)), "encoded": ("libx265", "pcm_s16le", "mov", (320, 180))}
FAST = {"preset": "ultrafast", "crf": "28", "x265-params": "log-level=none"}


@dataclass(frozen=True)
class Cost:
    """What a step took: seconds, and the highest memory of its process in MiB."""

    seconds: float
    memory: float


def video(path: Path, seconds: int, codec: str, sound: str, size: tuple[int, int]) -> None:
    """Grain that drifts, with a tone."""
    chance = np.random.default_rng(0)
    grain = chance.integers(0, 256, (size[1] + 64, size[0] + 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        track = container.add_stream(codec, rate=RATE, options=FAST)
        voice = container.add_stream(sound, rate=SAMPLES)
        assert isinstance(track, VideoStream)
        assert isinstance(voice, AudioStream)
        track.width, track.height, track.pix_fmt = *size, "yuv420p"
        for number in range(seconds * RATE):
            at = number % 64
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(grain[at : at + size[1], at : at + size[0]]), format="rgb24"
            )
            frame.pts = number
            container.mux(track.encode(frame))
            if number % RATE == 0:
                container.mux(voice.encode(tone(number // RATE)))
        container.mux(track.encode(None))
        container.mux(voice.encode(None))


def tone(second: int) -> av.AudioFrame:
    wave = (np.sin(2 * np.pi * 440 * np.arange(SAMPLES) / SAMPLES) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
    frame.sample_rate, frame.pts = SAMPLES, second * SAMPLES
    return frame


def memory() -> float:
    """The highest memory of this process so far, in MiB. Windows does not tell."""
    if sys.platform == "win32":
        raise NotImplementedError("resource")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read(path: Path) -> Cost:
    """In a child: both ends as the model sees them."""
    begin = perf_counter()
    tail(path, 73, MADE[::-1])
    head(path, 73, MADE[::-1])
    return Cost(perf_counter() - begin, memory())


def join(path: Path) -> Cost:
    """In a child: the video with a new part behind it."""
    begin = perf_counter()
    work = path.with_suffix(".work")
    plan = Join(Around(before=path), NEW, MADE)
    with Writer(path.with_suffix(".whole.mp4"), *MADE, 16, work, form=plan.form) as writer:
        writer.add(0, np.zeros((NEW, MADE[1], MADE[0], 3), dtype=np.uint8))
        for _ in plan.lay(work, 16):
            pass
        plan.write(work, {first: one for (first, _), one in writer.segments.items()}, writer.path, {})
    return Cost(perf_counter() - begin, memory())


def packets(path: Path, kind: int) -> Iterator[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams[kind]
        for packet in container.demux(stream):
            if packet.pts is not None and stream.time_base is not None:
                yield float(packet.pts * stream.time_base), bytes(packet)


def same(path: Path) -> bool:
    """Whether every packet of a video is in the whole, at its time."""
    whole = path.with_suffix(".whole.mp4")
    return all(
        one == other for kind in (0, 1) for one, other in zip(packets(path, kind), packets(whole, kind), strict=False)
    )


def main(folder: Path) -> int:
    grown = 0.0
    spawn = multiprocessing.get_context("spawn")
    for name, (codec, sound, suffix, size) in CASES.items():
        costs: dict[tuple[str, int], Cost] = {}
        for seconds in (SHORT, LONG):
            path = folder / f"{name}-{seconds}.{suffix}"
            if not path.is_file():
                video(path, seconds, codec, sound, size)
            for step in (read, join):
                with ProcessPoolExecutor(1, mp_context=spawn) as alone:
                    cost = costs[step.__name__, seconds] = alone.submit(step, path).result()
                sys.stdout.write(f"{name} {seconds} s: {step.__name__} {cost.seconds:.1f} s, {cost.memory:.0f} MiB\n")
                sys.stdout.flush()
            if name == "copied":
                sys.stdout.write(f"{name} {seconds} s: every packet as it was: {same(path)}\n")
            path.with_suffix(".whole.mp4").unlink()
        grown = max(grown, *(costs[step, LONG].memory - costs[step, SHORT].memory for step in ("read", "join")))
    sys.stdout.write(f"ten minutes take {grown:.0f} MiB more than five seconds\n")
    return 0 if grown <= 60 else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as given:
        sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else given)))

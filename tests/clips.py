"""Videos as people bring them, made on the spot: any codec, rate, depth, turn, sound; each frame has its own grey."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from eichi.video.colours import EXACT

SIZE = (64, 48)
GREY = 4  # how much brighter each frame is than the one before
TONE, SAMPLES = 440, 48_000
TICKS = 90_000


def grey(number: int) -> int:
    """The brightness of a frame by its number; every fiftieth has the same."""
    return 20 + GREY * (number % 50)


@dataclass(frozen=True)
class Made:
    """What a video is like: grey frames at `rate` or at `times` (seconds), from the number `first` on, with a tone of
    `seconds` or as long as it is.
    """

    count: int = 20
    rate: Fraction | int = 30
    size: tuple[int, int] = SIZE
    codec: str = "libx264"
    form: str = "yuv420p"
    sound: str | None = None
    samples: int = SAMPLES
    times: Sequence[Fraction] | None = None
    options: dict[str, str] = field(default_factory=dict)
    turn: int = 0
    shape: Fraction | None = None
    tags: dict[str, int] = field(default_factory=dict)
    first: int = 0
    seconds: Fraction | None = None

    def write(self, path: Path) -> Path:
        with av.open(str(path), "w") as container:
            video = self._video(container)
            voice = container.add_stream(self.sound, rate=self.samples) if self.sound else None
            for number in range(self.count):
                pixels = np.full((self.size[1], self.size[0], 3), grey(self.first + number), dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame = frame.reformat(format=self.form, interpolation=EXACT)
                frame.pts = number if self.times is None else round(self.times[number] * TICKS)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if isinstance(voice, AudioStream):
                length = self.seconds or (self.times[-1] if self.times else self.count / Fraction(self.rate))
                for block in tone(float(length), self.samples):
                    container.mux(voice.encode(block))
                container.mux(voice.encode(None))
        return path

    def _video(self, container: OutputContainer) -> VideoStream:
        known = {"crf": "1", "x265-params": "log-level=none"} if "26" in self.codec else {}
        video = container.add_stream(self.codec, rate=Fraction(self.rate), options=known | self.options)
        assert isinstance(video, VideoStream)
        video.width, video.height = self.size
        video.pix_fmt = self.form
        if self.turn:
            video.set_display_rotation(self.turn)
        if self.shape:
            video.codec_context.sample_aspect_ratio = self.shape
        for name, value in self.tags.items():
            setattr(video.codec_context, name, value)
        if self.times is not None:
            video.time_base = video.codec_context.time_base = Fraction(1, TICKS)
        return video


def clip(path: Path, count: int = 20, rate: Fraction | int = 30, **more: Any) -> Path:
    """A video of so many frames, and of what else `Made` knows."""
    return Made(count, rate, **more).write(path)


def moving(path: Path) -> Path:
    """A picture that moves, of four frames of a tenth of a second that get brighter."""
    pictures = [Image.new("RGB", SIZE, (level,) * 3) for level in (20, 80, 140, 200)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, loop=0)
    return path


def tone(seconds: float, samples: int = SAMPLES, pitch: int = TONE) -> Iterable[av.AudioFrame]:
    """A sound of one pitch, in blocks."""
    total, block = round(seconds * samples), 1024
    for start in range(0, total, block):
        places = np.arange(start, min(start + block, total)) / samples
        wave = (np.sin(2 * np.pi * pitch * places) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts = samples, start
        yield frame


def greys(frames: Iterable[NDArray[np.uint8]]) -> list[int]:
    """The numbers (of fifty) that frames have, by their grey."""
    return [round((float(frame.mean()) - 19) / GREY) for frame in frames]

"""A video with a new part behind it, before it or between two: what was there stays as it was, packet by packet."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.stream import Disposition
from av.video.stream import VideoStream

from eichi.errors import InputError
from eichi.video import turning
from eichi.video.clip import look
from eichi.video.form import Form
from eichi.video.join import Around, Join
from eichi.video.reader import read_frames
from eichi.video.writer import Writer
from tests.clips import SAMPLES, Made, clip, grey, greys, moving, tone

NTSC = Fraction(30000, 1001)
NEW = 12  # frames at 30 a second
PQ = {"color_trc": 16, "color_primaries": 9, "colorspace": 9}
MADE = (48, 32)  # (width, height) of the new part as it is made


def join(folder: Path, around: Around, frames: int = NEW, runs: int = 2) -> tuple[Path, Join]:
    """The new part's frames, as bright as those from the thirtieth on, joined to what is around."""
    plan = Join(around, frames, MADE)
    target, work = folder / "whole.mp4", folder / "work"
    levels = np.array([grey(30 + number) for number in range(frames)], dtype=np.uint8)
    pixels = np.broadcast_to(levels[:, None, None, None], (frames, MADE[1], MADE[0], 3))
    writer = Writer(target, *MADE, 1, work, form=plan.form)
    for first in reversed(range(0, frames, frames // runs)):
        places = plan.pace.places(first, min(first + frames // runs, frames))
        if places:
            writer.add(places.start, pixels[[plan.pace.made(place) for place in places]])
    for _ in plan.lay(work, 1):
        pass
    segments = {first: path for (first, _), path in writer.segments.items()}
    plan.write(work, segments, target, {"eichi": "{}"})
    return target, plan


def packets(path: Path, kind: str = "video") -> list[tuple[Fraction, bytes]]:
    """What a track holds, with the second of each packet, in the order of decoding."""
    with av.open(str(path)) as container:
        stream = container.streams.get({kind: 0})[0]
        assert stream.time_base is not None
        return [(one.pts * stream.time_base, bytes(one)) for one in container.demux(stream) if one.pts is not None]


def times(path: Path) -> list[float]:
    return [frame.time for frame in read_frames(path)]


def seen(path: Path) -> list[int]:
    return greys(frame.pixels for frame in read_frames(path))


RATES = [Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50), Fraction(60)]


@pytest.mark.parametrize("rate", RATES)
def test_what_is_continued_stays_as_it_was(tmp_path: Path, rate: Fraction) -> None:
    path = clip(tmp_path / "v.mp4", 20, rate, sound="aac")
    whole, plan = join(tmp_path, Around(before=path))
    assert plan.notes == ()
    new = round(NEW * rate / 30)
    assert packets(whole)[:20] == packets(path)
    assert packets(whole, "audio") == packets(path, "audio")
    assert len(packets(whole)) == 20 + new == look(whole).frames
    assert times(whole) == pytest.approx([index / rate for index in range(20 + new)], abs=1e-4)
    assert look(whole).rate == rate
    shown = seen(whole)
    assert shown[:20] == list(range(20))
    assert shown[20:] == pytest.approx([30 + plan.pace.made(place) for place in range(new)], abs=0.5)
    assert shown[-1] == 41


def test_frames_of_an_uneven_pace_keep_their_times(tmp_path: Path) -> None:
    at = [Fraction(one, 30) for one in (0, 1, 2, 6, 7, 9, 14, 15, 20, 21)]
    path = clip(tmp_path / "v.mp4", 10, times=at)
    whole, plan = join(tmp_path, Around(before=path))
    assert [note.id for note in plan.notes] == ["note.join.uneven"]
    assert packets(whole)[:10] == packets(path)
    begin = float(look(path).end)
    assert times(whole) == pytest.approx([*map(float, at), *(begin + place / 30 for place in range(NEW))], abs=1e-4)


@pytest.mark.parametrize("count", [1, 6])
def test_a_short_video_is_continued(tmp_path: Path, count: int) -> None:
    path = clip(tmp_path / "v.mp4", count, sound="aac")
    whole, _ = join(tmp_path, Around(before=path))
    assert packets(whole)[:count] == packets(path)
    assert seen(whole) == [*range(count), *range(30, 42)]


@pytest.mark.parametrize(
    "made",
    [
        {"options": {"bf": "0"}},
        {"options": {"bf": "4", "b-pyramid": "strict", "refs": "5"}},
        {"options": {"profile": "baseline"}},
        {"options": {"x264-params": "interlaced=1"}, "size": (70, 52)},
        {"options": {"g": "4", "x264-params": "open-gop=1"}},
        {"turn": 90},
        {"turn": -90},
        {"turn": 180},
        {"shape": Fraction(4, 3)},
        {"form": "yuvj420p", "tags": {"color_range": 2}},
        {"tags": {"color_primaries": 6, "color_trc": 6, "colorspace": 6}},
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_every_form_of_h264_is_gone_on_with(tmp_path: Path, made: dict[str, Any], suffix: str) -> None:
    if suffix == ".mkv" and "turn" in made:
        pytest.skip("its writer keeps no turn")
    path = clip(tmp_path / f"v{suffix}", 9, **made)
    whole, plan = join(tmp_path, Around(before=path))
    assert plan.notes == ()
    assert [data for _, data in packets(whole)[:9]] == [data for _, data in packets(path)]
    one, other = look(path), look(whole)
    assert (other.width, other.height, other.turned) == (one.width, one.height, one.turned)
    assert seen(whole) == pytest.approx([*range(9), *range(30, 42)], abs=1)
    pairs = zip(read_frames(path), read_frames(whole), strict=False)
    assert all(np.array_equal(before.pixels, after.pixels) for before, after in pairs)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("v.mp4", Made(9, codec="libx265")),
        ("v.mp4", Made(9, form="yuv420p10le")),
        ("v.mp4", Made(9, form="yuv420p10le", codec="libx265", tags=PQ)),
        ("v.mkv", Made(9, codec="ffv1", form="yuv444p", size=(63, 47))),
        ("v.ts", Made(9)),
        ("v.webm", Made(9, codec="libvpx-vp9", options={"crf": "4", "b": "0"})),
        ("v.avi", Made(9, codec="mpeg4", options={"qscale": "1", "global_quality": "1"})),
        ("v.gif", Made(9, 25, codec="gif", form="rgb8")),
    ],
    ids=["hevc", "deep", "hdr", "odd", "ts", "webm", "avi", "gif"],
)  # fmt: skip
def test_what_cannot_stay_is_encoded_once_and_said(tmp_path: Path, name: str, made: Made) -> None:
    path = made.write(tmp_path / name)
    whole, plan = join(tmp_path, Around(before=path))
    assert plan.notes[0].id == "note.join.encoded"
    found, rate = look(whole), Fraction(made.rate)
    width, height = made.size
    assert (found.width, found.height) == (width + width % 2, height + height % 2)
    total = 9 + round(NEW * rate / 30)
    assert times(whole) == pytest.approx([index / rate for index in range(total)], abs=2e-3)
    if look(path).bright:
        return
    assert seen(whole)[:9] == pytest.approx(range(9), abs=2)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_picture_that_moves_is_continued(tmp_path: Path, kind: str) -> None:
    path = moving(tmp_path / f"v.{kind}")
    whole, plan = join(tmp_path, Around(before=path))
    assert [note.id for note in plan.notes] == ["note.join.encoded"]
    assert [round(float(frame.pixels.mean())) for frame in read_frames(whole)][:4] == pytest.approx(
        [20, 80, 140, 200], abs=3
    )
    assert times(whole) == pytest.approx([place / 10 for place in range(8)], abs=2e-3)
    assert (look(path).frames, look(path).seconds) == (4, Fraction(2, 5))


@pytest.mark.parametrize("number", range(1, 9))
def test_whichever_way_frames_lie_in_a_file_they_are_seen_upright(tmp_path: Path, number: int) -> None:
    """Also alone: what is finished of a job, while it runs and after it was stopped."""
    pixels = np.zeros((1, 48, 64, 3), dtype=np.uint8)
    pixels[:, :24, :32], pixels[:, 24:, 32:] = 255, 120
    width, height = (48, 64) if turning.swaps(number) else (64, 48)
    with Writer(tmp_path / "v.mp4", 64, 48, 1, form=Form(width, height, turned=number)) as writer:
        writer.add(0, pixels)
        writer.publish({})
    (frame,) = read_frames(tmp_path / "v.mp4")
    assert np.abs(frame.pixels.astype(int) - pixels[0])[::8, ::8].max() < 30
    assert look(tmp_path / "v.mp4").turned == number


SOUNDS = [("aac", "mp4"), ("libmp3lame", "mp4"), ("libopus", "mp4"), ("flac", "mkv"), ("libopus", "mkv")]


@pytest.mark.parametrize(("sound", "suffix"), SOUNDS)
def test_sound_is_copied(tmp_path: Path, sound: str, suffix: str) -> None:
    path = clip(tmp_path / f"v.{suffix}", 20, sound=sound)
    whole, plan = join(tmp_path, Around(before=path))
    assert plan.notes == ()
    there, given = packets(whole, "audio"), packets(path, "audio")
    assert [data for _, data in there] == [data for _, data in given]
    assert [float(at) for at, _ in there] == pytest.approx([float(at) for at, _ in given], abs=1e-3)


def heard(path: Path) -> Iterator[tuple[float, float]]:
    """(seconds, loudness) of a file's sound, a twentieth of a second each."""
    with av.open(str(path)) as container:
        waves, start, count = list[np.ndarray[Any, Any]](), None, 0
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLES)
        for frame in container.decode(audio=0):
            start = frame.time if start is None else start
            gap = round(((frame.time or 0) - (start or 0)) * SAMPLES) - count
            waves += [np.zeros(gap)] if gap > 99 else []
            waves += [one.to_ndarray()[0].astype(float) for one in resampler.resample(frame)]
            count = sum(len(one) for one in waves)
    wave, step = np.concatenate(waves), SAMPLES // 20
    for at in range(0, len(wave) - step + 1, step):
        yield (start or 0) + at / SAMPLES, float(np.sqrt((wave[at : at + step] ** 2).mean()))


def loud(path: Path, start: float, end: float) -> list[bool]:
    return [level > 1000 for at, level in heard(path) if start - 1e-6 <= at and at + 0.05 <= end + 1e-6]


def test_other_sound_is_encoded_and_said(tmp_path: Path) -> None:
    path = clip(tmp_path / "v.mov", 30, sound="pcm_s16le")
    whole, plan = join(tmp_path, Around(before=path))
    assert [note.id for note in plan.notes] == ["note.join.sound"]
    assert look(whole).sound == "aac"
    assert all(loud(whole, 0.1, 0.9))


def song(path: Path, seconds: float, codec: str) -> Path:
    with av.open(str(path), "w") as container:
        voice = container.add_stream(codec, rate=SAMPLES)
        assert isinstance(voice, AudioStream)
        for block in tone(seconds):
            container.mux(voice.encode(block))
        container.mux(voice.encode(None))
    return path


@pytest.mark.parametrize("sound", [None, "aac", "libopus"])
@pytest.mark.parametrize("codec", ["wav", "mp3", "m4a"])
def test_the_new_part_takes_a_sound(tmp_path: Path, sound: str | None, codec: str) -> None:
    made = {"wav": "pcm_s16le", "mp3": "libmp3lame", "m4a": "aac"}[codec]
    given = song(tmp_path / f"s.{codec}", 0.5, made)
    path = clip(tmp_path / "v.mp4", 30, sound=sound)
    whole, plan = join(tmp_path, Around(path, sound=given), frames=36)
    assert "note.join.sound_short" in [note.id for note in plan.notes]
    if sound == "aac":
        assert packets(whole, "audio")[:40] == packets(path, "audio")[:40]
    early = loud(whole, 0.1, 0.9)
    assert all(early) if sound else not any(early)
    assert all(loud(whole, 1.1, 1.4))
    assert not any(loud(whole, 1.6, 2.2))


@pytest.mark.parametrize("codec", ["wav", "m4a"])
def test_the_end_of_a_new_part_has_the_end_of_its_sound(tmp_path: Path, codec: str) -> None:
    given, path = tmp_path / f"s.{codec}", clip(tmp_path / "v.mp4", 30)
    with av.open(str(given), "w") as container:
        voice = container.add_stream({"wav": "pcm_s16le", "m4a": "aac"}[codec], rate=SAMPLES)
        assert isinstance(voice, AudioStream)
        for block in tone(1.2):
            samples = block.to_ndarray()
            if (block.pts or 0) < SAMPLES * 0.8:
                samples[:] = 0
            quiet = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            quiet.sample_rate, quiet.pts = SAMPLES, block.pts or 0
            container.mux(voice.encode(quiet))
        container.mux(voice.encode(None))
    join_ = Join(Around(after=path, sound=given), 36, MADE)
    writer = Writer(tmp_path / "w.mp4", *MADE, 1, tmp_path / "work", form=join_.form)
    writer.add(12, np.zeros((24, MADE[1], MADE[0], 3), dtype=np.uint8))
    part = join_.cut(12, 36)
    part.write(tmp_path / "work", {12: next(iter(writer.segments.values()))}, tmp_path / "w.mp4", {})
    assert len(seen(tmp_path / "w.mp4")) == 24 + 30 == part.whole.frames  # type: ignore[union-attr]
    assert times(tmp_path / "w.mp4") == pytest.approx([at / 30 for at in range(54)], abs=1e-3)
    assert not any(loud(tmp_path / "w.mp4", 0.05, 0.35))
    assert all(loud(tmp_path / "w.mp4", 0.45, 0.75))


@pytest.mark.parametrize("codec", ["wav", "m4a"])
@pytest.mark.parametrize("samples", [48_000, 44_100])
def test_nothing_is_heard_of_a_seam(tmp_path: Path, codec: str, samples: int) -> None:
    """A tone that goes on: the video has its beginning, the new part's sound the rest."""
    path = clip(tmp_path / "v.mp4", 21, sound="aac", samples=samples)
    given, name = tmp_path / f"s.{codec}", {"wav": "pcm_s16le", "m4a": "aac"}[codec]
    with av.open(str(given), "w") as container:
        voice = container.add_stream(name, rate=samples)
        assert isinstance(voice, AudioStream)
        for block in list(tone(2, samples))[1:]:  # 1024 samples are not a whole number of waves
            block.pts = (block.pts or 0) - 1024
            container.mux(voice.encode(block))
        container.mux(voice.encode(None))
    join_ = Join(Around(path, sound=given), 36, MADE)
    (video, song_) = join_.sound.voices
    join_.sound.voices[1] = replace(song_, offset=Fraction(1024, samples), start=video.end)  # in phase
    writer = Writer(tmp_path / "w.mp4", *MADE, 1, tmp_path / "work", form=join_.form)
    writer.add(0, np.zeros((36, MADE[1], MADE[0], 3), dtype=np.uint8))
    join_.write(tmp_path / "work", {0: next(iter(writer.segments.values()))}, tmp_path / "w.mp4", {})
    wave, step = _wave(tmp_path / "w.mp4", samples)[: round(1.8 * samples)], samples // 50
    ideal = np.sin(2 * np.pi * 440 * np.arange(len(wave)) / samples) * 8000 / 2**15
    seam = round(0.7 * samples)
    rest = (wave - ideal)[seam - 3 * step : seam + 3 * step].reshape(-1, step)
    assert np.sqrt((rest**2).mean(axis=1)).max() < 0.1 * np.sqrt((ideal**2).mean())


def _wave(path: Path, samples: int) -> "np.ndarray[Any, Any]":
    """The first channel of a file's sound, in its place."""
    wave = np.zeros(3 * samples)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            at, made = round(float(frame.time or 0) * samples), frame.to_ndarray()[0]
            made = made[max(-at, 0) :]
            wave[max(at, 0) : max(at, 0) + len(made)] = made
    return wave


def test_a_part_before_a_video_and_between_two(tmp_path: Path) -> None:
    one = clip(tmp_path / "a.mp4", 10, sound="aac")
    two = clip(tmp_path / "b.mp4", 10, first=20, sound="aac")
    whole, plan = join(tmp_path, Around(after=two))
    assert plan.notes == ()
    assert [data for _, data in packets(whole)[NEW:]] == [data for _, data in packets(two)]
    assert seen(whole) == [*range(30, 42), *range(20, 30)]
    assert not any(loud(whole, 0, 0.35))
    assert all(loud(whole, 0.45, 0.7))
    whole, plan = join(tmp_path, Around(one, two))
    assert plan.notes == ()
    assert seen(whole) == [*range(10), *range(30, 42), *range(20, 30)]
    assert times(whole) == pytest.approx([index / 30 for index in range(32)], abs=1e-4)
    assert all(loud(whole, 0.05, 0.3))
    assert not any(loud(whole, 0.4, 0.7))
    assert all(loud(whole, 0.8, 1.05))


def test_two_that_differ_meet_in_the_form_of_the_first(tmp_path: Path) -> None:
    one = clip(tmp_path / "a.mp4", 10)
    two = clip(tmp_path / "b.mp4", 10, 24, size=(96, 48), first=20)
    whole, plan = join(tmp_path, Around(one, two))
    assert [note.id for note in plan.notes] == ["note.join.encoded", "note.join.stretched"]
    assert packets(whole)[:10] == packets(one)
    assert seen(whole) == pytest.approx([*range(10), *range(30, 42), *range(20, 30)], abs=1)
    other = clip(tmp_path / "c.mp4", 10, options={"refs": "7", "bf": "0"})  # sets of the same number, another content
    _, plan = join(tmp_path, Around(one, other))
    assert [note.id for note in plan.notes] == ["note.join.encoded"]


def test_a_sound_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    path = clip(tmp_path / "v.mp4", 4)
    for bad in (path, tmp_path / "missing.wav"):
        with pytest.raises(InputError):
            Join(Around(path, sound=bad), NEW, MADE)


def test_more_than_a_picture_and_a_sound_is_left_out(tmp_path: Path) -> None:
    """A cover in front, a second sound and a track of times: the first video and the first sound are taken."""
    given, path = clip(tmp_path / "v.mp4", 20, sound="aac"), tmp_path / "many.mp4"
    second = song(tmp_path / "s.m4a", 0.6, "aac")
    with av.open(str(path), "w") as output, av.open(str(given)) as one, av.open(str(second)) as other:
        cover = output.add_stream("mjpeg", rate=1)
        assert isinstance(cover, VideoStream)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        tracks = {stream: output.add_stream_from_template(stream) for stream in (*one.streams, *other.streams)}
        output.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        for container in (one, other):
            for packet in container.demux():
                if packet.pts is not None:
                    packet.stream = tracks[packet.stream]
                    output.mux(packet)
    assert look(path).frames == 20
    whole, _ = join(tmp_path, Around(before=path))
    assert packets(whole)[:20] == packets(given)
    assert packets(whole, "audio") == packets(given, "audio")
    with av.open(str(whole)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_what_an_edit_list_hides_stays_hidden(tmp_path: Path) -> None:
    """A recording that was trimmed on a phone: its first frames are in the file, and not shown."""
    path = clip(tmp_path / "v.mp4", 20)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 4 + 8  # version and flags, how many, then duration and media time of the only one
    duration, start = struct.unpack_from(">II", data, at)
    struct.pack_into(">II", data, at, duration - 200, start + 6 * 512)
    path.write_bytes(data)
    assert seen(path) == list(range(6, 20))
    whole, plan = join(tmp_path, Around(before=path))
    assert [(note.id, note.values["reason"]) for note in plan.notes] == [("note.join.encoded", "reason.join.times")]
    assert seen(whole) == pytest.approx([*range(6, 20), *range(30, 42)], abs=1)
    assert times(whole) == pytest.approx([index / 30 for index in range(26)], abs=1e-3)

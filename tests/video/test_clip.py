"""What a video is that is to be continued, and its ends at 30 frames a second."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.audio.stream import AudioStream

from eichi.errors import InputError
from eichi.video.clip import head, look, tail
from eichi.video.sound import kind_of
from tests.clips import clip, greys, tone

NTSC = Fraction(30000, 1001)
SMALL = (24, 32)


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50), Fraction(60)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_ends_are_at_30_a_second_and_end_on_the_last_frame(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    path = clip(tmp_path / f"v{suffix}", 20, rate)
    seen = look(path)
    assert (seen.rate, seen.frames, seen.copied) == (rate, 20, True)
    assert float(seen.seconds) == pytest.approx(20 / rate, abs=2e-3)
    last = [round(19 - (8 - k) * rate / 30 - Fraction(1, 1000)) for k in range(9)]
    assert greys(tail(path, 9, SMALL)) == pytest.approx(last, abs=0 if rate in (30, 60) else 1)
    first = [round(k * rate / 30) for k in range(9)]
    assert greys(head(path, 9, SMALL)) == pytest.approx(first, abs=0 if rate in (30, 60) else 1)
    assert greys(tail(path, 9, SMALL))[-1] == 19


@pytest.mark.parametrize(("count", "there"), [(1, 1), (6, 6)])
def test_a_short_video_gives_what_it_has(tmp_path: Path, count: int, there: int) -> None:
    path = clip(tmp_path / "v.mp4", count)
    assert look(path).rate == 30
    assert tail(path, 73, SMALL).shape == (there, *SMALL, 3)
    assert head(path, 73, SMALL).shape == (there, *SMALL, 3)


def test_an_uneven_pace_is_none(tmp_path: Path) -> None:
    times = [Fraction(at, 30) for at in (0, 1, 2, 6, 7, 9, 14, 15, 20, 21)]
    path = clip(tmp_path / "v.mp4", 10, times=times)
    assert look(path).rate is None
    assert greys(tail(path, 8, SMALL)) == [6, 7, 7, 7, 8, 8, 8, 9]
    assert len(tail(path, 99, SMALL)) == 22


def test_one_frame_among_many_is_found_from_the_end(tmp_path: Path) -> None:
    path = clip(tmp_path / "v.mp4", 150, options={"g": "12", "bf": "3"})
    assert greys(tail(path, 5, SMALL)) == [45, 46, 47, 48, 49]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({}, None),
        ({"turn": 90}, None),
        ({"shape": Fraction(4, 3)}, None),
        ({"codec": "libx265"}, "reason.join.codec"),
        ({"form": "yuv420p10le"}, "reason.join.form"),
        ({"form": "yuv444p"}, "reason.join.form"),
        ({"tags": {"color_trc": 16, "color_primaries": 9, "colorspace": 9}}, "reason.join.form"),
    ],
)
def test_what_can_stay_as_it_is_says_so(tmp_path: Path, made: dict[str, object], reason: str | None) -> None:
    seen = look(clip(tmp_path / "v.mp4", 4, **made))  # type: ignore[arg-type]
    assert seen.reason == reason
    size = (48, 64) if "turn" in made else (85, 48) if "shape" in made else (64, 48)
    assert (seen.width, seen.height) == size


@pytest.mark.parametrize(
    ("name", "codec", "reason"),
    [("v.avi", "mpeg4", "reason.join.codec"), ("v.ts", "libx264", "reason.join.container"),
     ("v.gif", "gif", "reason.join.codec"), ("v.webm", "libvpx-vp9", "reason.join.codec")],
)  # fmt: skip
def test_other_containers_are_read_to_their_end(tmp_path: Path, name: str, codec: str, reason: str) -> None:
    form = "rgb8" if codec == "gif" else "yuv420p"
    path = clip(tmp_path / name, 12, 25, codec=codec, form=form)
    seen = look(path)
    assert (seen.frames, seen.reason) == (12, reason)
    assert seen.rate == 25
    assert greys(tail(path, 3, SMALL))[-1] == pytest.approx(11, abs=2 if codec == "gif" else 0)


@pytest.mark.parametrize("sound", [None, "aac", "libmp3lame", "libopus", "flac"])
def test_sound_is_told(tmp_path: Path, sound: str | None) -> None:
    told = {"libmp3lame": "mp3", "libopus": "opus"}.get(sound or "", sound)
    assert look(clip(tmp_path / "v.mkv", 4, sound=sound)).sound == told


def test_what_is_no_video_is_one_sentence(tmp_path: Path) -> None:
    whole = clip(tmp_path / "v.mp4", 30, sound="aac").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        voice = container.add_stream("aac", rate=48000)
        assert isinstance(voice, AudioStream)
        for block in tone(0.2):
            container.mux(voice.encode(block))
        container.mux(voice.encode(None))
    for name in ("cut.mp4", "text.mp4", "empty.mp4", "sound.mp4", "missing.mp4"):
        for read in (look, lambda path: tail(path, 3, SMALL), lambda path: head(path, 3, SMALL)):
            with pytest.raises(InputError):
                read(tmp_path / name)


@pytest.mark.parametrize("how", ["faststart", "frag_keyframe+empty_moov"])
def test_what_ends_before_its_index_does_is_damaged(tmp_path: Path, how: str) -> None:
    whole, early = clip(tmp_path / "v.mp4", 60, sound="aac"), tmp_path / "early.mp4"
    with av.open(str(whole)) as given, av.open(str(early), "w", options={"movflags": how}) as made:
        streams = {one.index: made.add_stream_from_template(one) for one in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    assert look(early).frames == 60
    assert kind_of(early).codec == "aac"
    early.write_bytes(early.read_bytes()[:-1000])
    with pytest.raises(InputError, match="damaged"):
        look(early)
    with pytest.raises(InputError, match="damaged"):
        kind_of(early)

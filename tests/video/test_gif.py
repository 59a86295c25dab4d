"""The comment of a GIF: one of any length is put there and read back, and one beyond measure costs nobody minutes."""

import io
from pathlib import Path

import pytest
from PIL import Image

from eichi.errors import InputError, PictureError
from eichi.video import gif
from eichi.video.images import measure
from eichi.video.reader import measure_video
from eichi.video.sources import open_picture
from eichi.video.texts import texts_in


def moving(path: Path, colours: int = 256) -> Path:
    """Two frames; the first colours are of the file, those of the second its own."""
    frames = [Image.linear_gradient("L").resize((16, 16)).quantize(colours), Image.new("P", (16, 16), 3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], loop=2, duration=50)
    return path


@pytest.mark.parametrize("length", [0, 1, 255, 256, 70_000])
def test_a_comment_comes_back(tmp_path: Path, length: int) -> None:
    plain, made = moving(tmp_path / "plain.gif"), tmp_path / "made.gif"
    gif.put_comment(plain, made, f"eichi:{'x' * length}")
    assert texts_in(made).get("eichi", "") == "x" * length
    with Image.open(made) as picture, Image.open(plain) as before:
        assert (picture.info["loop"], getattr(picture, "n_frames", 0)) == (2, 2)
        assert picture.convert("RGB").tobytes() == before.convert("RGB").tobytes()


def test_a_comment_beyond_measure_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.gif"
    gif.put_comment(plain := moving(tmp_path / "plain.gif"), path, "x" * (gif.LONGEST + 1))
    with Image.open(path) as picture:
        assert not picture.info.get("comment")  # nobody could read it again
    monkeypatch.setattr(gif, "LONGEST", 2 * gif.LONGEST)
    gif.put_comment(plain, path, "x" * (gif.LONGEST // 2 + 1))
    monkeypatch.undo()
    with pytest.raises(PictureError) as caught:
        measure(path)
    assert caught.value.id == "error.picture.damaged" and caught.value.values["limit"] == gif.LONGEST
    with pytest.raises(InputError):
        measure_video(path)
    assert texts_in(path) == {}


@pytest.mark.parametrize("cut", [6, 11, 13])
def test_a_cut_gif_is_refused(tmp_path: Path, cut: int) -> None:
    data = moving(tmp_path / "plain.gif").read_bytes()
    gif.check(io.BytesIO(data[:cut]))
    (tmp_path / "cut.gif").write_bytes(data[:cut])
    with pytest.raises(PictureError), open_picture(tmp_path / "cut.gif") as image:
        image.load()

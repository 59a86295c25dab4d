"""Pictures of every kind come out as upright RGB; files that are none are refused in a sentence."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from eichi.errors import PictureError
from eichi.video.images import Fit, alpha, fit, load, measure, stretch
from eichi.video.sources import max_pixels
from tests.pictures import encoded, header

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def corners(image: Image.Image) -> list[object]:
    right, bottom = image.width - 1, image.height - 1
    return [image.getpixel(at) for at in ((0, 0), (right, 0), (0, bottom), (right, bottom))]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_stands_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("RGB", (3, 2), BLACK)
    upright.putpixel((0, 0), RED)
    upright.putpixel((2, 0), GREEN)
    upright.putpixel((0, 1), BLUE)
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the turn that undoes what a viewer does
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    assert measure(tmp_path / "photo.png") == (3, 2)
    loaded = load(tmp_path / "photo.png")
    assert loaded.size == (3, 2)
    assert corners(loaded) == [RED, GREEN, BLUE, BLACK]


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pixels = [[(255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 128)]]
    Image.fromarray(np.array(pixels, dtype=np.uint8)).save(path)
    seen = np.asarray(load(path))[0].tolist()
    assert seen == [list(RED), list(WHITE), [127] * 3]


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=1)
    loaded = load(tmp_path / "a.png")
    assert (loaded.mode, loaded.getpixel((0, 0)), loaded.getpixel((1, 0))) == ("RGB", RED, WHITE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr", "LAB", "RGBX", "RGBA"])
def test_any_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "YCbCr" else "a.tif")  # Pillow 12 cannot read its own YCbCr TIFF
    Image.new(mode, (4, 2)).save(path)
    loaded = load(path)
    assert (loaded.mode, loaded.size) == ("RGB", (4, 2))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 32768, 65535]], dtype=np.uint16), [0, 127, 255]),
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 127, 255]),
        (np.array([[0, 128, 255]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0, 255, 65535]], dtype=np.int32), [0, 0, 255]),
        pytest.param(
            np.array([[0, 200, 255]], dtype=np.uint16), [0, 0, 0]
        ),
        pytest.param(
            np.array([[0, np.nan, 1]], dtype=np.float32), [0, 0, 255]
        ),
    ],
)  # fmt: skip
def test_deep_grey_keeps_its_range(tmp_path: Path, values: NDArray[np.generic], expected: list[int]) -> None:
    Image.fromarray(values).save(tmp_path / "deep.tif")
    assert np.asarray(load(tmp_path / "deep.tif"))[0, :, 0].tolist() == expected


def test_one_pixel_fills_the_video(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), RED).save(tmp_path / "dot.png")
    assert measure(tmp_path / "dot.png") == (1, 1)
    fitted = fit(load(tmp_path / "dot.png"), 32, 16, "crop")
    assert fitted.shape == (16, 32, 3)
    assert np.all(fitted == RED)


@pytest.mark.parametrize(
    ("how", "left", "middle", "top"), [("crop", GREEN, GREEN, GREEN), ("letterbox", RED, GREEN, BLACK)]
)
def test_cropping_cuts_the_edges_and_letterboxing_adds_bars(
    how: Fit, left: tuple[int, ...], middle: tuple[int, ...], top: tuple[int, ...]
) -> None:
    image = Image.new("RGB", (400, 100), GREEN)
    image.paste(RED, (0, 0, 100, 100))
    image.paste(RED, (300, 0, 400, 100))
    fitted = fit(image, 100, 100, how)
    assert fitted.shape == (100, 100, 3)
    assert fitted.dtype == np.uint8
    assert tuple(fitted[50, 5]) == tuple(fitted[50, 94]) == left
    assert tuple(fitted[50, 50]) == middle
    assert tuple(fitted[5, 50]) == tuple(fitted[94, 50]) == top


def test_transparency_alone(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3, 2), (255, 0, 0, 255))
    image.save(tmp_path / "opaque.png")
    assert alpha(tmp_path / "opaque.png") is None
    image.putpixel((2, 0), (0, 0, 0, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "clear.png", exif=exif)
    seen = alpha(tmp_path / "clear.png")
    assert seen is not None
    assert (seen.mode, seen.size, seen.getpixel((1, 2)), seen.getpixel((0, 0))) == ("L", (2, 3), 40, 255)
    Image.new("RGB", (3, 2)).save(tmp_path / "plain.png")
    assert alpha(tmp_path / "plain.png") is None


@pytest.mark.parametrize("how", ["crop", "letterbox"])
def test_a_mask_keeps_its_black_and_its_white(how: Fit) -> None:
    mask = Image.new("L", (60, 30), 255)
    mask.paste(0, (0, 0, 30, 30))
    fitted = fit(stretch(mask, (120, 90)), 80, 48, how)
    assert fitted.shape == (48, 80)
    assert not fitted[:, :38].any()
    assert (fitted[:, 42:70] == 255).all()


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["crop", "letterbox"]))
def test_every_shape_fits(width: int, height: int, how: Fit) -> None:
    assert fit(Image.new("RGB", (width, height)), 80, 48, how).shape == (48, 80, 3)


@pytest.mark.parametrize(
    ("content", "id"),
    [
        (None, "missing"),
        (b"", "unknown"),
        (b"hello", "unknown"),
        (header(0, 0), "unknown"),
        (header(30_000, 30_000), "large"),
        (header(10_001, 10_000), "large"),
        (header(max_pixels("PNG"), 1), "damaged"),
        (header(8, 8), "damaged"),
        (encoded("PNG")[:2000], "damaged"),
        (encoded("JPEG")[:1000], "damaged"),
        (encoded("WEBP")[:500], "damaged"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes | None, id: str) -> None:
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PictureError) as caught:
        load(path)
    assert caught.value.id == f"error.picture.{id}"
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(0, 0), (30_000, 30_000), (10_001, 10_000)])
def test_size_is_refused_before_any_pixel_is_read(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    (tmp_path / "a.png").write_bytes(header(*size))
    with pytest.raises(PictureError):
        measure(tmp_path / "a.png")


@pytest.mark.parametrize("place", [".", "file/below.png", "a\0b"])
def test_other_places_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PictureError):
        measure(tmp_path / place)


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(PictureError):
        measure(Path("x" * 300))


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow remarks on damaged tags
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@given(st.data())
def test_damage_is_a_picture_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(encoded(kind, 8))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    for use in (measure, load):
        try:
            use(path)
        except PictureError as error:
            assert "\n" not in str(error)


def test_what_is_darker_than_black_is_black(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-0.5, 0.0, 1.0]], dtype=np.float32)).save(tmp_path / "a.tif")
    assert np.asarray(load(tmp_path / "a.tif"))[0, :, 0].tolist() == [0, 0, 255]

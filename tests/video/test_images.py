"""Pictures of every kind come out as upright RGB; files that are none are refused in a sentence."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from eichi.errors import PictureError
from eichi.events import Adjusted
from eichi.video import depth, images
from eichi.video.images import Fit, alpha, fit, load, load_mask, mask_of, measure, stretch
from eichi.video.sources import BUDGET, max_pixels
from tests.pictures import bare_png, chunk, encoded, header

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


def test_colours_that_their_opacity_is_multiplied_into_are_what_they_were(tmp_path: Path) -> None:
    from pillow_heif import from_bytes

    from_bytes("RGBa", (16, 16), bytes((45, 45, 45, 128)) * 256).save(tmp_path / "a.heic", quality=-1)
    assert load(tmp_path / "a.heic").getpixel((8, 8)) == pytest.approx((172, 172, 172), abs=2)  # 90, half over white


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


@pytest.mark.parametrize("how", ["crop", "letterbox", "original"])
def test_a_mask_keeps_its_black_and_its_white(how: Fit) -> None:
    mask = Image.new("L", (60, 30), 255)
    mask.paste(0, (0, 0, 30, 30))
    fitted = fit(stretch(mask, (120, 90)), 80, 48, how)
    assert fitted.shape == (48, 80)
    assert not fitted[:, :38].any()
    assert (fitted[:, 42:70] == 255).all()


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["crop", "letterbox", "original"]))
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
        (header(max_pixels("PNG") // 10_000, 10_000), "damaged"),
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


@pytest.mark.parametrize(
    ("kind", "samples", "before", "expected", "clear"),
    [
        (2, [[51400, 10280, 65535], [0, 0, 0]], b"", [[200, 40, 255], [0, 0, 0]], None),
        (6, [[51400, 10280, 0, 65535], [0, 0, 0, 0]], b"", [[200, 40, 0], [255, 255, 255]], [255, 0]),
        (4, [[30_000, 65535], [30_000, 0]], b"", [[117, 117, 117], [255, 255, 255]], [255, 0]),
        (0, [[0], [33_000]], chunk(b"tRNS", b"\0\0"), [[255, 255, 255], [128, 128, 128]], [0, 255]),
        (2, [[514, 514, 514], [0, 0, 0]], chunk(b"tRNS", b"\2\2" * 3), [[255, 255, 255], [0, 0, 0]], [0, 255]),
    ],
    ids=["colour", "alpha", "grey alpha", "a clear grey", "a clear colour"],
)
def test_sixteen_bits_of_every_kind(
    tmp_path: Path,
    kind: int,
    samples: list[list[int]],
    before: bytes,
    expected: list[list[int]],
    clear: list[int] | None,
) -> None:
    (tmp_path / "a.png").write_bytes(bare_png(np.array([samples]), kind, before))
    assert np.asarray(load(tmp_path / "a.png"))[0].tolist() == expected
    seen = alpha(tmp_path / "a.png")
    assert (None if seen is None else np.asarray(seen)[0].tolist()) == clear


def strokes(color: tuple[int, ...], ground: tuple[int, ...]) -> Image.Image:
    """The left half painted on a ground."""
    image = Image.new("RGBA", (8, 4), ground)
    image.paste(color, (0, 0, 4, 4))
    return image


@pytest.mark.parametrize(
    ("mask", "left", "right", "note"),
    [
        (strokes((255, 255, 255, 255), (0, 0, 0, 0)), 255, 0, "note.mask.black"),
        (strokes((255, 255, 255, 255), (255, 255, 255, 0)), 255, 0, "note.mask.black"),
        (strokes((255, 255, 255, 100), (0, 0, 0, 0)), 100, 0, "note.mask.black"),
        (strokes((0, 0, 0, 255), (255, 255, 255, 20)), 0, 255, "note.mask.white"),
        (strokes((0, 0, 0, 255), (0, 0, 0, 0)), 0, 255, "note.mask.white"),
        (strokes((0, 0, 0, 100), (255, 255, 255, 0)), 155, 255, "note.mask.white"),
        (strokes((0, 0, 0, 0), (0, 0, 0, 0)), 255, 255, "note.mask.white"),
        (strokes((90, 90, 90, 255), (200, 200, 200, 255)), 90, 200, None),
        (strokes((90, 90, 90, 255), (200, 200, 200, 255)).convert("L"), 90, 200, None),
    ],
)
def test_strokes_say_what_a_transparent_ground_means(
    tmp_path: Path, mask: Image.Image, left: int, right: int, note: str | None
) -> None:
    path = tmp_path / "mask.png"
    mask.save(path)
    seen, said = load_mask(path)
    assert (seen.mode, seen.getpixel((1, 1)), seen.getpixel((6, 1))) == ("L", left, right)
    assert said == (None if note is None else Adjusted(note, {"path": str(path)}))


def test_the_transparency_of_a_picture_is_its_mask(tmp_path: Path) -> None:
    strokes((9, 9, 9, 255), (0, 0, 0, 0)).save(tmp_path / "a.png")
    seen, said = mask_of(tmp_path / "a.png")
    assert seen is not None
    assert (seen.getpixel((1, 1)), seen.getpixel((6, 1))) == (255, 0)
    assert said == Adjusted("note.frame.alpha", {"path": str(tmp_path / "a.png")})
    strokes((9, 9, 9, 255), (8, 8, 8, 255)).save(tmp_path / "b.png")
    assert mask_of(tmp_path / "b.png") == (None, None)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16", "F", "1", "CMYK"])
def test_what_is_above_the_room_comes_smaller(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = Image.linear_gradient("L").resize((90, 70))
    if mode in ("I;16", "F"):
        values = np.asarray(ramp).astype(np.uint16) * 257
        ramp = Image.fromarray(values if mode == "I;16" else (values / 65535).astype(np.float32))
    else:
        ramp = ramp.convert(mode)
    ramp.save(tmp_path / "a.tif")
    whole = load(tmp_path / "a.tif")
    monkeypatch.setattr(depth, "STRIP", 300)
    assert np.array_equal(np.asarray(load(tmp_path / "a.tif")), np.asarray(whole))
    monkeypatch.setattr(images, "ROOM", 90 * 70 // 7)
    small = load(tmp_path / "a.tif")
    assert measure(tmp_path / "a.tif") == whole.size
    assert small.size == (30, 24)
    assert np.array_equal(np.asarray(small), np.asarray(whole.reduce(3)))
    if mode == "RGBA":
        assert alpha(tmp_path / "a.tif") is None


def test_a_large_jpeg_is_made_smaller_by_its_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.linear_gradient("L").resize((160, 120)).convert("RGB").save(tmp_path / "a.jpg", quality=95)
    whole = load(tmp_path / "a.jpg")
    monkeypatch.setattr(images, "ROOM", 160 * 120 // 4)
    monkeypatch.setattr(Image.Image, "reduce", lambda *_: pytest.fail("decoded whole"))
    small = load(tmp_path / "a.jpg")
    assert small.size == (80, 60)
    assert np.abs(np.asarray(small, int) - np.asarray(whole.resize((80, 60)), int)).max() < 6


PHOTOGRAPHS = [(1600, 900), (1024, 768), (600, 400), (500, 500), (900, 1600), (401, 613), (640, 480), (83, 47)]


@pytest.mark.parametrize("size", PHOTOGRAPHS)
@pytest.mark.parametrize(("width", "height"), [(640, 480), (608, 640), (832, 480), (480, 832)])
def test_the_original_crops_whole_pixels(size: tuple[int, int], width: int, height: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 8 + 1, size[0] // 8 + 1, 3), dtype=np.uint8)
    photograph = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    # Step by step: the factor that covers both sides, whole pixels, then a box in the middle.
    if size == (width, height):
        expected = np.asarray(photograph)
    else:
        factor = max(width / size[0], height / size[1])
        wide, high = int(np.rint(size[0] * factor)), int(np.rint(size[1] * factor))
        resized = np.asarray(photograph.resize((wide, high), Image.Resampling.LANCZOS))
        left, right = (int(np.rint(edge)) for edge in ((wide - width) / 2, (wide + width) / 2))
        top, bottom = (int(np.rint(edge)) for edge in ((high - height) / 2, (high + height) / 2))
        expected = resized[top:bottom, left:right]
    made = fit(photograph, width, height, "original")
    assert made.shape == (height, width, 3)
    assert np.array_equal(made, expected)


@pytest.mark.skipif(sys.platform == "win32", reason="no such count of memory")
@pytest.mark.parametrize(("samples", "kind"), [(2, 0), (3, 2)], ids=["sixteen bits", "colour"])
def test_a_large_picture_takes_a_bounded_memory(tmp_path: Path, samples: int, kind: int) -> None:
    """What is above the room is a few hundred kilobytes here, and on the way takes no more than is reckoned with."""
    side, pack = 7200, zlib.compressobj(1)
    row = b"\0" + bytes(range(240)) * (side * samples // 240)
    data = b"".join(pack.compress(row) for _ in range(side)) + pack.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16 if kind == 0 else 8, kind, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    code = (
        "import resource, sys, pathlib; from eichi.video.images import load\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); image = load(pathlib.Path(sys.argv[1])); print(*image.size, peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], capture_output=True, text=True, check=True)
    width, height, taken = map(int, done.stdout.split())
    assert (width, height) == (3600, 3600)
    assert (
        taken * (1 if sys.platform == "darwin" else 1024) < BUDGET / max_pixels("PNG") * side**2
    )  # a Mac counts bytes


@pytest.mark.parametrize("read", [load, measure, alpha, load_mask])
def test_a_palette_that_is_missing_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    at = whole.index(b"PLTE") - 4
    size = 12 + int.from_bytes(whole[at : at + 4])
    (tmp_path / "a.png").write_bytes(whole[:at] + whole[at + size :])
    with pytest.raises(PictureError) as caught:
        read(tmp_path / "a.png")
    assert (caught.value.id, caught.value.values["reason"]) == ("error.picture.damaged", "reason.palette")


def test_a_strip_is_not_scaled_to_gigapixels() -> None:
    strip = Image.linear_gradient("L").resize((65_535, 1)).convert("RGB")
    assert fit(strip, 80, 48, "original").shape == (48, 80, 3)

"""Colours of pictures are those of their profiles, numbers and gammas, shown in sRGB."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from eichi.video.images import load, load_mask
from tests.pictures import chunk, tiff, with_chunks
from tests.profiles import ADOBE, P3, cmyk_profile, grey_profile, rgb_profile

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))
KINDS = ("PNG", "JPEG", "WEBP", "TIFF", "AVIF")


def first(path: Path) -> list[int]:
    pixel: list[int] = np.asarray(load(path))[0, 0].tolist()
    return pixel


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_is_followed_in_every_kind(tmp_path: Path, kind: str) -> None:
    lossless: dict[str, dict[str, Any]] = {
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
        "JPEG": {"quality": 100},
    }
    path, profile = tmp_path / "a", rgb_profile(P3)
    NOISE.save(path, kind, icc_profile=profile, **lossless.get(kind, {}))
    with Image.open(path) as image:
        stored, srgb = image.convert("RGB"), ImageCms.createProfile("sRGB")
    relative = ImageCms.Intent.RELATIVE_COLORIMETRIC
    expected = ImageCms.profileToProfile(stored, io.BytesIO(profile), srgb, relative)
    assert np.array_equal(np.asarray(load(path)), np.asarray(expected))
    assert not np.array_equal(np.asarray(load(path)), np.asarray(stored))


@pytest.mark.parametrize(
    ("profile", "color", "expected"),
    [
        (rgb_profile(P3), (255, 60, 60), (255, 16, 45)),
        (rgb_profile(ADOBE, 2.2), (60, 200, 60), (0, 201, 37)),
        (rgb_profile(P3), (90, 90, 90), (90, 90, 90)),
    ],
)
def test_colours_that_are_known(
    tmp_path: Path, profile: bytes, color: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    Image.new("RGB", (4, 4), color).save(tmp_path / "a.png", icc_profile=profile)
    assert first(tmp_path / "a.png") == pytest.approx(expected, abs=2)


def test_grey_and_inks_have_profiles_too(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 128).save(tmp_path / "grey.png", icc_profile=grey_profile(1.0))
    assert first(tmp_path / "grey.png") == pytest.approx([188] * 3, abs=1)  # half of the light
    Image.new("LA", (4, 4), (128, 0)).save(tmp_path / "clear.png", icc_profile=grey_profile(1.0))
    assert first(tmp_path / "clear.png") == [255] * 3
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "ink.tif", icc_profile=cmyk_profile())
    assert first(tmp_path / "ink.tif") == pytest.approx([0, 143, 213], abs=12)  # L 55, a -28, b -48
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "plain.tif")
    assert first(tmp_path / "plain.tif") == [0, 255, 255]


@pytest.mark.parametrize(
    ("mode", "half"),
    [("L", 128), ("LA", (128, 255)), ("I;16", 128 << 8), ("I;16B", 128 << 8), ("I", 128 << 8), ("F", 128 / 255)],
)
def test_every_kind_of_grey_follows_its_profile(tmp_path: Path, mode: str, half: Any) -> None:
    image = Image.new(mode, (4, 4), half)
    if mode == "I":
        image.putpixel((0, 1), 65535)  # which tells what is white
    image.save(tmp_path / "a.tif", icc_profile=grey_profile(1.0))
    assert first(tmp_path / "a.tif") == pytest.approx([188] * 3, abs=1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "P", "PA", "YCbCr"])
def test_every_kind_of_colour_follows_its_profile(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "YCbCr" else "a.tif")
    image = Image.new("RGB", (8, 8), (90, 90, 90))
    if mode in ("P", "PA"):
        image = image.convert("P", palette=Image.Palette.ADAPTIVE)
    image.convert(mode).save(path, icc_profile=rgb_profile(ADOBE, 1.0))
    assert first(path) == pytest.approx([160] * 3, abs=1)


def test_colours_that_their_opacity_is_multiplied_into_follow_it_too(tmp_path: Path) -> None:
    values = np.full((4, 4, 4), (45, 45, 45, 128), dtype=np.uint8)
    (tmp_path / "a.tif").write_bytes(tiff([values], {262: 2, 338: 1, 34675: rgb_profile(ADOBE, 1.0)}))
    assert first(tmp_path / "a.tif") == pytest.approx([207] * 3, abs=1)


@pytest.mark.parametrize("temperature", [None, 9000])
def test_lab_is_lab_whatever_its_profile(tmp_path: Path, temperature: int | None) -> None:
    profile = None
    if temperature is not None:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB", temperature)).tobytes()
    Image.new("LAB", (4, 4), (136, 208, 195)).save(tmp_path / "a.tif", icc_profile=profile)
    assert first(tmp_path / "a.tif") == pytest.approx([255, 0, 0], abs=12)  # L 53, a 80, b 67


def test_transparency_stays_what_it_is(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 60, 60, 128)).save(tmp_path / "a.png", icc_profile=rgb_profile(P3))
    assert first(tmp_path / "a.png") == pytest.approx([255, 135, 150], abs=4)


@pytest.mark.parametrize(
    "profile", [b"hello", rgb_profile(P3)[:200], b"", grey_profile(1.0), cmyk_profile()[:140] + bytes(900)]
)
def test_a_profile_that_is_broken_or_for_other_colours_is_ignored(tmp_path: Path, profile: bytes) -> None:
    NOISE.save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(np.asarray(load(tmp_path / "a.png")), np.asarray(NOISE))


def test_what_is_srgb_already_stays_as_it_is(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    NOISE.save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(np.asarray(load(tmp_path / "a.png")), np.asarray(NOISE))


def test_what_differs_from_srgb_in_bright_colours_alone_is_followed(tmp_path: Path) -> None:
    """A red a little paler leaves greys and soft colours as they are."""
    profile = rgb_profile((0.3127, 0.3290, 0.634, 0.330, 0.300, 0.600, 0.150, 0.060))
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "a.png", icc_profile=profile)
    assert first(tmp_path / "a.png") == pytest.approx([253, 10, 12], abs=4)


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", round(value * 100_000).to_bytes(4))


def primaries(values: tuple[float, ...]) -> bytes:
    return chunk(b"cHRM", b"".join(round(value * 100_000).to_bytes(4) for value in values))


@pytest.mark.parametrize(
    ("added", "color", "expected"),
    [
        (gamma(1.0), (55, 55, 55), (128, 128, 128)),
        (gamma(0.45455), (55, 60, 70), (55, 60, 70)),
        (gamma(1.0) + chunk(b"sRGB", b"\0"), (55, 60, 70), (55, 60, 70)),
        (gamma(0.45455) + primaries(P3), (255, 60, 60), (255, 16, 45)),
        (gamma(0.45455) + primaries((0.0,) * 8), (255, 60, 60), (255, 60, 60)),
        (gamma(0.0), (55, 60, 70), (55, 60, 70)),
        (chunk(b"gAMA", b"x"), (55, 60, 70), (55, 60, 70)),
        (chunk(b"cICP", bytes([12, 13, 0, 1])), (255, 60, 60), (255, 16, 45)),
        (chunk(b"cICP", bytes([1, 13, 0, 1])), (255, 60, 60), (255, 60, 60)),
        (chunk(b"cICP", bytes([9, 16, 0, 1])), (148, 148, 148), (215, 215, 215)),  # 203 of 10,000 cd/m²
    ],
)
def test_a_png_says_it_in_other_ways(
    tmp_path: Path, added: bytes, color: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(with_chunks(buffer.getvalue(), added))
    assert first(tmp_path / "a.png") == pytest.approx(expected, abs=4)


def test_a_mask_is_no_colour(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 128).save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    mask, _ = load_mask(tmp_path / "a.png")
    assert mask.getextrema() == (128, 128)

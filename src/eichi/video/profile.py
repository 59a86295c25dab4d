"""What the colours of a picture mean: its ICC profile, its numbers of H.273 or its gamma, and the way to sRGB.

Whatever of that is damaged is as if it were not there: colours a little off are better than no picture.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from eichi.video.srgb import REC709, Converter, by_numbers, converter, decode

# A part of a picture, without transparency, to RGB.
Colours = Callable[[Image.Image], Image.Image]
# ICC's names of colour spaces, and the modes of pictures that have such colours.
SPACES = {
    "RGB ": {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "YCbCr"},
    "GRAY": {"L", "LA", "1", "I;16", "I;16B", "I", "F"},
    "CMYK": {"CMYK"},
}  # Lab is Lab, whatever its profile
MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
USUAL = 1 / 2.2
NEAR = 0.01  # how far from the usual a gamma or a primary may be and still be that
SAME = 2  # levels of 255 that sRGB's own profiles change


def colours(image: Image.Image) -> Colours:
    """How the colours of a picture become sRGB."""
    info = image.info
    if "cicp" in info:
        by = by_numbers(*info["cicp"])
        return _plain if by is None else _by(by)
    found = _by_profile(image, info["icc_profile"]) if info.get("icc_profile") else None
    if found is None and "gamma" in info and "srgb" not in info:
        found = _by_gamma(info["gamma"], info.get("chromaticity", REC709))
    return found or _plain


def _plain(part: Image.Image) -> Image.Image:
    return part.convert("RGB")


def _by_profile(image: Image.Image, profile: bytes) -> Colours | None:
    """By ICC, relative colorimetric; None where the profile is damaged, for other colours, or changes nothing."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space
        if image.mode not in SPACES.get(space, set()):
            return None
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        made = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), MODES[space], "RGB", intent)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None

    def convert(part: Image.Image) -> Image.Image:
        changed = ImageCms.applyTransform(part.convert(MODES[space]), made)
        assert changed is not None, "made anew, not in place"
        return changed

    return None if _idle(convert, MODES[space]) else convert


def _idle(convert: Colours, mode: str) -> bool:
    """Whether a conversion leaves all colours as they are, as far as eyes go."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    probes = {"L": Image.fromarray(np.arange(256, dtype=np.uint8)[None]), "RGB": Image.fromarray(colours)}
    if mode not in probes:
        return False
    before, after = (np.asarray(one, int) for one in (probes[mode].convert("RGB"), convert(probes[mode])))
    return bool(np.abs(before - after).max() <= SAME)


def _by_gamma(gamma: float, primaries: tuple[float, ...]) -> Colours | None:
    """By a PNG's gamma and primaries; None where they are the usual ones or cannot be."""
    usual = all(abs(one - other) <= NEAR for one, other in zip(primaries, REC709, strict=True))
    if not 0.05 <= gamma <= 5.0 or (usual and abs(gamma - USUAL) <= NEAR):
        return None
    try:
        curve = decode if abs(gamma - USUAL) <= NEAR else lambda codes: codes ** (1 / gamma)
        return _by(converter(curve, None if usual else primaries))
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None


def _by(by: Converter) -> Colours:
    return lambda part: Image.fromarray(by(np.asarray(part.convert("RGB"))))

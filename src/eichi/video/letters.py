"""Texts drawn into pictures, in a font that has their signs: four languages, on any system.

A font that has Chinese, Japanese, Cyrillic and Latin signs weighs as much as the rest of the program, so none ships:
what the system has is used, where systems keep such fonts. Where there is none, Pillow's own draws Latin, and whoever
asks is told that signs are missing. Knows nothing of what is written.
"""

import os
import sys
from functools import cache
from pathlib import Path
from typing import TypeAlias

from PIL import ImageFont

# By system, those with all four languages first. A collection (.ttc) has a face for each.
LINUX = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-vf-fonts/NotoSansCJK-VF.ttc",
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
)
MAC = (
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "/System/Library/Fonts/ヒラギノ角ゴシック W3.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Helvetica.ttc",
)
WINDOWS = ("YuGothR.ttc", "meiryo.ttc", "msgothic.ttc", "msjh.ttc", "segoeui.ttf", "arial.ttf")
NOTHING = "\uffff"  # what no font has


Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"


def font_for(text: str, size: int) -> tuple[Font, bool]:
    """The first font that has every sign of a text, in pixels; whether there is one."""
    fonts: list[Font] = [one for path in _paths() if (one := _font(path, size)) is not None]
    best = next((font for font in fonts if _has(font, text)), None)
    if best is not None:
        return best, True
    plain = ImageFont.load_default(size)
    return (fonts or [plain])[0], not text.strip() or _has(plain, text)


def _has(font: Font, text: str) -> bool:
    missing = bytes(font.getmask(NOTHING))
    return all(sign.isspace() or bytes(font.getmask(sign)) != missing for sign in set(text))


@cache
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(str(path), size)
    except OSError:
        return None


@cache
def _paths() -> tuple[Path, ...]:
    """Where this system has fonts, as far as they are there."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"
        known = [folder / name for name in WINDOWS]
    else:
        known = [Path(path) for path in (MAC if sys.platform == "darwin" else LINUX)]
    return tuple(path for path in known if path.is_file())

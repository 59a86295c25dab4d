"""What a picture or a video says in words: its texts, by small name.

In a PNG these are chunks, before and behind the pixels; in every picture the comment, and EXIF with its user comment;
in videos the tags of the container. Each is read as the coding that it is in, which programs often do not say or say
wrongly. Knows nothing of what the texts mean.
"""

import html
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from eichi.errors import InputError, PictureError
from eichi.video import png
from eichi.video.sources import open_picture, open_video

OURS = "eichi"  # the name of the record of a result
# Signs of one text, and texts of a file. A record of ours with a hundred prompts has far less.
LONGEST, MOST = png.LONGEST, 200

# Tags of EXIF.
MORE, COMMENT, MAKE, MODEL, DESCRIPTION, EXPLORER = 0x8769, 0x9286, 0x010F, 0x0110, 0x010E, 0x9C9C
USER = "usercomment"
XMP = ("xmp", "xml:com.adobe.xmp")


def texts_in(path: Path) -> dict[str, str]:
    """The texts of a file by small name, of two of a name the first; none of a file that cannot be read."""
    texts: dict[str, str] = {}
    with suppress(OSError, InputError):
        for name, text in _texts(path):
            if text.strip("\0 \t\r\n") and len(text) <= LONGEST:
                texts.setdefault(name.lower(), text)
            if len(texts) == MOST:
                break
    return texts


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        if png.is_png(file):
            yield from _plain(png.texts(file))
    try:
        yield from _pictured(path)
    except PictureError:
        with open_video(path) as video:
            yield from _plain(dict(video.metadata))


def _pictured(path: Path) -> list[tuple[str, str]]:
    """The comment of a picture, and the texts in its EXIF. Raises PictureError."""
    with open_picture(path) as image:
        comment, xmp = (image.info.get(name) for name in ("comment", "xmp"))
        exif = image.getexif()
        tags = {**exif, **exif.get_ifd(MORE)}
    named = {"comment": comment, "xmp": xmp}
    found = {name: decoded(text) if isinstance(text, bytes) else text for name, text in named.items() if text}
    if str(found.get("comment", "")).startswith(f"{OURS}:"):  # a GIF has no names for texts
        found[OURS] = str(found.pop("comment")).partition(":")[2]
    return [*_exif(tags), *_plain({name: text for name, text in found.items() if isinstance(text, str)})]


def _exif(tags: Mapping[int, Any]) -> Iterator[tuple[str, str]]:
    """The texts in EXIF. Some programs write `name:text` where the camera stands."""
    comment, explorer = tags.get(COMMENT), tags.get(EXPLORER)
    if isinstance(comment, bytes | str):
        yield USER, comment if isinstance(comment, str) else user_comment(comment)
    if isinstance(explorer, bytes):
        yield "explorer", explorer.decode("utf-16-le", "replace")
    for tag in (DESCRIPTION, MAKE, MODEL):
        if isinstance(value := tags.get(tag), str):
            text = decoded(value.encode("latin-1", "replace"))
            name, sign, rest = text.partition(":")
            yield (name.strip(), rest.strip()) if sign and name.strip().isidentifier() else ("description", text)


def _plain(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Texts by their names; of XMP the user comment in it."""
    for name, text in texts.items():
        if name.lower() not in XMP:
            yield name, text
            continue
        inner, end, _ = text.partition("<exif:UserComment>")[2].partition("</exif:UserComment>")
        if end:
            words = "".join(part.partition(">")[2] for part in inner.split("<"))
            yield USER, html.unescape(words).strip()


def decoded(data: bytes) -> str:
    """A text as UTF-8, which most programs write, or else as Latin-1."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def user_comment(data: bytes) -> str:
    """A user comment: eight bytes name its coding, not its byte order, and some programs write another one."""
    code, text = data[:8], data[8:]
    match code.rstrip(b"\0 ").upper():
        case b"UNICODE":
            return _utf16(text)
        case b"JIS":
            return _first(text, "iso2022_jp", "cp932")
        case b"ASCII":
            return decoded(text)
        case b"":
            return _utf16(text) if b"\0" in text.rstrip(b"\0") else decoded(text)
    return decoded(data)


def _utf16(data: bytes) -> str:
    """UTF-16 in the order in which most of it is European, unless it says its order; without zeros it is UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\0" not in data:
        with suppress(UnicodeDecodeError):
            return data.decode("utf-8")
    big = data[::2].count(0) >= data[1::2].count(0)
    return data.decode("utf-16-be" if big else "utf-16-le", "replace")


def _first(data: bytes, *codings: str) -> str:
    for coding in codings:
        with suppress(UnicodeDecodeError):
            return data.decode(coding)
    return decoded(data)

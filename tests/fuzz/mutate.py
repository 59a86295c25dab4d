"""Damage, as it happens and as people do it on purpose: bytes of a file changed, or what is inside of it.

Bytes alone find little in a format with checksums and lengths: a changed PNG ends at its first checksum. So a file of
such a format is also taken apart, one part of it is damaged, and it is put together again whole. Nothing here knows the
program. All of it follows from the given source of randomness.
"""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from random import Random
from typing import Any

Damage = Callable[[bytes, Random], bytes]

# What readers stumble over: ends of ranges, what is no number, signs of other formats, texts that are no texts.
WORDS = (
    *(struct.pack(">I", value) for value in (0, 1, 2**31 - 1, 2**31, 2**32 - 1)),
    *(struct.pack("<Q", value) for value in (0, 1, 100_000_000, 2**63 - 1, 2**64 - 1)),
    *(
        b"\0",
        b"\xff\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\r\n",
        b"%00",
        b"../",
        b"\\",
        b"\x85",
        b"{}",
    ),
    *(b"NaN", b"-1", b"1e999", b"null", b"true", b'"', b"'", b"[", b"{", b"&a", b"*a", b"!!python/object:os.system"),
    *("\u2028".encode(), "が".encode(), "猫".encode("cp932"), b"[" * 3000, b"A" * 5000, b"a: " * 500),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**31, 2**63, 10**40, 1e308, float("nan"), float("inf"), "", "0", "-1", "NaN"),
    *("\ud800", "\0", "A" * 300, "x" * 70_000, "../../x", "C:\\x", "/etc/hostname", "CON", [], [[]], {}, {"": None}),
    *([None], [-1], {"a": {"b": []}}, {"0": 1}, [1, "a", None]),
)
DEPTH = 3000


def flip(data: bytes, draw: Random) -> bytes:
    """One to eight bytes have other bits."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(data: bytes, draw: Random) -> bytes:
    """The file ends early, or a piece of it is missing."""
    start = draw.randrange(len(data))
    return data[:start] + (data[start + draw.randrange(1, 200) :] if draw.random() < 0.5 else b"")


def insert(data: bytes, draw: Random) -> bytes:
    """Something stands where nothing, or something else, was."""
    word, at = draw.choice(WORDS), draw.randrange(len(data) + 1)
    return data[:at] + word + data[at + (len(word) if draw.random() < 0.5 else 0) :]


def repeat(data: bytes, draw: Random) -> bytes:
    """A piece stands twice, or where another was."""
    start, length, at = draw.randrange(len(data)), draw.randrange(1, 400), draw.randrange(len(data))
    piece = data[start : start + length]
    return data[:at] + piece + data[at + (len(piece) if draw.random() < 0.5 else 0) :]


def anyhow(data: bytes, draw: Random) -> bytes:
    """Bytes damaged in one way or another, once or a few times."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        data = draw.choice((flip, flip, cut, insert, repeat))(data or b"\0", draw)
    return data


def text(data: bytes, draw: Random) -> bytes:
    """A text in another coding, or its lines in another order, or its bytes damaged."""
    how = draw.random()
    if how < 0.1:
        return data.decode("utf-8", "replace").encode(
            draw.choice(("utf-16", "cp932", "utf-8-sig", "utf-32")), "replace"
        )
    if how < 0.2:
        lines = data.splitlines(keepends=True)
        draw.shuffle(lines)
        return b"".join(lines)
    return anyhow(data, draw)


def values(given: Any, draw: Random) -> Any:
    """A value from JSON with something of it replaced, left out, nested, or under another key."""
    changed = deepcopy(given)
    places: list[tuple[Any, Any]] = []
    if isinstance(changed, dict | list):
        _places(changed, places)
    for _ in range(draw.choice((1, 1, 2, 3))):
        if not places:
            return draw.choice(VALUES)
        holder, key = draw.choice(places)
        how = draw.random()
        with suppress(KeyError, IndexError):  # what was left out before
            if how < 0.6:
                holder[key] = draw.choice(VALUES)
            elif how < 0.75:
                del holder[key]
            elif how < 0.85:
                holder[key] = [holder[key]] if draw.random() < 0.5 else {"a": holder[key]}
            elif isinstance(holder, dict):
                holder[draw.choice(("", "a" * 300, "\ud800", "-1", "0.5", str(key).upper(), "日本語"))] = holder[key]
    return changed


def as_json(data: bytes, draw: Random) -> bytes:
    """JSON with other values, nested beyond what anybody reads, or damaged bytes."""
    how = draw.random()
    if how < 0.25:
        return text(data, draw)
    if how < 0.3:
        return draw.choice((b"[", b'{"a":')) * (DEPTH * draw.choice((1, 30)))
    return _json(values(json.loads(data), draw))


def safetensors(data: bytes, draw: Random) -> bytes:
    """Another header over the same numbers, or damaged bytes."""
    if draw.random() < 0.3:
        return anyhow(data, draw)
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    how = draw.random()
    if how < 0.1:
        new = b"[" * (DEPTH * 30)
    elif how < 0.3 and "__metadata__" in header:
        told = header["__metadata__"]
        key = draw.choice(sorted(told))
        with suppress(ValueError):
            told[key] = as_json(told[key].encode(), draw).decode("utf-8", "replace")
        new = _json(header)
    elif how < 0.4:
        key = draw.choice(sorted(header))
        header[draw.choice((key * 40, f"{key}\0", "", f"a.{key}", key.upper()))] = header.pop(key)
        new = _json(header)
    elif how < 0.55:
        key = draw.choice([name for name in sorted(header) if name != "__metadata__"])
        header[key]["dtype"] = draw.choice(("F8_E4M3", "F8_E5M2", "BF16", "F64", "C64", "U8", "BOOL", "F4", "I64", "X"))
        new = _json(header)
    elif how < 0.65:
        body, new = anyhow(body or b"\0", draw), _json(header)
    else:
        new = _json(values(header, draw))
    return len(new).to_bytes(8, "little") + new + body


def png(data: bytes, draw: Random) -> bytes:
    """A chunk damaged under a right checksum, left out, doubled or moved, or damaged bytes."""
    if draw.random() < 0.3:
        return anyhow(data, draw)
    chunks, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    number, how = draw.randrange(len(chunks)), draw.random()
    name, content = chunks[number]
    if how < 0.65:
        chunks[number] = (name, anyhow(content or b"\0", draw))
    elif how < 0.75:
        del chunks[number]
    elif how < 0.85:
        chunks.insert(draw.randrange(len(chunks) + 1), chunks[number])
    else:
        chunks[number] = (
            draw.choice((b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"gAMA", b"acTL", b"fdAT")),
            content,
        )
    made = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return data[:8] + b"".join(made)


def jpeg(data: bytes, draw: Random) -> bytes:
    """Something within a marker of the header (EXIF, profile, comment), or damaged bytes."""
    if draw.random() < 0.4:
        return anyhow(data, draw)
    end = data.find(b"\xff\xda")
    head = bytearray(data[:end])
    for _ in range(draw.choice((1, 2, 4, 8))):
        head[draw.randrange(4, len(head))] = draw.choice((0, 1, 255, draw.randrange(256)))
    return bytes(head) + data[end:]


def boxes(data: bytes, draw: Random) -> bytes:
    """The numbers of an MP4's or an AVIF's index, or damaged bytes."""
    if draw.random() < 0.5:
        return anyhow(data, draw)
    names = (b"moov", b"trak", b"tkhd", b"mvhd", b"stsd", b"stts", b"stsz", b"stco", b"meta", b"ilst", b"colr", b"iloc")
    found = [at for name in names if (at := data.find(name)) >= 0]
    changed = bytearray(data)
    at = draw.choice(found or [0])
    place = min(len(changed) - 4, max(0, at - 4 + 4 * draw.randrange(20)))
    changed[place : place + 4] = draw.choice(WORDS[:5])
    return bytes(changed)


def zipped(inside: dict[str, Damage]) -> Damage:
    """An archive with one member damaged, by its ending, with members of other names, or with damaged bytes."""

    def damage(data: bytes, draw: Random) -> bytes:
        if draw.random() < 0.4:
            return anyhow(data, draw)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
        number = draw.randrange(len(members))
        name, content = members[number]
        if draw.random() < 0.75:
            members[number] = (name, inside.get(name.rpartition(".")[2], anyhow)(content, draw))
        else:
            long = f"{'a' * 250}{name}"
            others = (f"../{name}", f"/{name}", f"a\\{name}", name.upper(), long, f"{name}/", "CON.png")
            members[number] = (draw.choice(others), content)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name), content)
        return buffer.getvalue()

    return damage


def _json(given: Any) -> bytes:
    return json.dumps(given).encode("utf-8", "surrogatepass")


def _places(holder: Any, found: list[tuple[Any, Any]]) -> None:
    """Every place of a nested value, as what holds it and its key."""
    pairs = list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))
    for key, value in pairs:
        found.append((holder, key))
        if isinstance(value, dict | list):
            _places(value, found)

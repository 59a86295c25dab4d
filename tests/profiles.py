"""Colour profiles, made from what the ICC's document says: small ones that a test can know the answer of."""

import struct

import numpy as np

from eichi.video.srgb import Numbers, decode, matrix

D50 = (0.9642, 1.0, 0.8249)
P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE = (0.3127, 0.3290, 0.640, 0.330, 0.210, 0.710, 0.150, 0.060)
# sRGB's primaries in the connection space, as its own profile has them.
SRGB_TO_D50 = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])


def rgb_profile(primaries: tuple[float, ...], gamma: float | None = None, padding: int = 0) -> bytes:
    """A profile of three primaries and one gamma, sRGB's curve without, and a tag of as many bytes as are asked for."""
    to_d50: Numbers = SRGB_TO_D50 @ matrix(primaries)
    tags = {name: _xyz(to_d50[:, at]) for at, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))
    if padding:
        noise = np.random.default_rng(0).integers(0, 4, padding, dtype=np.uint8).tobytes()
        tags[b"meta"] = b"text\0\0\0\0" + noise
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk_profile() -> bytes:
    """Inks whose full strength is of a Lab colour; what they print together is dark."""
    inks = {(0, 0, 0, 0): (255, 128, 128), (1, 0, 0, 0): (140, 100, 80), (0, 1, 0, 0): (130, 200, 130)}
    grid = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    table = bytes(value for point in grid for value in inks.get(point, (40, 128, 128)))
    identity = struct.pack(">9i", *(65536 if at % 4 == 0 else 0 for at in range(9)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + bytes(range(256)) * 4 + table + bytes(range(256)) * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", dict.fromkeys((b"A2B0", b"A2B1"), lut))


def _xyz(values: Numbers) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _curve(gamma: float | None) -> bytes:
    if gamma is None:
        table = (decode(np.linspace(0, 1, 1024)) * 65535).round().astype(">u2")
        return b"curv\0\0\0\0" + struct.pack(">I", len(table)) + table.tobytes()
    return b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)


def _profile(kind: bytes, space: bytes, between: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(np.array(D50)), **tags}
    place, table, data = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", place + len(data), len(content))
        data += content
    header = struct.pack(">I4sI", place + len(data), b"\0\0\0\0", 0x02400000) + kind + space + between + bytes(12)
    header += b"acsp" + bytes(28) + struct.pack(">3i", *(round(value * 65536) for value in D50)) + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + data

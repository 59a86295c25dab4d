"""Headers of files that anybody may have made: numbers of every type, and everything that a header can claim."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from eichi.models.header import LARGEST, HeaderError, read_header, short


def write(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str, shape: list[int], first: int, last: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


def test_every_eight_bit_number_is_torch_s(tmp_path: Path) -> None:
    every = torch.arange(256, dtype=torch.uint8)
    kinds = {"a": torch.float8_e4m3fn, "b": torch.float8_e5m2, "c": torch.float8_e8m0fnu}
    save_file({name: every.clone().view(kind) for name, kind in kinds.items()}, tmp_path / "a.safetensors")
    header = read_header(tmp_path / "a.safetensors")
    for name, kind in kinds.items():
        expected = every.view(kind).to(torch.float64).numpy()
        assert np.array_equal(np.array(header.numbers(name)), expected, equal_nan=True)


@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint16, torch.uint8],
)
def test_numbers_of_other_types(tmp_path: Path, dtype: torch.dtype) -> None:
    save_file({"a": torch.tensor([4, 16], dtype=dtype)}, tmp_path / "a.safetensors")
    assert read_header(tmp_path / "a.safetensors").numbers("a") == [4.0, 16.0]


@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64])
def test_what_is_no_number(tmp_path: Path, dtype: torch.dtype) -> None:
    save_file({"a": torch.ones(1, dtype=dtype)}, tmp_path / "a.safetensors")
    with pytest.raises(HeaderError) as caught:
        read_header(tmp_path / "a.safetensors").numbers("a")
    assert caught.value.reason["detail"] in ("a: BOOL", "a: C64")


@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2],
)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_bad_number_among_many_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, value: float
) -> None:
    monkeypatch.setattr("eichi.models.header.PIECE", 64)
    largest = torch.full((1000,), torch.finfo(dtype).max, dtype=dtype)
    bad = largest.clone()
    bad[777] = torch.tensor(value, dtype=dtype)
    if dtype == torch.float8_e4m3fn:  # has no infinity
        bad.view(torch.uint8)[777] = 0x7F if value > 0 else 0xFF
    save_file({"bad": bad, "good": largest, "whole": torch.ones(9, dtype=torch.int32)}, tmp_path / "a.safetensors")
    header = read_header(tmp_path / "a.safetensors")
    assert [header.finite(name) for name in ("bad", "good", "whole")] == [False, True, True]


WRONG: dict[str, tuple[Any, bytes, int | None]] = {
    "no file": (b"", b"", 2**40),
    "longer than bounded": (b"", b"\0" * 16, LARGEST + 1),
    "no JSON": (b"{nope", b"", None),
    "no UTF-8": (b'{"\xff": 1}', b"", None),
    "deep": (b"[" * 100_000, b"", None),
    "deep in a tensor": (b'{"a": ' + b"[" * 100_000, b"", None),
    "list": ([], b"", None),
    "half a character": (b'{"\\ud800": {}}', b"", None),
    "a name twice": (b'{"a": 1, "a": 2}', b"", None),
    "texts": ({"__metadata__": {"a": 5}}, b"", None),
    "no texts": ({"__metadata__": []}, b"", None),
    "no tensor": ({"a": 5}, b"", None),
    "no type": ({"a": {"shape": [], "data_offsets": [0, 4]}}, b"\0" * 4, None),
    "unknown type": ({"a": entry("F3", [1], 0, 4)}, b"\0" * 4, None),
    "a type of another kind": ({"a": entry(["F32"], [1], 0, 4)}, b"\0" * 4, None),  # type: ignore[arg-type]
    "negative": ({"a": entry("F32", [-1], 0, -4)}, b"", None),
    "truth": ({"a": entry("F32", [True], 0, 4)}, b"\0" * 4, None),
    "fraction": ({"a": entry("F32", [1.0], 0, 4)}, b"\0" * 4, None),  # type: ignore[list-item]
    "three offsets": ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, b"\0" * 8, None),
    "beyond the end": ({"a": entry("F32", [2], 0, 8)}, b"\0" * 4, None),
    "over another": ({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 2, 6)}, b"\0" * 6, None),
    "a hole": ({"a": entry("F32", [1], 4, 8)}, b"\0" * 8, None),
    "more than is said": ({"a": entry("F32", [1], 0, 4)}, b"\0" * 5, None),
    "another size": ({"a": entry("F32", [2], 0, 4)}, b"\0" * 4, None),
    "without end": ({"a": entry("F32", [2**62, 2**62, 2**62], 0, 4)}, b"\0" * 4, None),
    "hours of multiplying": ({"a": entry("F32", [2**14000] * 6000, 0, 4)}, b"\0" * 4, None),
    "more sides than any": ({"a": entry("F32", [1] * 65, 0, 4)}, b"\0" * 4, None),
    "a number of 5000 digits": (b'{"a": ' + b"9" * 5000 + b"}", b"", None),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_header_cannot_be(tmp_path: Path, wrong: str) -> None:
    header, data, length = WRONG[wrong]
    with pytest.raises(HeaderError) as caught:
        read_header(write(tmp_path / "a.safetensors", header, data, length))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "id"),
    [
        (b"", "no_bytes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer"),
        (b" <html>", "page"),
        (b"PK\x03\x04", "pickle"),
        (b"GGUF\3\0\0\0", "gguf"),
        (b"\0" * 100, "no_header"),
        (b"abc", "no_header"),
    ],
)
def test_what_else_a_file_is(tmp_path: Path, content: bytes, id: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(HeaderError) as caught:
        read_header(path)
    assert caught.value.reason == {"reason": f"reason.{id}"}


def test_a_file_that_is_cut_or_has_more(tmp_path: Path) -> None:
    """In its numbers, in its header; or with something behind."""
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.arange(640, dtype=torch.uint8)}, path)
    whole = path.read_bytes()
    for content, id in ((whole[:-1], "cut"), (whole[:20], "cut"), (whole + b"\0", "longer")):
        path.write_bytes(content)
        with pytest.raises(HeaderError) as caught:
            read_header(path)
        assert caught.value.reason == {"reason": f"reason.{id}"}


def test_thousands_of_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({f"a.{number}": torch.ones(3, 2) for number in range(4)}, path, {"told": "something"})
    whole, draw, read = path.read_bytes(), random.Random(7), 0
    for _ in range(600):
        content = bytearray(whole[: draw.randrange(len(whole))] if draw.random() < 0.2 else whole)
        for _ in range(draw.randrange(4)):
            if content:
                content[draw.randrange(min(len(content), 400))] = draw.randrange(256)
        path.write_bytes(content)
        try:
            header = read_header(path)
            read += all(header.finite(name) for name in header.tensors)
        except HeaderError:
            continue
    assert 20 < read < 600


def test_names_for_a_sentence() -> None:
    assert short("a\nb\x00\ud800c") == "a�b��c"
    assert short("x" * 500, 10) == "x" * 10 + "…"

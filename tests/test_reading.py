"""Texts of others: their coding is told from them, and their JSON holds no surprise."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.reading import DEPTH, decode, looks_like_json, parse_json

CERTAIN, GUESSED = ("utf-8", "utf-8-sig", "utf-16", "utf-32"), ("utf-16-le", "utf-16-be")


@pytest.mark.parametrize("coding", [*CERTAIN, *GUESSED])
def test_unicode(coding: str) -> None:
    text = "a cat 猫 🐈 кот\r\n"
    assert decode(text.encode(coding)) == (text, None if coding in CERTAIN else "UTF-16")


@pytest.mark.parametrize(
    ("coding", "text"),
    [
        ("cp932", "猫"),
        ("cp932", "終わり。6秒 表示ソフト"),
        ("cp932", "キャラクターが踊る, slowly"),
        ("cp932", "ﾈｺ 猫が歩く"),
        ("cp950", "一隻貓"),
        ("cp950", "貓在走路，6秒 終了。功能許可"),
        ("cp1251", "Кот"),
        ("cp1251", "видео: кот идёт медленно, 6 сек\n«да»"),
    ],
)
def test_codings_of_our_languages(coding: str, text: str) -> None:
    assert decode(text.encode(coding)) == (text, coding.upper())


@pytest.mark.parametrize("coding", GUESSED)
@pytest.mark.parametrize("text", ["一隻貓在走路。\n", "猫が歩く、\r\n", "кот идёт\n", "a cat", "猫\n", "Straße\n"])
def test_unicode_without_a_mark(coding: str, text: str) -> None:
    assert decode(text.encode(coding)) == (text, "UTF-16")


def test_wide_unicode_of_the_other_order() -> None:
    assert decode(b"\0\0\xfe\xff" + "a 猫".encode("utf-32-be")) == ("a 猫", None)


ZEROS = [b"a\0cat\nb\n", b"a cat\0\na dog in a house, it rains\n", b"\xff\xfea\0\0\0", "кот\0, дом и так\n".encode()]


@pytest.mark.parametrize("data", ZEROS)
def test_what_has_zeros_in_it_is_no_text(data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        decode(data)


@pytest.mark.parametrize("data", [b"Stra\xdfe \xfcber", b"\x80", b"\0", b"a\0b"])
def test_a_coding_that_is_not_known(data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        decode(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_text_or_one_kind_of_error(data: bytes) -> None:
    with suppress(UnicodeDecodeError):
        decode(data)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * (DEPTH + 1) + "]" * (DEPTH + 1), "{", "", "9" * 5000, '{"a": tru']
)
def test_json_that_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # of many kinds
        parse_json(text)


def test_json_of_too_many_values() -> None:
    assert parse_json("[[1, 2], 3]", most=4) == [[1, 2], 3]
    with pytest.raises(ValueError, match=r"reason\.values"):
        parse_json("[[1, 2], 3]", most=3)


def test_json_that_is_read() -> None:
    deep = "[" * DEPTH + "]" * DEPTH
    assert json.dumps(parse_json(deep)) == deep
    assert parse_json(b'\xef\xbb\xbf{"a": NaN}').keys() == {"a"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', True),
        (' { "a": ', True),
        ('["a", ', True),
        ("[[[]]]", True),
        ("[" * 100_000, True),
        ("{red|blue} cat", False),
        ("[cat:dog:0.5]", False),
        ("{{{cat}}}", False),
        ("42", False),
        ('"a"', False),
    ],
)
def test_what_looks_like_json(text: str, expected: bool) -> None:
    assert looks_like_json(text) == expected


def test_json_with_keys_that_nobody_can_write() -> None:
    assert parse_json('{"\\u732b": "\\ud800"}') == {"猫": "\ud800"}
    with pytest.raises(ValueError, match=r"reason\.coding"):
        parse_json('[{"a": {"\\ud800": 1}}]')

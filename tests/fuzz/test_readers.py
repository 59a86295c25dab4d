"""Damaged files of every kind through every reader: it reads them or refuses them in our own words."""

from pathlib import Path

import pytest

from tests.fuzz.readers import KINDS, attempt, damaged, real

COUNT = 150
DEAR = {"stores": 30, "eichi19": 60, "tokenizers": 60, "chains": 20, "chained": 8, "chaincards": 40}


@pytest.mark.parametrize("name", KINDS)
def test_nothing_but_our_own_errors(name: str, tmp_path: Path) -> None:
    for data in real(name):
        attempt(KINDS[name], data, tmp_path)
    for number in range(DEAR.get(name, COUNT)):
        data = damaged(name, number)
        try:
            attempt(KINDS[name], data, tmp_path)
        except Exception as error:
            error.add_note(f"damaged({name!r}, {number})")
            raise


@pytest.mark.parametrize("name", KINDS)
def test_damage_is_always_the_same(name: str) -> None:
    assert [damaged(name, number) for number in range(5)] == [damaged(name, number) for number in range(5)]
    assert len({damaged(name, number) for number in range(5)}) > 1

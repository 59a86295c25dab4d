"""Terms that were agreed to: each once, for good."""

from pathlib import Path

from eichi.events import Adjusted
from eichi.library.agreed import Agreed


def test_what_was_agreed_to_is_remembered(home: Path) -> None:
    notes: list[Adjusted] = []
    assert Agreed(home, notes.append).list() == frozenset()
    Agreed(home, notes.append).add({"llama", "hunyuan"})
    Agreed(home, notes.append).add({"llama", "flux"})
    assert Agreed(home, notes.append).list() == {"flux", "hunyuan", "llama"}
    assert notes == []

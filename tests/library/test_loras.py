"""LoRA presets: five slots, and files that are not there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import OptionError
from eichi.events import Adjusted
from eichi.library.loras import Loras, PresetLora, Slot, lora

files = st.lists(
    st.builds(
        PresetLora,
        path=st.from_regex(r"[a-z]{1,8}\.safetensors", fullmatch=True).map(Path),
        strength=st.floats(-2, 2),
        on=st.booleans(),
    ),
    max_size=4,
)


def loras(home: Path, notes: list[Adjusted] | None = None, folders: tuple[Path, ...] = ()) -> Loras:
    return Loras(home, (notes if notes is not None else []).append, folders)


def test_there_are_always_five(home: Path) -> None:
    assert loras(home).list() == {number: Slot() for number in (1, 2, 3, 4, 5)}


@given(st.integers(1, 5), files)
def test_a_slot_comes_back(tmp_path_factory: pytest.TempPathFactory, number: int, chosen: list[PresetLora]) -> None:
    home = tmp_path_factory.mktemp("home")
    loras(home).save(number, chosen, "name")
    assert loras(home).list()[number] == Slot(name="name", loras=tuple(chosen))
    assert [slot for place, slot in loras(home).list().items() if place != number] == [Slot()] * 4


def test_names(home: Path) -> None:
    kept = loras(home)
    kept.save(2, [lora("a.safetensors")], " pixel art ")
    kept.save(2, [lora("b.safetensors", -0.5, False)])
    assert kept.list()[2] == Slot(
        name="pixel art", loras=(PresetLora(path=Path("b.safetensors"), strength=-0.5, on=False),)
    )
    kept.rename(2, "other")
    assert (kept.list()[2].name, len(kept.list()[2].loras)) == ("other", 1)
    kept.clear(2)
    assert kept.list()[2] == Slot()


def test_a_missing_file_is_said_and_stays(home: Path, tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "here.safetensors").touch()
    notes: list[Adjusted] = []
    kept = loras(home, notes, (tmp_path / "loras",))
    kept.save(1, [lora("gone.safetensors", 0.3), lora("here.safetensors")])
    assert [(entry.path, entry.strength) for entry in kept.apply(1).loras] == [
        (Path("gone.safetensors"), 0.3),
        (tmp_path / "loras" / "here.safetensors", 0.8),
    ]
    assert [note.values for note in notes] == [{"path": "gone.safetensors", "number": 1}]
    assert [str(entry.path) for entry in kept.list()[1].loras] == ["gone.safetensors", "here.safetensors"]


@pytest.mark.parametrize("number", [0, 6, -1])
def test_there_is_no_other_slot(home: Path, number: int) -> None:
    for act in (loras(home).apply, loras(home).clear, lambda n: loras(home).save(n, [])):
        with pytest.raises(OptionError, match="1 to 5"):
            act(number)
    with pytest.raises(OptionError, match="1 to 5"):
        loras(home).rename(number, "x")


@pytest.mark.parametrize("strength", [2.1, -2.1, float("nan"), float("inf")])
def test_a_strength_has_bounds(strength: float) -> None:
    with pytest.raises(OptionError, match="-2 to 2"):
        lora("a.safetensors", strength)

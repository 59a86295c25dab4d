"""LoRA files of several folders with all below, by names; and requests that name them."""

from pathlib import Path

import pytest

from eichi.errors import LoraError
from eichi.library.lorafolders import find_lora, located, lora_files
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import load_settings


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    own, other = tmp_path / "own", tmp_path / "D" / "loras"
    inside = ("a.safetensors", "anime/B.SafeTensors", "anime/deep/a.safetensors", "c.pt", ".hidden.safetensors")
    beside = ("a.safetensors", "e.safetensors", ".cache/d.safetensors")
    for path in (*(own / name for name in inside), *(other / name for name in beside)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (own / "folder.safetensors").mkdir()
    return own, other


NAMES = [
    "a.safetensors", "anime/B.SafeTensors", "anime/deep/a.safetensors", "loras/a.safetensors", "e.safetensors"
]  # fmt: skip


def test_every_file_has_a_name_of_its_own(folders: tuple[Path, Path], tmp_path: Path) -> None:
    files = lora_files([*folders, tmp_path / "gone"])
    assert [*files] == NAMES
    assert files["loras/a.safetensors"] == folders[1] / "a.safetensors"


def test_a_folder_that_is_linked_into_itself_is_seen_once(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (folders[0] / "anime" / "again").symlink_to(folders[0])
    (folders[0] / "comfy").symlink_to(folders[1])
    assert [*lora_files([folders[0]])] == [
        *NAMES[:1], "anime/B.SafeTensors", "anime/deep/a.safetensors", "comfy/a.safetensors", "comfy/e.safetensors"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("a.safetensors", "a.safetensors"),
        ("a", "a.safetensors"),
        ("anime/b", "anime/B.SafeTensors"),
        ("B.safetensors", "anime/B.SafeTensors"),
        ("E", "e.safetensors"),
        ("loras/a.safetensors", "loras/a.safetensors"),
        ("../own/e.safetensors", "e.safetensors"),
        ("nothing", None),
        ("x" * 300, None),
        ("\0", None),
    ],
)
def test_a_file_is_found_by_its_name(folders: tuple[Path, Path], asked: str, found: str | None) -> None:
    path = find_lora(Path(asked), folders)
    assert path == (None if found is None else lora_files(folders)[found])


def test_a_name_that_several_files_have_is_refused(folders: tuple[Path, Path]) -> None:
    (folders[1] / "b.safetensors").touch()
    (folders[1] / "more").mkdir()
    (folders[1] / "more" / "e.safetensors").touch()
    assert find_lora(Path("e"), folders) == folders[1] / "e.safetensors"  # its whole name
    with pytest.raises(LoraError, match=r"anime/B\.SafeTensors, b\.safetensors"):
        find_lora(Path("old/b.safetensors"), folders)


def test_a_request_gets_the_places_of_its_files(folders: tuple[Path, Path], tmp_path: Path) -> None:
    here = tmp_path / "here.safetensors"
    here.touch()
    for kind in (VideoOptions, FrameOptions):
        options = kind.parse({"weights": {"loras": [f"{here}:0.3", "anime/b:1.5", "none"]}})
        loras = located(options, folders).weights.loras
        expected = [(here, 0.3), (folders[0] / "anime" / "B.SafeTensors", 1.5), (Path("none"), 0.8)]
        assert [(lora.file, lora.strength) for lora in loras] == expected


def test_the_folders_of_the_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().loras == (home / "loras",)
    monkeypatch.setenv("EICHI_LORA_FOLDERS", r"C:\loras; /d/more ;;~/x;~nobody-0/x")
    rest = Path("/d/more"), Path("~/x").expanduser(), Path("~nobody-0/x")
    assert load_settings().loras == (home / "loras", Path(r"C:\loras"), *rest)
    monkeypatch.setenv("EICHI_LORA_FOLDERS", "a\nb")  # as the page's box has them
    assert load_settings().loras[1:] == (Path("a"), Path("b"))

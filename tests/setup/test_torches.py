"""Which torch is asked for where, and what is said of the one that is there; uv is a stand-in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eichi.setup.builds import Build, build_in
from eichi.setup.cards import Card
from eichi.setup.torches import AUTO, PLAIN, Trouble, cause, install, look, misfit, ways
from eichi.setup.uv import Uv

RTX = Card("RTX 4090", (580, 65, 6), (8, 9))
GTX = Card("GTX 1080", (580, 65, 6), (6, 1))
OLD = Card("RTX 3060", (470, 82), (8, 6))
UNREACHABLE = "error: Request failed after 3 retries\n  cause: dns error\n  cause: Name or service not known\n"


@dataclass(frozen=True)
class Answering(Uv):
    """uv that answers by the index it is asked for."""

    answers: Mapping[str, tuple[bool, str]] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def _backend(self, arguments: tuple[str, ...]) -> str:
        return next((one.partition("=")[2] for one in arguments if one.startswith("--torch-backend")), PLAIN)

    def ask(self, *arguments: str) -> tuple[bool, str]:
        return self.answers[self._backend(arguments)]

    def run(self, *arguments: str, quiet: bool = False) -> int:
        self.asked.append(arguments)
        return 0


def told() -> tuple[list[str], Any]:
    said: list[str] = []
    return said, lambda id, **values: said.append(id)


def test_the_index_for_the_card_comes_first() -> None:
    uv = Answering("uv", answers={AUTO: (True, "Would install\n + filelock==3\n + torch==2.13.0+cu130\n")})
    said, tell = told()
    install(uv, Path("python"), "2.13.0", RTX, tell)
    assert uv.asked == [("pip", "install", "--python", "python", "torch==2.13.0", "--torch-backend=auto")]
    assert said == ["start.torch", "start.torch.size"]


def test_the_plain_registry_is_asked_where_torchs_own_server_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    uv = Answering("uv", answers={AUTO: (False, UNREACHABLE), PLAIN: (True, " + torch==2.13.0\n")})
    said, tell = told()
    install(uv, Path("python"), "2.13.0", None, tell, anew=True)
    assert uv.asked[0][-3:] == ("--reinstall-package", "torch", "torch==2.13.0")
    assert said == ["start.torch.unreachable", "start.torch"]


def test_without_a_network_nothing_is_begun() -> None:
    uv = Answering("uv", answers={AUTO: (False, UNREACHABLE), PLAIN: (False, UNREACHABLE)})
    with pytest.raises(Trouble) as raised:
        install(uv, Path("python"), "2.13.0", None, told()[1])
    assert (raised.value.id, raised.value.values) == ("start.unreachable", {"reason": "Name or service not known"})
    assert uv.asked == []


def test_what_the_user_says_goes_first(tmp_path: Path) -> None:
    assert ways({}, RTX) == (AUTO, PLAIN)
    assert ways({}, GTX) == ("cu126", AUTO, PLAIN)
    assert ways({}, OLD) == (AUTO, PLAIN)
    assert ways({"UV_TORCH_BACKEND": "cu128"}, RTX) == (PLAIN,)
    assert ways({"UV_NO_INDEX": "1"}, RTX) == (PLAIN,)
    assert ways({"UV_INDEX": "https://mirror/cu130"}, RTX) == (PLAIN, AUTO)
    assert ways({"UV_DEFAULT_INDEX": "https://mirror/simple"}, RTX) == (AUTO, PLAIN)
    folder = tmp_path / "my wheels"
    folder.mkdir()
    named = {"UV_FIND_LINKS": f"https://elsewhere/,{folder}"}
    assert ways(named, RTX) == (AUTO, PLAIN)
    (folder / "torch-2.13.0+cu130-cp311-cp311-win_amd64.whl").touch()
    assert ways(named, RTX) == (PLAIN, AUTO)


@pytest.mark.parametrize(
    ("card", "wanted"),
    [
        (None, ["start.card.none"]),
        (RTX, ["start.card"]),
        (OLD, ["start.card", "start.driver"]),
        (Card("GTX 780", (470, 82), (3, 5)), ["start.card", "start.card.old"]),
    ],
)
def test_what_is_said_of_a_card(card: Card | None, wanted: list[str]) -> None:
    said, tell = told()
    look(card, tell)
    assert said == wanted


@pytest.mark.parametrize(
    ("build", "card", "wanted"),
    [
        (None, None, "absent"),
        (Build("2.13.0", "cpu"), None, None),
        (Build("2.13.0", "cpu"), RTX, "cpu"),
        (Build("2.13.0", "cpu"), OLD, None),  # the driver has to be newer first
        (Build("2.13.0", "rocm", "7.0"), RTX, None),
        (Build("2.13.0", "cuda", "13.0"), RTX, None),
        (Build("2.13.0", "cuda", "13.0"), Card("x", (560, 1), (8, 6)), "driver"),
        (Build("2.13.0", "cuda", "13.0"), GTX, "code"),
        (Build("2.13.0", "cuda", "12.6"), GTX, None),
        (Build("2.13.0", "cuda", "12.8"), Card("x", (560, 1), (8, 6)), None),
    ],
)
def test_a_build_beside_a_card(
    monkeypatch: pytest.MonkeyPatch, build: Build | None, card: Card | None, wanted: str | None
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert misfit(build, card) == wanted


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None", "2.13.0+cpu"),
        ("__version__ = '2.13.0'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None", "2.13.0+cuda13.0"),
        (
            "__version__ = '2.13.0+rocm7.0'\ncuda: Optional[str] = None\nhip: Optional[str] = '7.0.5'",
            "2.13.0+rocm7.0.5",
        ),
        ("", "None"),
    ],
)
def test_a_build_is_read_from_its_file(tmp_path: Path, lines: str, wanted: str) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "version.py").write_text(f"from typing import Optional\n{lines}\n", encoding="utf-8")
    assert str(build_in(tmp_path)) == wanted
    assert build_in(tmp_path / "absent") is None


def test_the_cause_of_silence_is_nothing() -> None:
    assert cause("") == ""

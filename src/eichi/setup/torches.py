"""The torch that is right for a machine: asked for where it can be had, and put into an environment.

torch's own server has a build for every CUDA release; uv takes the one for the driver. Where that server cannot be
reached (a company's network, a mirror), the plain registry has one build a system: for CUDA on Linux, for the CPU on
Windows. What the user tells uv of places goes before both.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eichi.setup.builds import Build, build_in
from eichi.setup.cards import BACKENDS, Card, backends, dotted, driver_name, has_code, needed, runs
from eichi.setup.uv import ALONE, Uv, cut_off, ended, wheels

Tell = Callable[..., None]  # the id of a sentence, and what fills it

CHOSEN = "UV_TORCH_BACKEND"  # the user's own word on it
GIVEN = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
AUTO, PLAIN = "auto", ""
REGISTRY = "13.0"  # the CUDA release of the plain registry's build for Linux


class Trouble(Exception):
    """What keeps the set-up from its end: the id of a sentence, and what fills it."""

    def __init__(self, id: str, **values: object) -> None:
        super().__init__(id)
        self.id, self.values = id, values


def failed(code: int) -> Trouble:
    """uv did not come to its end: it has said why, or the system has ended it, which says nothing."""
    return Trouble("start.killed" if cut_off(code) else "start.failed", cause=ended(code), code=code)


@dataclass(frozen=True)
class Way:
    """A way to get torch: the index that is asked (none: the places that uv knows), what it answers with."""

    backend: str
    build: str  # as its version says: "2.13.0+cu130"; empty where it lies there already

    @property
    def promise(self) -> Build:
        """What it will be, by its name; where that says nothing, what the plain registry has for this system."""
        version, _, label = self.build.partition("+")
        if label.startswith("cu"):
            return Build(version, "cuda", f"{label[2:-1]}.{label[-1]}")
        if label.startswith(("rocm", "xpu")):
            return Build(version, "rocm" if label.startswith("rocm") else "xpu")
        return Build(version, "cuda", REGISTRY) if not label and sys.platform == "linux" else Build(version, "cpu")

    @property
    def arguments(self) -> tuple[str, ...]:
        return (f"--torch-backend={self.backend}",) if self.backend else ()


def ways(environ: Mapping[str, str], card: Card | None) -> tuple[str, ...]:
    """The indexes to ask for torch, the first that answers being taken."""
    if environ.get(CHOSEN) or environ.get(ALONE):
        return (PLAIN,)  # uv reads the first itself; with the second there is no server
    if any(environ.get(name) for name in GIVEN) or wheels(environ, "torch"):
        return (PLAIN, AUTO)
    return (*special(card), AUTO, PLAIN)


def special(card: Card | None) -> tuple[str, ...]:
    """Indexes to ask first, since uv looks at the driver alone: older ones for a card that newer builds left behind."""
    if card is None or card.compute is None:
        return ()
    newest = next((backend for backend in BACKENDS.values() if runs(card, backend.release)), None)
    return () if newest is None or has_code(card, newest) else backends(card)


def install(
    uv: Uv,
    python: Path,
    version: str,
    card: Card | None,
    tell: Tell,
    anew: bool = False,
    weigh: Callable[[Way], object] = lambda way: None,
) -> None:
    """Put torch of a version into the environment of a Python; `anew` also where one lies there. Raises Trouble.

    `weigh` is shown the way before anything is fetched.
    """
    flags = ("--python", str(python), *(("--reinstall-package", "torch") if anew else ()), f"torch=={version}")
    way = choose(uv, flags, ways(uv.environ, card), tell)
    weigh(way)
    put(uv, flags, way, tell)


def put(uv: Uv, flags: Iterable[str], way: Way, tell: Tell) -> None:
    """Go a way. Raises Trouble."""
    if way.build:
        tell("start.torch", build=way.build)
        if way.promise.kind == "cuda":
            tell("start.torch.size")
    code = uv.run("pip", "install", *flags, *way.arguments)
    if code:
        raise failed(code)


def choose(uv: Uv, flags: Iterable[str], backends: Iterable[str], tell: Tell) -> Way:
    """The first way that there is, found out without fetching anything. Raises Trouble with what uv said."""
    said = ""
    for backend in backends:
        way = Way(backend, "")
        good, said = uv.ask("pip", "install", "--dry-run", *flags, *way.arguments)
        if good:
            found = re.search(r"^ [+~] torch==(\S+)", said, re.MULTILINE)
            return Way(backend, found[1] if found else "")
        if backend == AUTO:
            tell("start.torch.unreachable", reason=cause(said))
    raise Trouble("start.unreachable", reason=cause(said))


def cause(said: str) -> str:
    """The end of what uv says of an error, which is nearest to its cause."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].removeprefix("cause:").strip() if lines else ""


def look(card: Card | None, tell: Tell) -> None:
    """Say which card there is, and what torch will be for it."""
    if card is None:
        tell("start.card.none")
        return
    tell("start.card", name=card.name, driver=driver_name(card.driver))
    if not backends(card):
        id, values = unfit(card)
        tell(id, **values)


def unfit(card: Card) -> tuple[str, dict[str, object]]:
    """Why no build of torch runs on a card, as a sentence: the card, or the driver, where a newer one would help."""
    releases = [backend.release for backend in BACKENDS.values() if has_code(card, backend)]
    if not releases:
        return "start.card.old", {"name": card.name, "compute": dotted(card.compute or ())}
    return "start.driver", {"driver": driver_name(card.driver), "needed": driver_name(needed(min(releases)))}


def misfit(build: Build | None, card: Card | None) -> str | None:
    """What is wrong with a build of torch beside a card, as the end of an id; None where nothing can be done better.

    `absent`: there is no torch. `cpu`: it computes on the CPU. `driver`: it needs a newer driver than there is.
    `code`: it has no code for the card.
    """
    if build is None:
        return "absent"
    if card is None or build.kind in ("rocm", "xpu"):
        return None
    if build.kind == "cpu":
        return "cpu" if backends(card) else None
    if not runs(card, int(build.release.partition(".")[0])):
        return "driver"
    backend = BACKENDS.get("cu" + build.release.replace(".", ""))
    return None if backend is None or has_code(card, backend) else "code"


def in_environment(environment: Path) -> Build | None:
    """The build of torch in a virtual environment."""
    found = [*environment.glob("lib/python3.*/site-packages"), environment / "Lib" / "site-packages"]
    return next((build for folder in found if (build := build_in(folder)) is not None), None)

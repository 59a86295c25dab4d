"""Which build of torch lies in an environment, by its files: on Windows who has imported torch cannot change it."""

import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["cpu", "cuda", "rocm", "xpu"]
KINDS: dict[str, Kind] = {"cuda": "cuda", "hip": "rocm", "xpu": "xpu"}  # by the line of torch/version.py that is set


@dataclass(frozen=True)
class Build:
    """A build of torch: its version without what stands behind the plus, what it computes on, for which release."""

    version: str
    kind: Kind
    release: str = ""  # of CUDA or ROCm: "13.0"

    def __str__(self) -> str:
        return f"{self.version}+{self.kind}{self.release}"


def build_in(packages: Path) -> Build | None:
    """The build in a folder of packages; None where none lies there whole."""
    try:
        text = (packages / "torch" / "version.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    version = _line("__version__", text)
    if not version:
        return None
    for name, kind in KINDS.items():
        release = _line(name, text)
        if release:
            return Build(version.partition("+")[0], kind, release)
    return Build(version.partition("+")[0], "cpu")


def own_packages() -> Path:
    """Where the Python that runs this keeps packages."""
    return Path(sysconfig.get_path("purelib"))


def _line(name: str, text: str) -> str:
    """What a name is set to in a text of Python; empty for None."""
    found = re.search(rf"^{name}\b[^=]*=\s*['\"]([^'\"]*)['\"]", text, re.MULTILINE)
    return found[1] if found else ""

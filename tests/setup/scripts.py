"""The start scripts in a folder of their own, with stand-ins for all that they call: what is called is written down."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lay(folder: Path) -> None:
    """What of the program a start script reads before there is a Python."""
    (folder / "install").mkdir(parents=True)
    (folder / "src" / "eichi").mkdir(parents=True)
    shutil.copyfile(ROOT / "install" / "uv.txt", folder / "install" / "uv.txt")
    shutil.copytree(ROOT / "src" / "eichi" / "locales", folder / "src" / "eichi" / "locales")

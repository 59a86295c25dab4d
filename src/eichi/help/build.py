"""The documents of one language as a folder of pages, and the templates of the translations: Sphinx is run here.

Everything on the way lies in a folder of its own, so that the sources may be on a disk that nobody may write to. Runs
in the process that calls it, which is best one of its own: Sphinx keeps much of a build in its modules.
"""

import gc
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from sphinx.cmd.build import build_main

from eichi.documents import CATALOGUES, catalogues, folder, locale
from eichi.files import leave, remove, settle
from eichi.help.catalogues import compile_to
from eichi.words import ENGLISH, languages, say

STRICT = ("--fail-on-warning", "--keep-going", "--nitpicky")
ENTRANCE = "index.html"
WORK = ".work"  # in the home folder: what a build that was killed leaves, the next one finds
OFTEN = 50_000  # objects between two sweeps
KEPT = 2  # marks that have sites: of two versions of the program that share a home, none makes them again and again


def build(
    code: str,
    to: Path,
    *,
    source: Path | None = None,
    strict: bool = False,
    quiet: bool = True,
    beside: Path | None = None,
) -> bool:
    """Build a language's site into a folder, which is made anew; whether it came out.

    What is on the way lies in a folder in `beside`, else where the system has such.
    `strict` takes a warning for a failure. What Sphinx has to say goes to the standard output and error.
    """
    source = source or folder()
    with tempfile.TemporaryDirectory(prefix="eichi-help-", dir=beside) as work:
        compiled = Path(work) / CATALOGUES
        if code != ENGLISH:
            compile_to(catalogues(code, source), compiled / locale(code) / "LC_MESSAGES")
        made = Path(work) / "site"
        settings = {"language": locale(code), "locale_dirs": str(compiled), "gettext_auto_build": "0"}
        asked = [word for name, value in settings.items() for word in ("-D", f"{name}={value}")]
        asked += [*(STRICT if strict else ()), *(["--quiet"] if quiet else []), "--no-color"]
        with swept_seldom():
            failed = build_main(["-b", "html", "-d", f"{work}/trees", *asked, str(source), str(made)])
        if failed:
            return False
        (made / ".buildinfo").unlink(missing_ok=True)
        (made / "objects.inv").unlink(missing_ok=True)
        shutil.rmtree(made / "_sources", ignore_errors=True)
        to.parent.mkdir(parents=True, exist_ok=True)
        draft = to.with_name(f".{to.name}.part")
        remove(draft)
        try:
            shutil.move(made, draft)
            remove(to)
            settle(draft, to, lasting=False)
        finally:
            leave(draft)  # a full disk is not left with half a site
    return True


@contextmanager
def swept_seldom() -> Iterator[None]:
    """Unused objects are looked for less often: it is an eighth of a build's time, for 25 MB."""
    usual = gc.get_threshold()
    gc.set_threshold(OFTEN, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def keep(code: str, to: Path, wait: float = -1) -> bool:
    """Build a language's site in its place below the home folder, where nobody has done so; whether it is there.

    `to` is the language's folder in one that is named by a mark. Others build none meanwhile, and afterwards the sites
    of all marks but the newest are gone. Seconds to `wait` for another one's build; without an end where below zero.
    """
    shelf = to.parents[1]
    shelf.mkdir(parents=True, exist_ok=True)
    with FileLock(shelf / ".lock", timeout=wait):
        if (to / ENTRANCE).is_file():
            return True
        work = shelf / WORK
        leave(work)  # of a build that was killed
        work.mkdir(exist_ok=True)
        try:
            if not build(code, to, beside=work):
                return False
        finally:
            leave(work)
        marks = sorted((one for one in shelf.iterdir() if one.is_dir()), key=lambda one: -one.stat().st_mtime)
        for old in [one for one in marks if one != to.parent][KEPT - 1 :]:
            leave(old)
    return True


def templates(to: Path, source: Path | None = None) -> bool:
    """Write the templates of the translations, by page; whether that came out."""
    with tempfile.TemporaryDirectory(prefix="eichi-help-") as work:
        asked = ["-b", "gettext", "-d", f"{work}/trees", "--quiet", "--no-color"]
        return not build_main([*asked, str(source or folder()), str(to)])


def entrance(to: Path) -> None:
    """Beside the sites of the languages, a page that leads to the reader's."""
    source = Path(__file__).with_name("entrance.html")
    link = '<li><a href="{code}/index.html" lang="{code}" hreflang="{code}">{name}</a></li>'
    links = "\n".join(link.format(code=code, name=say("page.language", code)) for code in languages())
    (to / ENTRANCE).write_text(source.read_text(encoding="utf-8").replace("{links}", links), encoding="utf-8")

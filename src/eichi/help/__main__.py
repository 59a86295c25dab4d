"""What writers and translators of the documents type: `python -m eichi.help COMMAND`.

`build en` makes the site of a language and says where; `all` makes everything that `make docs` makes; `catalogues`
brings the translations up to the documents; `todo ja guide/install` writes what is to be translated as JSON, and
`fold ja FILE` puts that back.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import psutil

from eichi.documents import catalogues, folder, locale, pages, translations
from eichi.help import catalogues as books
from eichi.reference.pages import PAGES
from eichi.words import languages

OUT = Path("build/docs")
NICE = 10  # of 19


class Code(click.Choice[str]):
    """The code of a language, also as the folders of the catalogues have it: zh_TW."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The code as the page has it."""
        return super().convert(value.replace("_", "-"), param, ctx)


LANGUAGE, TRANSLATION = Code(languages()), Code(translations())


@click.group(help=__doc__)
def main() -> None:
    """The commands."""


@main.command()
@click.argument("language", type=LANGUAGE)
@click.option("--to", type=click.Path(path_type=Path), default=OUT, help="The folder above the language's.")
@click.option("--strict", is_flag=True, help="Take warnings for failures.")
def build(language: str, to: Path, strict: bool) -> None:
    """Build the site of one language."""
    from eichi.help.build import build as make
    from eichi.help.build import entrance

    if not make(language, to / language, strict=strict):
        raise SystemExit(1)
    entrance(to)
    click.echo(to / language / "index.html")


@main.command()
@click.argument("language", type=LANGUAGE)
@click.argument("place", type=click.Path(path_type=Path))
def keep(language: str, place: Path) -> None:
    """Build the site of one language where the page looks for it, giving way to all else that the machine does."""
    from eichi.help.build import keep as make

    psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else NICE)
    raise SystemExit(0 if make(language, place) else 1)


@main.command()
@click.argument("language", type=TRANSLATION, nargs=-1)
def catalogue(language: tuple[str, ...]) -> None:
    """Bring the catalogues of the languages, or of all, up to the documents."""
    from eichi.help.build import templates

    with tempfile.TemporaryDirectory() as work:
        if not templates(Path(work)):
            raise SystemExit(1)
        for name in PAGES:
            (Path(work) / "reference" / f"{name}.pot").unlink()
        for code in language or translations():
            books.update(Path(work), catalogues(code, folder()), locale(code))
    _tell()


@main.command()
@click.argument("language", type=TRANSLATION)
@click.argument("page", nargs=-1)
@click.option("--to", type=click.Path(path_type=Path), help="A file; the standard output where none is given.")
def todo(language: str, page: tuple[str, ...], to: Path | None) -> None:
    """What is to be translated into a language, of all pages or of some, as JSON with empty places."""
    work = books.to_do(catalogues(language, folder()), page)
    text = json.dumps(work, ensure_ascii=False, indent=1) + "\n"
    if to is None:
        click.echo(text, nl=False)
        return
    to.write_text(text, encoding="utf-8")
    click.echo(f"{to}: {sum(map(len, work.values()))} texts of {len(work)} pages")


@main.command()
@click.argument("language", type=TRANSLATION)
@click.argument("file", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
def fold(language: str, file: tuple[Path, ...]) -> None:
    """Put translations back into the catalogues; those that do not fit are said and left out."""
    refused = False
    for one in file:
        try:
            work = books.load(one)
        except (OSError, ValueError) as error:
            raise click.ClickException(str(error)) from error
        came = books.fold(work, catalogues(language, folder()))
        for text in came.refused:
            click.echo(f"REFUSED: {text}", err=True)
        refused = refused or bool(came.refused)
        click.echo(f"{one}: {came.filled} filled, {len(came.refused)} refused")
    raise SystemExit(int(refused))


@main.command(name="all")
@click.option("--to", type=click.Path(path_type=Path), default=OUT)
def everything(to: Path) -> None:
    """Build every language, warnings being failures; say how much there is, and how far the translations are."""
    failed = [code for code in languages() if subprocess.run(_building(code, to), check=False).returncode]
    _tell()
    if failed:
        raise SystemExit(f"These did not come out: {', '.join(failed)}")


def _building(code: str, to: Path) -> list[str]:
    return [sys.executable, "-m", "eichi.help", "build", code, "--strict", "--to", str(to)]


def _tell() -> None:
    """Say pages, words, and the share of each language."""
    source = folder()
    click.echo(f"pages: {len(pages(source))}")
    for code in translations():
        place = catalogues(code, source)
        found, words = books.progress(place), books.words(place)
        whole = sum(found.values(), books.Progress())
        click.echo(
            f"{code}: {len(found)} pages with {sum(words.values())} words to translate, {whole.entries} texts, "
            f"{whole.share:.1%} translated, {whole.missing} missing, {whole.stale} stale"
        )
        for page, one in found.items():
            if one.share < 1:
                click.echo(f"  {page}: {one.missing} missing, {one.stale} stale")
        made = {f"reference/{name}" for name in PAGES}
        for page in sorted(set(pages(source)) - made - set(found)):
            click.echo(f"  {page}: no catalogue yet; run `python -m eichi.help catalogue {code}`")


if __name__ == "__main__":
    main()

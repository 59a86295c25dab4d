"""The catalogues of the translations: brought up to a state of the documents, read, filled, compiled.

An entry is a paragraph, a heading, a cell of a table. One whose original was changed is stale: gettext calls it fuzzy,
and it is shown in English until somebody has read it again. What has no letters needs no translator and is filled at
once, as are numbers with units in languages with a decimal comma. Knows neither Sphinx nor more of the languages.
"""

import io
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po, write_po
from markdown_it import MarkdownIt
from pydantic import TypeAdapter, ValidationError

from eichi.files import aside, read_file

CODE = re.compile(r"(`+)(.+?)\1")
LINK = re.compile(r"\]\(([^()\s]*(?:\([^()]*\)[^()\s]*)*)(?:\s+\"[^\"]*\")?\)")
ROLE = re.compile(r"\{[a-z][a-z:_-]*\}(?=`)")
BARE = re.compile(r"<https?://[^>]+>")
LETTER = re.compile(r"[^\W\d_]")
# A number, after what may look like one and is none: code, an address. A version of three numbers is none either.
NUMBER = re.compile(
    rf"{CODE.pattern}|{LINK.pattern}|{BARE.pattern}|"
    r"(?<![\w.,])(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<part>\d+))?(?!\w|[.,]\d)"
)
QUANTITY = re.compile(r"([\d.,\s<>≈~±+×–-]*\d\s?)([A-Za-z]+)")
UNITS = {"ru": {"s": "с", "min": "мин", "h": "ч", "MB": "МБ", "GB": "ГБ", "MiB": "МиБ", "GiB": "ГиБ"}}  # with a comma
# What gettext's tools want to know, and nothing that changes from day to day.
HEAD = r"""msgid ""
msgstr ""
"Language: {locale}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"""
NAMES = {"FramePack-eichi"}  # the same in every language
MARKDOWN = MarkdownIt("commonmark")
LONGEST, SPARE = 5, 200  # how many times as long as its original a translation may be, and signs beyond that
UNSEEN = {"Cc", "Cs", "Zl", "Zp"}  # controls, halves of signs, ends of lines and paragraphs

Work = dict[str, dict[str, str]]
WORK = TypeAdapter(Work)
SHOWN = 60  # signs of a text that tell which one is meant


@dataclass(frozen=True)
class Progress:
    """How far the translation of a page is: its entries, those that are missing, and those that are stale."""

    entries: int = 0
    missing: int = 0
    stale: int = 0

    @property
    def share(self) -> float:
        """What is translated, from 0 to 1."""
        return 1 - (self.missing + self.stale) / self.entries if self.entries else 1.0

    def __add__(self, other: "Progress") -> "Progress":
        return Progress(self.entries + other.entries, self.missing + other.missing, self.stale + other.stale)


@dataclass
class Folded:
    """What came of filling catalogues: how many entries were, and why others were not."""

    filled: int = 0
    refused: list[str] = field(default_factory=list)


def read(path: Path) -> Catalog:
    """A catalogue. Raises OSError, and ValueError for what is none: the marks of a conflict, as an example."""
    try:
        return read_po(io.BytesIO(path.read_bytes()), ignore_obsolete=True, abort_invalid=True)
    except (PoFileError, LookupError, UnicodeError) as error:
        raise ValueError(f"{path}: {error}") from error


def write(catalog: Catalog, path: Path) -> None:
    """Write a catalogue as everybody's tools would, without what changes from day to day. Raises OSError."""
    for message in catalog:
        message.flags &= {"fuzzy"}  # what the library guesses of formats is of no use here
    out = io.BytesIO()
    write_po(out, catalog, width=0, ignore_obsolete=True, no_location=True, omit_header=True)
    head = HEAD.format(locale=catalog.locale_identifier)
    path.parent.mkdir(parents=True, exist_ok=True)
    with aside(path, lasting=False) as draft:
        draft.write_bytes(head.encode() + b"\n" + out.getvalue())


def entries(catalog: Catalog) -> Iterator[Message]:
    """The entries of a catalogue that readers see."""
    return (message for message in catalog if message.id)


def original(message: Message) -> str:
    """The text of an entry as it is written."""
    return message.id if isinstance(message.id, str) else message.id[0]


def translated(message: Message) -> str:
    """What an entry becomes, nothing where it is missing or stale."""
    text = message.string if isinstance(message.string, str) else ""
    return "" if message.fuzzy else text


def update(templates: Path, folder: Path, locale: str) -> None:
    """Bring a language's catalogues to a state of the documents: templates as gettext's builder writes them, by page.

    Texts that were moved to another page take their translations along; catalogues of pages that are gone go.
    """
    known = {original(one): translated(one) for path in folder.rglob("*.po") for one in entries(read(path))}
    wanted = {path.relative_to(templates).with_suffix(".po"): path for path in templates.rglob("*.pot")}
    for path in set(folder.rglob("*.po")) - {folder / name for name in wanted}:
        path.unlink()
    for name, path in sorted(wanted.items()):
        template, place = read(path), folder / name
        catalog = read(place) if place.exists() else Catalog(locale)
        catalog.locale = locale
        catalog.update(template, no_fuzzy_matching=not place.exists())
        for message in entries(catalog):
            text = original(message)
            own = unaided(text, locale)
            if own and translated(message) in ("", text):
                _fill(message, own)
            elif not translated(message) and known.get(text):
                _fill(message, known[text])
        for message in catalog:
            message.locations, message.user_comments, message.auto_comments, message.previous_id = [], [], [], []
        write(catalog, place)


def unaided(text: str, locale: str) -> str:
    """What a text becomes that needs no translator: one without letters, a number with its unit; else nothing.

    A version of two numbers that stands alone cannot be told from a decimal number: it is to be written as code.
    """
    units = UNITS.get(locale)
    if units is not None and (found := QUANTITY.fullmatch(text)) and found[2] in units:
        return _comma(found[1]) + units[found[2]]
    if spoken(text):
        return ""
    return text if units is None else _comma(text)


def _comma(text: str) -> str:
    """A text whose numbers have a decimal comma, and a space between thousands from ten thousand on."""

    def number(found: re.Match[str]) -> str:
        if not found["whole"]:
            return found[0]
        whole = found["whole"].replace(",", "" if len(found["whole"]) < len("10,000") else "\N{NO-BREAK SPACE}")
        return f"{whole},{found['part']}" if found["part"] else whole

    return NUMBER.sub(number, text)


def spoken(text: str) -> bool:
    """Whether there is anything to translate in a text: letters outside of code and addresses."""
    return text not in NAMES and bool(LETTER.search(BARE.sub("", LINK.sub("]", CODE.sub("", text)))))


def compile_to(folder: Path, to: Path) -> None:
    """Write a language's catalogues as gettext reads them, those that are stale left out. Raises OSError."""
    for path in folder.rglob("*.po"):
        place = to / path.relative_to(folder).with_suffix(".mo")
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            write_mo(file, read(path))


def progress(folder: Path) -> dict[str, Progress]:
    """How far a language is, by page."""
    return {_page(path, folder): _progress(read(path)) for path in sorted(folder.rglob("*.po"))}


def words(folder: Path) -> dict[str, int]:
    """How many English words a page has for its translators, those of code left out."""
    found = {}
    for path in sorted(folder.rglob("*.po")):
        texts = (LINK.sub("]", CODE.sub("", original(one))) for one in entries(read(path)))
        found[_page(path, folder)] = sum(len([word for word in text.split() if LETTER.search(word)]) for text in texts)
    return found


def to_do(folder: Path, pages: Iterable[str] = ()) -> Work:
    """What is missing or stale, by page, each with an empty place for its translation; a text once.

    Pages are named as they lie below the documents, `guide/install`; a folder names all in it, none names all.
    """
    asked, seen = tuple(pages), set[str]()
    work: Work = {}
    for path in sorted(folder.rglob("*.po")):
        page = _page(path, folder)
        if asked and not any(page == one or page.startswith(f"{one.rstrip('/')}/") for one in asked):
            continue
        texts = [original(one) for one in entries(read(path)) if not translated(one)]
        left = {text: "" for text in texts if text not in seen}
        seen |= set(left)
        if left:
            work[page] = left
    return work


def fold(work: Work, folder: Path) -> Folded:
    """Put translations into their catalogues, on every page that has the text; those that do not fit are refused.

    Empty ones are left for another time. A text that is translated already is replaced on the page that is named, and
    on every other page where it was translated in the same words.
    """
    came, given = Folded(), dict[str, str]()
    named: Work = {}
    for page, text, said in ((page, text, said) for page, texts in work.items() for text, said in texts.items()):
        wrong = misfit(text, said) if said.strip() else ""
        if wrong:
            came.refused.append(f"{wrong}\n  {text}\n  {said}")
        elif said.strip():
            named.setdefault(page, {})[text] = said
            given.setdefault(text, said)
    books = {path: read(path) for path in sorted(folder.rglob("*.po"))}
    found = [(path, _page(path, folder), one) for path, book in books.items() for one in entries(book)]
    old = {(original(one), translated(one)) for _, page, one in found if original(one) in named.get(page, {})}
    changed = set[Path]()
    for path, page, message in found:
        text, was = original(message), translated(message)
        if text in given and (text in named.get(page, {}) or not was or (text, was) in old):
            if _fill(message, named.get(page, {}).get(text, given[text])):
                changed.add(path)
            came.filled += 1
    for path in sorted(changed):
        write(books[path], path)
    unknown = set(given) - {original(message) for _, _, message in found}
    came.refused += [f"no page has this text\n  {text}" for text in sorted(unknown)]
    return came


def misfit(text: str, said: str) -> str:
    """Why a translation cannot stand for a text; nothing where it can.

    Code, addresses, roles and placeholders must be the same ones, in any order; emphasis must come out as emphasis,
    which in languages without spaces between words it does not beside brackets; and it must be one paragraph still.
    HTML would reach the page as it is, and signs that are none, as a lone half of one, stop tools that read them.
    """
    if len(said) > LONGEST * len(text) + SPARE:  # before patterns and parsers take hours over it
        return f"this is far too long: {len(said)} signs"
    if any(category(sign) in UNSEEN for sign in said):
        return "this has signs that no reader sees, or more than one line"
    for name, pattern in (("code", CODE), ("links", LINK), ("roles", ROLE), ("addresses", BARE)):
        want, have = (sorted(found[0] for found in pattern.finditer(one)) for one in (text, said))
        if pattern is LINK:
            want, have = (sorted(found[1] for found in pattern.finditer(one)) for one in (text, said))
        if want != have:
            return f"{name} are not the same: {want} became {have}"
    if _html(text) != _html(said):
        return f"HTML is not the same: {_html(said)}"
    want_strong, have_strong = _emphasis(text), _emphasis(said)
    if have_strong is None:
        return "this is not one paragraph: a sign at its beginning makes something else of it"
    if want_strong is not None and want_strong != have_strong:
        return (
            f"emphasis comes out otherwise (strong, weak): {want_strong} became {have_strong}; put spaces around **…**"
        )
    return ""


def _html(text: str) -> list[str]:
    """The tags that stand in a text itself."""
    inside = (child for token in MARKDOWN.parse(text) for child in token.children or ())
    return sorted(child.content for child in inside if child.type == "html_inline")


def _emphasis(text: str) -> tuple[int, int] | None:
    """How much of a text is strong, and how much is emphasised; None where it is more than a paragraph."""
    tokens = MARKDOWN.parse(text)
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    inside = [child.type for child in tokens[1].children or ()]
    return inside.count("strong_open"), inside.count("em_open")


def _progress(catalog: Catalog) -> Progress:
    every = list(entries(catalog))
    stale = sum(one.fuzzy for one in every)
    return Progress(len(every), sum(not translated(one) and not one.fuzzy for one in every), stale)


def _fill(message: Message, text: str) -> bool:
    """Give an entry its translation; whether that changed anything."""
    changed = message.string != text or message.fuzzy
    message.string = text
    message.flags.discard("fuzzy")
    return changed


def _page(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def load(path: Path) -> Work:
    """Work that a translator hands back. Raises OSError and ValueError, which says what is wrong with the file."""
    try:
        return WORK.validate_json(read_file(path).removeprefix(BOM_UTF8))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"[{str(one)[:SHOWN]!r}]" for one in first["loc"])
        raise ValueError(f"{path}: {place} {first['msg']}".replace(":  ", ": ")) from error

"""The page of messages: what every error and note says on the page and in a terminal, by what it is about.

A placeholder stands as what fills it, `[file]`, in the reader's language. Knows no message: they are found by their
ids, and what an id is about is told by the part after its kind.
"""

from collections.abc import Iterator, Mapping
from string import Formatter

from eichi.documents import anchor
from eichi.reference.marks import code, facts, heading, more, paragraph, plain, typing
from eichi.words import ENGLISH, say, table, typed

KINDS = ("error", "note", "flag")
REASON = "reason."
# What messages are about, and where the guide says more of it; a family that no topic names is of the first.
GENERAL = "general"
TOPICS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    GENERAL: ((), ("trouble",)),
    "files": (
        ("picture", "image", "video", "sound", "file", "folder", "output", "mask", "join", "decode", "encode"),
        ("trouble", "results"),
    ),
    "source": (("source", "kept", "extend", "latents", "tool", "fill", "gaps"), ("continue", "latents")),
    "frame": (("frame",), ("single-frame",)),
    "models": (("model", "hub", "download", "card"), ("models",)),
    "lora": (("lora",), ("lora",)),
    "memory": (("memory", "device", "gpus", "attention", "fp8", "run", "verify"), ("memory", "parallel")),
    "queue": (
        ("job", "batch", "resume", "ahead", "redo", "checkpoint", "worker", "slot", "draft", "more"),
        ("queue", "batches"),
    ),
    "library": (
        ("library", "preset", "favourite", "archive", "import", "from", "wildcard", "foreign", "text"),
        ("settings", "coming-from"),
    ),
    "server": (("api", "access", "upload", "ref", "request", "ui"), ("server",)),
    "cluster": (("ray", "place", "store"), ("workers", "ray")),
    "terminal": (("usage", "set", "sweep", "fix", "settings"), ("install", "settings")),
    "sections": (("black", "frozen", "drift"), ("queue",)),
}
# Placeholders by what fills them; of another one an ellipsis stands, of a number its letter.
SLOTS = {
    "file": ("path", "file", "twin", "files", "card"),
    "folder": ("folder", "folders"),
    "name": ("name", "names", "node", "what", "owner", "profile", "layer", "repository"),
    "option": ("key", "option", "other", "keys"),
    "reason": ("reason", "within", "detail"),
    "model": ("model", "models"),
    "value": ("value", "text", "given", "status", "wanted", "like"),
    "choices": ("known", "choices"),
    "address": ("server", "url", "mirror", "address", "host", "origin", "page"),
    "flag": ("flag", "sweep"),
    "command": ("command",),
    "device": ("device",),
}
OPEN, NUMBER = "…", "N"


def messages_page(language: str = ENGLISH) -> str:
    """Every message, and every reason that one may give."""
    parts = [heading(1, say("reference.messages", language)).lstrip()]
    parts += [paragraph(say(f"reference.messages.{name}", language)) for name in ("for", "slots", "id")]
    for topic, (_, guides) in TOPICS.items():
        parts += [heading(2, say(f"reference.topic.{topic}", language)), *more(guides, language)]
        parts += (_block(id, language) for id in _ids() if _topic(id) == topic)
    parts += [heading(2, say("reference.reasons", language)), paragraph(say("reference.reasons.for", language))]
    parts += (_reason(id, language) for id in table(ENGLISH) if id.startswith(REASON))
    return "".join(parts)


def _ids() -> Iterator[str]:
    """Messages, errors first."""
    for kind in KINDS:
        yield from (id for id in table(ENGLISH) if id.startswith(f"{kind}."))


def _topic(id: str) -> str:
    family = id.split(".")[1]
    return next((topic for topic, (families, _) in TOPICS.items() if family in families), GENERAL)


def _block(id: str, language: str) -> str:
    own = typed(id)
    rows = [("terminal", "" if own == id else typing(filled(own, language))), ("key", code(id))]
    return f"\n({anchor(id)})=\n**{plain(filled(id, language))}**\n{facts(rows, language)}"


def _reason(id: str, language: str) -> str:
    text = say("reference.called", language, value=plain(filled(id, language)), name=code(id))
    return f"\n({anchor(id)})=\n{text}\n"


def filled(id: str, language: str) -> str:
    """A text with a word for each placeholder."""
    return _filled(table(language)[id], language)


def _filled(text: str, language: str) -> str:
    parts = Formatter().parse(text)
    return "".join(said + ("" if name is None else _slot(name, form or "", language)) for said, name, form, _ in parts)


def _slot(name: str, form: str, language: str) -> str:
    """What stands for a placeholder."""
    if "|" in form:  # what goes with one of something, and with more of them
        return _filled(form.rpartition("|")[2], language)
    if form.endswith(("f", "g")) or name in ("number", "count", "limit", "job", "index", "asked", "seconds", "percent"):
        return NUMBER
    kind = next((kind for kind, names in SLOTS.items() if name in names), None)
    return OPEN if kind is None else f"[{say(f'reference.slot.{kind}', language)}]"

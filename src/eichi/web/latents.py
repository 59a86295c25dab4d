"""The place for latent files: what lies among the results, what is in a file, and the tools on them.

All of it is HTML that is sent as it changes; the browser says which files are ticked, in which order, and calls the
HTTP interface. Names and texts of people are escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from eichi.errors import EichiError
from eichi.options import FillOptions
from eichi.plan.timeline import FPS
from eichi.text import encodable
from eichi.video.splice import LatentsReport, report
from eichi.web.fields import fields
from eichi.web.i18n import Words
from eichi.web.toolruns import LATENTS, TOOLS, VIDEO, ToolRun

SHOWN = 60  # files, the newest first
RUNS = 8  # uses of tools
FIELDS = {"trim": ("start", "end"), "fill": ("length", "prompt"), "extend": ("seconds", "prompt")}
GAP = fields(FillOptions)["length"]
COUNT = (0, 999, 0)
NUMBERS = {"start": COUNT, "end": COUNT, "length": (GAP.low, GAP.high, GAP.default), "seconds": (1, 120, 10)}


@dataclass(frozen=True)
class ResultFile:
    """A video, or a latent file with what is in it, among the results."""

    name: str
    report: LatentsReport | None


class Files:
    """The latent files and videos of folders; a file is read again when it has changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], ResultFile | None] = {}

    def list(self, folder: Path) -> list[ResultFile]:
        """What there is, the newest first."""
        found = []
        for path in folder.glob("*") if folder.is_dir() else ():
            shown = encodable(path) and not path.name.startswith(".")
            if shown and path.suffix in (LATENTS, VIDEO) and path.is_file():
                found.append((path.stat().st_mtime_ns, path))
        return [one for _, path in sorted(found, reverse=True)[:SHOWN] if (one := self._describe(path)) is not None]

    def _describe(self, path: Path) -> ResultFile | None:
        state = path.stat()
        key = (str(path), state.st_mtime_ns, state.st_size)
        if key not in self._known:
            self._known[key] = _describe(path)
        return self._known[key]


def _describe(path: Path) -> ResultFile | None:
    if path.suffix == VIDEO:
        return ResultFile(path.name, None)
    try:
        return ResultFile(path.name, report(path))
    except EichiError:
        return None  # some other safetensors file


def render_files(files: Sequence[ResultFile], words: Words) -> str:
    """The files, each with a tick and what is in it."""
    if not files:
        return f'<p class="none">{escape(words("latents.none"))}</p>'
    return f'<ul class="files">{"".join(_file(one, words) for one in files)}</ul>'


def _file(one: ResultFile, words: Words) -> str:
    name, said, prompt, found = escape(one.name), words("kind.mp4"), "", one.report
    if found is not None:
        size = {"width": found.width, "height": found.height}
        said = words("latents.row", latents=found.latents, seconds=found.frames / FPS, **size)
        said += "" if len(found.clips) < 2 else " · " + words("latents.clips", count=len(found.clips))
        said += f" · {found.model}" if found.model else ""
        prompt = str(((found.record or {}).get("request") or {}).get("prompt", ""))
    kind = "video" if found is None else "latents"
    return (
        f'<li><label class="tick"><input type="checkbox" data-file="{name}" data-kind="{kind}">'
        f'<span class="what"><b>{name}</b><small>{escape(said)}</small><small class="quote">{escape(prompt)}</small>'
        "</span></label></li>"
    )


def render_place(words: Words) -> str:
    """The whole place; what changes is put into it."""
    upload = (
        f'<label class="upload"><input type="file" accept=".safetensors,.mp4" data-upload>'
        f"<span>{escape(words('latents.upload'))}</span></label>"
    )
    return (
        f"<h3>{escape(words('place.latents'))} <small>{escape(words('latents.help'))}</small></h3>"
        f'<div class="workshop"><div><div data-live="files"></div>{upload}</div>'
        f'<div>{render_tools(words)}<div data-live="runs"></div></div></div>'
    )


def render_tools(words: Words) -> str:
    """The tools, each with its values; they work on what is ticked."""
    return f'<div class="tools">{"".join(_tool(name, words) for name in (*TOOLS, "extend"))}</div>'


def _tool(name: str, words: Words) -> str:
    key = name.replace("-", "_")
    rows = "".join(_field(name, one, words) for one in FIELDS.get(name, ()))
    return (
        f'<form class="tool" data-tool="{name}"><h4>{escape(words(f"tool.{key}"))}</h4>'
        f"<p>{escape(words(f'tool.{key}_help'))}</p>{rows}"
        f'<div class="buttons"><button type="submit" disabled>{escape(words("tool.run"))}</button></div></form>'
    )


def _field(tool: str, name: str, words: Words) -> str:
    id, label = f"tool-{tool}-{name}", escape(words(f"tool.value.{name}"))
    if name not in NUMBERS:
        return (
            f'<div class="field"><label for="{id}">{label}</label><textarea id="{id}" name="{name}"></textarea></div>'
        )
    low, high, value = NUMBERS[name]
    number = f'<input type="number" id="{id}" name="{name}" min="{low}" max="{high}" value="{value}">'
    return f'<div class="field"><label for="{id}">{label}</label>{number}</div>'


def render_runs(runs: list[ToolRun], words: Words) -> str:
    """The last uses of tools."""
    return "".join(_run(run, words) for run in reversed(runs[-RUNS:]))


def _run(run: ToolRun, words: Words) -> str:
    done = f'<a href="/api/v1/files/{escape(run.result.name)}" download>{escape(run.result.name)}</a>'
    bar = f'<div class="bar"><u style="width:{100 * run.fraction:.0f}%"></u></div>'
    stop = f'<button type="button" class="quiet" data-stop-tool="{run.id}">{escape(words("do.stop"))}</button>'
    name = escape(words(f"tool.{run.tool.replace('-', '_')}"))
    open_ = run.status in ("waiting", "running")
    return (
        f'<div class="run"><span class="state {run.status}">{escape(words(f"status.{run.status}"))}</span>'
        f"<b>{name}</b> <small>{escape(', '.join(run.files))}</small>"
        f"{bar if run.status == 'running' else ''}{done if run.status == 'done' else ''}"
        f'<span class="error">{escape(run.said)}</span>'
        f'<span class="buttons">{stop if open_ else ""}</span></div>'
    )

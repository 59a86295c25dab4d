"""A plan as text: the sections on one time axis, in the order they will be seen, with what each is made from.

Draws from `Plan.describe()`, the same values that a page draws from, so that what is shown cannot differ from what is
planned. Knows nothing of terminals but their width.
"""

from typing import Any

from rich.cells import cell_len, set_cell_size

from eichi.words import say

NARROW = 5  # columns under which a section has no room for its number


def draw(plan: dict[str, Any], width: int, language: str) -> list[str]:
    """Lines no wider than `width`: a summary, the axis where it fits, one line a section in the order of time."""
    sections = sorted(plan["sections"], key=lambda section: section["start_frame"])
    figures = {key: plan[key] for key in ("model", "seconds", "frames", "width", "height")}
    lines = [say("plan.summary", language, **figures, sections=len(sections))]
    if len(sections) * NARROW <= width - 2:
        lines += _axis(sections, plan["frames"], width)
    for section in sections:
        values = {
            "number": section["number"],
            "start": section["start_frame"] / 30,
            "end": section["end_frame"] / 30,
            "order": section["order"] + 1,
            "anchor": section["anchor"],
            "padding": section["padding"],
            "prompt": section["prompt"],
        }
        lines.append(_fit(say("plan.section", language, **values), width))
    return lines


def _axis(sections: list[dict[str, Any]], frames: int, width: int) -> list[str]:
    """Section numbers between the boundaries, and the seconds of the boundaries below."""
    edges = [round(section["start_frame"] / frames * (width - 1)) for section in sections] + [width - 1]
    bar, ruler = "", ""
    for i, section in enumerate(sections):
        room = edges[i + 1] - edges[i] - 1
        bar += "│" + str(section["number"]).center(room)
        time = f"{section['start_frame'] / 30:.1f}"
        if len(ruler) <= edges[i] and edges[i] + len(time) < width:
            ruler = ruler.ljust(edges[i]) + time
    end = f"{frames / 30:.1f}"
    if len(ruler) < width - len(end):
        ruler = ruler.ljust(width - len(end)) + end
    return [bar + "│", ruler]


def _fit(line: str, width: int) -> str:
    """A line, cut with a sign where it is too long for that many columns; line breaks of a prompt become spaces."""
    line = " ".join(line.splitlines())
    return line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…"

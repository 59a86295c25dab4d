"""A plan as text: what is made and what it is made from, on one time axis and then line by line in the order of time.

Draws from a plan's view, the same values that a page draws from, so that what is shown cannot differ from what is
planned. Knows nothing of terminals but their width.
"""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from eichi.jobs.view import FramePlanView, PlanView, SectionView
from eichi.lines import with_whole
from eichi.plan.keyframes import CONNECTING, START
from eichi.plan.plan import BEFORE
from eichi.words import say

NARROW = 5  # columns under which a section has no room for its number
# Of an image's positions: what is drawn, a picture that is given, a latent without content, nothing.
DRAWN, GIVEN, EMPTY, NOTHING = "○", "●", "·", "─"

Row = tuple[tuple[int, ...], str, str]  # positions, sign, what it is


def plan_lines(plan: PlanView, width: int, language: str) -> list[str]:
    """Lines no wider than `width`: a summary, the axis where it fits, one line a section in the order of time."""
    sections = sorted(plan.sections, key=lambda section: section.start_frame)
    summary = say("plan.summary", language, **{**vars(plan), "sections": len(sections)})
    lines = [with_whole(summary, plan.whole, language)]
    if len(sections) * NARROW <= width - 2:
        lines += _axis(sections, plan.frames, width)
    if plan.pieces and plan.common:
        lines.append(_fit(say("plan.common", language, prompt=plan.common), width))
    before = BEFORE in plan.sources
    for section in sections:
        values = {
            "number": section.number,
            "start": section.start_frame / 30,
            "end": section.end_frame / 30,
            "order": section.order + 1,
            "anchor": _anchor("before" if before and section.anchor == START else section.anchor, language),
            "padding": section.padding,
            "prompt": _said(plan, section, language),
        }
        id = "plan.connecting" if section.number == CONNECTING else "plan.section"
        lines.append(_fit(say(id, language, **values), width))
    return lines


def _said(plan: PlanView, section: SectionView, language: str) -> str:
    """What a section is drawn from in words: a piece without the common prompt, and what it is blended with."""
    short = {piece.prompt: piece.text for piece in plan.pieces if piece.text}
    prompt = short.get(section.prompt, section.prompt)
    if section.earlier is None:
        return prompt
    earlier = short.get(section.earlier, section.earlier)
    return say("plan.blended", language, prompt=prompt, earlier=earlier, share=round(100 * section.share))


def _anchor(name: str, language: str) -> str:
    """What a section comes from, in words."""
    kind, _, number = name.partition(":")
    return say(f"plan.anchor.{kind}", language, number=number)


def frame_lines(plan: FramePlanView, width: int, language: str) -> list[str]:
    """Lines no wider than `width`: a summary, the axis of positions where it fits, one line for whatever has some."""
    positions, pictures = plan.positions, plan.images
    rows: list[Row] = [(positions.target, DRAWN, say("plan.frame.target", language))]
    for number, picture in enumerate(pictures):
        id = "plan.frame.reference" if number else "plan.frame.start"
        text = say(id, language, number=number, file=picture.image)
        if picture.mask is not None:
            text = say("plan.frame.masked", language, picture=text, mask=picture.mask)
        rows.append(((picture.position,), GIVEN, text))
    zeros = {"post": positions.post, "x2": positions.x2, "x4": positions.x4}
    rows += [(places, EMPTY, say(f"plan.frame.{name}", language)) for name, places in zeros.items() if places]
    lines = [say("plan.frame.summary", language, **{**vars(plan), "target": positions.target[0]})]
    last = max(max(places) for places, _, _ in rows)
    if last < width:
        lines += _places(rows, last, width)
    for places, sign, text in sorted(rows, key=lambda row: row[0][0]):
        span = str(places[0]) if len(places) == 1 else f"{places[0]}-{places[-1]}"
        lines.append(_fit(f"  {sign} {span}: {text}", width))
    return lines


def _places(rows: list[Row], last: int, width: int) -> list[str]:
    """Signs at their positions, what is drawn over what is given over what is empty; the indices below."""
    step = (width - len(str(last))) / max(last, 1)
    line = [NOTHING] * (round(last * step) + 1)
    ruler = ""
    for places, sign, _ in reversed(rows):
        for place in places:
            line[round(place * step)] = sign
    for index in sorted({places[0] for places, _, _ in rows} | {last}):
        at = round(index * step)
        if not ruler or len(ruler) < at:
            ruler = ruler.ljust(at) + str(index)
    return ["".join(line), ruler]


def _axis(sections: Sequence[SectionView], frames: int, width: int) -> list[str]:
    """Section numbers between the boundaries, and the seconds of the boundaries below."""
    edges = [round(section.start_frame / frames * (width - 1)) for section in sections] + [width - 1]
    bar, ruler = "", ""
    for i, section in enumerate(sections):
        room = edges[i + 1] - edges[i] - 1
        bar += "│" + str(section.number).center(room)
        time = f"{section.start_frame / 30:.1f}"
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

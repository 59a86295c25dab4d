"""The sections of a video on one time axis, as HTML: where they begin and end, what they come from, what was made.

Drawn from a `PlanView`, the values that `eichi plan` prints, so what is shown is what is planned. One string for
any number of sections: few are cards, many are bars, and a click names the section's number. Everything that people
wrote is escaped. Knows no component.
"""

from collections.abc import Mapping
from html import escape

from eichi.jobs.view import PlanView, SectionView
from eichi.plan.keyframes import BLUE, CONNECTING, FINAL, RED, START, section_image
from eichi.plan.timeline import FPS, FRAMES_PER_LATENT
from eichi.web.i18n import Words

END = -2  # what a click on the picture of the end says instead of a section's number
CARDS, BARS = 8, 30  # sections up to which there is room for cards, and for their numbers


def render_timeline(
    plan: PlanView, words: Words, pictures: Mapping[str, str], copies: bool = False, chosen: int | None = None
) -> str:
    """The axis of a plan; `pictures` are addresses by the plan's names of images, `chosen` the section being edited."""
    sections = sorted(plan.sections, key=lambda section: section.start_frame)
    size = "cards" if len(sections) <= CARDS else "bars" if len(sections) <= BARS else "lines"
    drawn = "".join(_section(section, plan, words, pictures, copies, chosen) for section in sections)
    end = "" if plan.direction == "forward" else _end(words, pictures, chosen)
    return f'<div class="axis {size}">{drawn}{end}</div>{_ruler(plan, words, pictures)}'


def _end(words: Words, pictures: Mapping[str, str], chosen: int | None) -> str:
    """The picture that the video ends with, behind the last section."""
    name = escape(words("label.keyframes.final"))
    mark = " chosen" if chosen == END else ""
    return (
        f'<button type="button" class="section end{mark}" data-section="{END}" title="{name}" aria-label="{name}">'
        f'<span class="head"><b>{name}</b></span>{_thumb(pictures.get(FINAL))}</button>'
    )


def _section(
    section: SectionView,
    plan: PlanView,
    words: Words,
    pictures: Mapping[str, str],
    copies: bool,
    chosen: int | None,
) -> str:
    """One section: a button as wide as its share of the time."""
    number = section.number
    start, end = section.start_frame / FPS, section.end_frame / FPS
    own = section_image(number) in plan.images
    marks = ["section"]
    if copies and number in (RED, BLUE):
        marks.append("red" if number == RED else "blue")
    elif copies and number != CONNECTING and section.anchor in (section_image(RED), section_image(BLUE)):
        marks.append("from-red" if section.anchor == section_image(RED) else "from-blue")
    marks += ["own"] if own else []
    marks += ["chosen"] if number == chosen else []
    title = words("timeline.section", number=number) if number != CONNECTING else words("timeline.connecting")
    times = words("timeline.times", start=start, end=end)
    source = _source(section, own, words)
    share = section.end_frame - section.start_frame
    hint = " · ".join(filter(None, [title, times, source, section.prompt]))
    return (
        f'<button type="button" class="{" ".join(marks)}" style="flex-grow:{share}"'
        f' data-section="{number}" data-order="{section.order}" title="{escape(hint)}" aria-label="{escape(hint)}">'
        f'<span class="head"><b>{number if number != CONNECTING else "↻"}</b><i>{section.order + 1}</i></span>'
        f"{_thumb(pictures.get(section.anchor))}"
        f'<span class="times">{escape(times)}</span><span class="from">{escape(source)}</span>'
        f'<span class="said">{escape(section.prompt)}</span></button>'
    )


def _source(section: SectionView, own: bool, words: Words) -> str:
    """What a section comes from, in words."""
    anchor = section.anchor
    if own:
        text = words("timeline.own")
    elif anchor == START:
        text = words("timeline.start")
    elif anchor.startswith("section:"):
        text = words("timeline.copied", number=anchor.removeprefix("section:"))
    else:
        text = words("timeline.end")
    window = round((section.end_frame - section.start_frame) / FRAMES_PER_LATENT)
    padding = words("timeline.padding", padding=f"{round(section.padding / window, 1):g}")
    return f"{text} · {padding}" if section.padding else text


def _thumb(address: str | None) -> str:
    return (
        '<span class="thumb none"></span>' if address is None else f'<img class="thumb" alt="" src="{escape(address)}">'
    )


def _ruler(plan: PlanView, words: Words, pictures: Mapping[str, str]) -> str:
    """Seconds below the axis, and the pictures at both ends."""
    whole = plan.frames / FPS
    step = next(step for step in (0.5, 1, 2, 5, 10, 20) if whole / step <= 12)
    ticks = "".join(
        f'<i style="left:{100 * step * i / whole:.3f}%">{step * i:g}</i>' for i in range(int(whole / step + 0.001) + 1)
    )
    left = f"<span>▲ {escape(words('label.image'))}</span>" if START in plan.images else "<span></span>"
    return f'<div class="ruler">{ticks}</div><div class="ends">{left}</div>'

"""The guidance of the document over HTTP, in the visitor's language, with the values that a page can offer."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.exceptions import HTTPException

from eichi.declare import walk
from eichi.jobs.view import View
from eichi.library import advice
from eichi.options import VideoOptions
from eichi.web.api.operations import operations
from eichi.web.i18n import Words
from eichi.web.visitor import Language

ALL = "all"


class ParagraphView(View):
    """A text."""

    kind: Literal["paragraph"] = "paragraph"
    text: str


class PointsView(View):
    """A list of texts."""

    kind: Literal["points"] = "points"
    texts: tuple[str, ...]


class ExampleView(View):
    """A prompt, what it is an example of, and the name of the built-in preset with its text, if there is one."""

    kind: Literal["example"] = "example"
    title: str
    text: str
    preset: str | None


class RangeView(View):
    """Values of an option that are recommended: the range as text, and one of it that the option takes, to offer."""

    key: str
    text: str
    value: float | None


class RowView(View):
    """A case, what comes of it, and values for each option of the table."""

    case: str
    effect: str
    values: tuple[RangeView, ...]


class TableView(View):
    """Recommended values; `labels` are the names of the options, in the order of each row's values."""

    kind: Literal["table"] = "table"
    title: str
    labels: tuple[str, ...]
    rows: tuple[RowView, ...]


BlockView = Annotated[ParagraphView | PointsView | ExampleView | TableView, Field(discriminator="kind")]


class AdviceView(View):
    """A heading with what stands under it."""

    title: str
    blocks: tuple[BlockView, ...]


class Advice(View):
    """The guidance that is needed at a place."""

    sections: tuple[AdviceView, ...]


def routes() -> APIRouter:
    router = operations("library")

    @router.get("/advice/{place}")
    def list_advice(place: str, language: Language) -> Advice:
        """The guidance of a place: prompt, section, model, a group of options, or all of it."""
        places = {section.place for section in advice.ADVICE}
        if place not in places | {ALL}:
            raise HTTPException(404)
        words = Words(language)
        return Advice(sections=tuple(_section(one, words) for one in advice.at(*(places if place == ALL else {place}))))

    return router


def _section(section: advice.AdviceSection, words: Words) -> AdviceView:
    return AdviceView(title=words(section.id), blocks=tuple(_block(block, words) for block in section.blocks))


def _block(block: advice.Block, words: Words) -> ParagraphView | PointsView | ExampleView | TableView:
    match block:
        case advice.Paragraph():
            return ParagraphView(text=words(block.id))
        case advice.Points():
            return PointsView(texts=tuple(map(words, block.ids)))
        case advice.Example():
            return ExampleView(title=words(block.id), text=block.text, preset=block.preset)
        case advice.Table():
            steps = {field.key: field.step for field in walk(VideoOptions)}
            labels = {field.key: words(field.label) for field in walk(VideoOptions)}
            rows = tuple(_row(row, block.options, steps, words) for row in block.rows)
            return TableView(title=words(block.id), labels=tuple(labels[key] for key in block.options), rows=rows)


def _row(row: advice.Row, keys: tuple[str, ...], steps: dict[str, float], words: Words) -> RowView:
    values = tuple(
        RangeView(key=key, text=advice.shown(span, words.language), value=middle(span, steps[key]))
        for key, span in zip(keys, row.ranges, strict=True)
    )
    return RowView(case=words(row.case), effect=words(row.effect), values=values)


def middle(span: tuple[float, float] | None, step: float) -> float | None:
    """A value in the middle of a range that an option of that step takes; None where there is no range."""
    if span is None:
        return None
    low, high = span
    return round(round((low + high) / 2 / step) * step, 6)

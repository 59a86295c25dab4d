"""The guidance of FramePack-eichi's document, by the ids of its words: what a page shows.

Sections hold paragraphs, points, examples and tables. Values in tables are numbers, so that a page can offer them;
an example is a prompt, which the models read in English. The words are in `locales/`.
"""

from dataclasses import dataclass

from eichi.library.prompts import BUILT_IN
from eichi.words import table


@dataclass(frozen=True)
class Paragraph:
    id: str


@dataclass(frozen=True)
class Points:
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """A prompt and what it is an example of; `preset` is the built-in preset with its text."""

    id: str
    text: str
    preset: str | None = None


@dataclass(frozen=True)
class Row:
    """A case, what comes of it, and the range of values for each option of the table; None where one has none."""

    case: str
    effect: str
    ranges: tuple[tuple[float, float] | None, ...]


@dataclass(frozen=True)
class Table:
    """Recommended values. `options` are the dotted keys that the ranges of each row are for."""

    id: str
    options: tuple[str, ...]
    rows: tuple[Row, ...]


Block = Paragraph | Points | Example | Table


@dataclass(frozen=True)
class AdviceSection:
    """A heading with what stands under it; `place` is where in the program it is needed."""

    id: str
    place: str
    blocks: tuple[Block, ...]


FINAL, PADDING = "keyframes.final_strength", "sampling.padding"

PROMPTS = AdviceSection(
    "advice.prompt",
    "prompt",
    (
        Paragraph("advice.prompt.order"),
        Example("advice.prompt.basic", BUILT_IN["preset.basic"], "preset.basic"),
        Points(("advice.prompt.none", "advice.prompt.simple", "advice.prompt.concrete", "advice.prompt.careful")),
        Example("advice.prompt.calm", BUILT_IN["preset.calm"], "preset.calm"),
        Example("advice.prompt.medium", BUILT_IN["preset.medium"], "preset.medium"),
        Example("advice.prompt.complex", BUILT_IN["preset.complex"], "preset.complex"),
    ),
)

PARTS = AdviceSection(
    "advice.parts",
    "prompt",
    (
        Paragraph("advice.parts.two"),
        Points(("advice.parts.llama", "advice.parts.clip")),
        Paragraph("advice.parts.visual"),
        Example(
            "advice.parts.visual_example",
            "A young woman with long flowing hair, cinematic lighting, detailed facial features, soft expressions, "
            "gentle movements",
        ),
        Paragraph("advice.parts.story"),
        Example(
            "advice.parts.story_example",
            "The camera slowly pans from left to right. The woman gradually turns her head, her expressions changing "
            "from neutral to a slight smile. There is a sense of emotional buildup as if emotional music is playing "
            "in the background.",
            "preset.story",
        ),
    ),
)

PIECES = AdviceSection(
    "advice.pieces",
    "prompt",
    (
        Paragraph("advice.pieces.what"),
        Example(
            "advice.pieces.example",
            "A girl in a garden. [0s: She stands still.] [2s: She walks to the left.] [75%: She waves.] Soft light.",
        ),
        Points(("advice.pieces.open", "advice.pieces.middle", "advice.pieces.plain")),
        Example("advice.pieces.wild", "A {red|green|blue} ball and a __animal__ on a lawn."),
    ),
)

SECTIONS = AdviceSection(
    "advice.sections",
    "section",
    (Points(("advice.sections.short", "advice.sections.clear", "advice.sections.example", "advice.sections.subtle")),),
)

PICTURES = AdviceSection(
    "advice.pictures",
    "keyframes",
    (
        Points(("advice.pictures.small", "advice.pictures.large", "advice.pictures.ideal")),
        Points(
            (
                "advice.pictures.mirror",
                "advice.pictures.pose",
                "advice.pictures.background",
                "advice.pictures.variations",
            )
        ),
        Points(
            (
                "advice.pictures.same",
                "advice.pictures.face",
                "advice.pictures.hands",
                "advice.pictures.head",
            )
        ),
        Paragraph("advice.pictures.try"),
        Paragraph("advice.pictures.generate"),
    ),
)

KEYS = AdviceSection(
    "advice.keys",
    "keyframes",
    (
        Points(("advice.keys.order", "advice.keys.between", "advice.keys.first")),
        Points(("advice.keys.all", "advice.keys.copies", "advice.keys.difference")),
    ),
)

LOOPS = AdviceSection(
    "advice.loops",
    "keyframes",
    (
        Points(("advice.loops.pose", "advice.loops.seamless", "advice.loops.length")),
        Points(("advice.loops.limits", "advice.loops.other")),
    ),
)

TIME = AdviceSection("advice.time", "motion", (Points(("advice.time.short", "advice.time.half")),))

SAMPLING = AdviceSection(
    "advice.sampling",
    "sampling",
    (
        Points(
            (
                "advice.sampling.steps",
                "advice.sampling.cache",
                "advice.sampling.guidance",
                "advice.sampling.seed",
            )
        ),
    ),
)

OUTPUT = AdviceSection(
    "advice.output",
    "output",
    (Points(("advice.output.crf", "advice.output.black", "advice.output.stills", "advice.output.latents")),),
)

WEIGHTS = AdviceSection(
    "advice.weights",
    "weights",
    (
        Points(("advice.weights.strength", "advice.weights.prompt", "advice.weights.wait")),
        Points(("advice.weights.fp8", "advice.weights.resident")),
    ),
)

MOTION = AdviceSection(
    "advice.motion",
    "motion",
    (
        Paragraph("advice.motion.final"),
        Paragraph("advice.motion.padding"),
        Points(("advice.motion.share", "advice.motion.last")),
        Table(
            "advice.final",
            (FINAL,),
            (
                Row("advice.final.large", "advice.final.large_effect", ((0.3, 0.6),)),
                Row("advice.final.medium", "advice.final.medium_effect", ((0.5, 0.8),)),
                Row("advice.final.small", "advice.final.small_effect", ((0.8, 1.0),)),
                Row("advice.final.face", "advice.final.face_effect", ((0.7, 0.8),)),
                Row("advice.final.body", "advice.final.body_effect", ((0.3, 0.5),)),
            ),
        ),
        Table(
            "advice.padding",
            (PADDING,),
            (
                Row("advice.padding.smooth", "advice.padding.smooth_effect", ((1.5, 2.0),)),
                Row("advice.padding.plain", "advice.padding.plain_effect", ((1.0, 1.0),)),
                Row("advice.padding.active", "advice.padding.active_effect", ((0.5, 0.7),)),
                Row("advice.padding.extreme", "advice.padding.extreme_effect", ((0.2, 0.4),)),
            ),
        ),
        Table(
            "advice.both",
            (FINAL, PADDING),
            (
                Row("advice.both.dynamic", "advice.both.dynamic_effect", ((0.5, 0.5), (0.5, 0.5))),
                Row("advice.both.short", "advice.both.short_effect", ((0.3, 0.3), None)),
                Row("advice.both.long", "advice.both.long_effect", ((0.8, 0.8), None)),
                Row("advice.both.reverse", "advice.both.reverse_effect", ((0.01, 0.1), None)),
                Row("advice.both.seams", "advice.both.seams_effect", ((0.5, 0.5), (2.0, 3.0))),
            ),
        ),
    ),
)

MODELS = AdviceSection(
    "advice.models",
    "model",
    (
        Paragraph("advice.models.standard"),
        Points(
            (
                "advice.models.standard_way",
                "advice.models.standard_many",
                "advice.models.standard_keys",
                "advice.models.standard_who",
            )
        ),
        Paragraph("advice.models.forward"),
        Points(
            (
                "advice.models.forward_way",
                "advice.models.forward_simple",
                "advice.models.forward_motion",
                "advice.models.forward_who",
            )
        ),
        Paragraph("advice.models.strength"),
        Paragraph("advice.models.prompt"),
        Example("advice.models.example", BUILT_IN["preset.forward"], "preset.forward"),
    ),
)

ADVICE = (PROMPTS, PARTS, PIECES, SECTIONS, KEYS, PICTURES, LOOPS, TIME, MOTION, SAMPLING, OUTPUT, WEIGHTS, MODELS)


def at(*places: str) -> tuple[AdviceSection, ...]:
    """The sections that are needed at places: prompt, section, model, or where a group of options stands."""
    return tuple(section for section in ADVICE if section.place in places)


def shown(span: tuple[float, float] | None, language: str) -> str:
    """A range of values as text: one number where both ends are the same."""
    if span is None:
        return "–"
    low, high = (f"{value:.2f}" if value < 0.1 else f"{value:.1f}" for value in span)
    text = low if low == high else f"{low}–{high}"
    return text.replace(".", table(language)["number.point"])

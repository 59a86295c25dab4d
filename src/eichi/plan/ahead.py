"""What of a video that is begun can still be changed: the prompts and pictures of sections that are not made yet.

The sections made first stay as they are, so what they were made with is written down as their own: a section's own
prompt where the common one changes, a picture on the last one made where pictures above it change. The request then
says of every section what it was made with, and is the one that a user could have given from the beginning; so is
the video. Everything else is settled once a section is made.

Pure: no tensors, no files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eichi.declare import OptionField, Plain, at, walk
from eichi.errors import OptionError
from eichi.options import VideoOptions
from eichi.plan import keyframes
from eichi.plan.plan import Plan, SectionPlan, make_plan, sections_of

PROMPT, PICTURES, WRITTEN = "prompt", "keyframes.sections", "written"
PROMPTS = "keyframes.prompts"
# The options that can be changed: the common prompt, how it was written, and what sections have of their own.
AHEAD = (PROMPT, WRITTEN, *(field.key for field in walk(VideoOptions) if field.numbered))


def same_ahead(one: VideoOptions, other: VideoOptions) -> bool:
    """Whether two requests say the same of what can be changed."""
    return _asked(one) == _asked(other)


def same_past(one: Plan, other: Plan, made: int) -> bool:
    """Whether the first `made` sections have the same prompts and pictures in two plans of one video."""
    pairs = zip(_numbered(one, made), _numbered(other, made), strict=True)
    return all(_said(a) == _said(b) and _picture(one, a) == _picture(other, b) for a, b in pairs)


def check_settled(asked: VideoOptions, wished: VideoOptions) -> None:
    """Refuse a change of what cannot be changed any more. Raises OptionError."""
    for field in walk(VideoOptions):
        before, now = field.of(asked), field.of(wished)
        if field.key not in AHEAD and before != now and not _left_open(field, now):
            raise OptionError("error.ahead.settled", key=field.key, option=field.label, value=field.tell(before))


def check_made(before: Plan, wished: VideoOptions, made: int) -> None:
    """Refuse another prompt or picture for one of the first `made` sections, by its number. Raises OptionError."""
    for number, key in overtaken(before, wished, made):
        raise OptionError("error.ahead.made", key=f"{key}.{number}", number=number)


def overtaken(before: Plan, wished: VideoOptions, made: int) -> Iterator[tuple[int, str]]:
    """The sections among the first `made` that are wished otherwise than they were made, with the option's key."""
    for section in _numbered(before, made):
        prompt = wished.keyframes.prompts.get(section.number, "")
        if prompt.strip() and prompt != section.prompt:
            yield section.number, PROMPTS
        picture = wished.keyframes.sections.get(section.number)
        if picture is not None and picture != _picture(before, section):
            yield section.number, PICTURES


def plan_ahead(before: Plan, wished: VideoOptions, made: int) -> Plan:
    """The plan with the wished prompts and pictures from section number `made` in the order of generation on.

    Raises OptionError for what cannot be.
    """
    values = with_past(before, wished, made)
    plain = before.options.dump() | {PROMPT: values[PROMPT], WRITTEN: wished.written.dump()}
    plain["keyframes"] = {**plain["keyframes"], **values["keyframes"]}
    # Its pictures have their size, and a fitted picture's own size is the nearest.
    plan = make_plan(VideoOptions.parse(plain), before.entry, (before.width, before.height))
    return replace(plan, kept=before.kept)


def with_past(before: Plan, wished: VideoOptions, made: int) -> Plain:
    """The prompts and pictures of a request that keeps the first `made` sections of a plan as they were made, and
    has what is wished for the rest: nested values. Raises OptionError where the two cannot be said in one request.
    """
    past = {section.number: section for section in _numbered(before, made)}
    prompt, prompts = _prompts(before, wished, past)
    made_of = wished.keyframes.model_copy(update={"prompts": prompts})
    for section in sections_of(wished.model_copy(update={PROMPT: prompt, "keyframes": made_of}), before.entry):
        if section.number in past and _said(section) != _said(past[section.number]):
            raise OptionError("error.ahead.blend", key=PROMPT, number=section.number)
    return {PROMPT: prompt, "keyframes": {"prompts": prompts, "sections": _pictures(before, wished, past)}}


def _prompts(before: Plan, wished: VideoOptions, past: dict[int, SectionPlan]) -> tuple[str, dict[int, str]]:
    """The common prompt and those of sections."""
    keys = wished.keyframes.model_copy(update={"prompts": {}})
    common = {
        one.number: one.prompt for one in sections_of(wished.model_copy(update={"keyframes": keys}), before.entry)
    }
    own = before.options.keyframes.prompts
    prompts = {number: text for number, text in wished.keyframes.prompts.items() if number not in past}
    silent = False
    for number, section in past.items():
        if own.get(number, "").strip():
            prompts[number] = own[number]
        elif section.prompt != common.get(number):
            prompts[number] = section.prompt
            silent |= not section.prompt.strip()
    if not silent:
        return wished.prompt, dict(sorted(prompts.items()))
    # That a section has no prompt cannot be said beside a common one, so the others get theirs one by one.
    if any(section.number == keyframes.CONNECTING for section in before.sections):
        raise OptionError("error.ahead.silent", key=PROMPT)
    for section in before.sections:
        if section.number not in past and not prompts.get(section.number, "").strip():
            prompts[section.number] = common[section.number]
    spoken = {number: text for number, text in prompts.items() if text.strip()}
    return before.options.prompt, dict(sorted(spoken.items()))


def _pictures(before: Plan, wished: VideoOptions, past: dict[int, SectionPlan]) -> dict[int, str]:
    """The pictures on sections."""
    if before.entry.direction == "forward":  # it has none
        return {number: str(path) for number, path in wished.keyframes.sections.items()}
    own, asked = before.options.keyframes.sections, wished.keyframes.sections
    meant = {number: path for number, path in asked.items() if number not in past}
    meant |= {number: path for number, path in own.items() if number in past}
    table = dict(meant)
    # A picture anchors the sections below it, too, so that one on the highest made is mostly enough.
    for number in sorted(past, reverse=True):
        if _anchor(before, wished, table, number) != (had := _picture(before, past[number])):
            table[number] = had
    rest = [section.number for section in before.sections if section.number not in past and section.number >= 0]
    for number in rest:
        if _anchor(before, wished, table, number) != _anchor(before, wished, meant, number):
            raise OptionError("error.ahead.copies", key=PICTURES, number=number)
    return {number: str(path) for number, path in sorted(table.items())}


def _anchor(before: Plan, wished: VideoOptions, table: Mapping[int, Path], number: int) -> Path | None:
    """The picture that a section would come from."""
    carried = keyframes.spread(table, len(before.sections), wished.keyframes.copies)
    name = keyframes.anchor(number, carried)
    return wished.begin if name == keyframes.START else table[int(name.partition(":")[2])]


def _picture(plan: Plan, section: SectionPlan) -> Path:
    """The picture that a section comes from."""
    return plan.images[section.anchor]


def _said(section: SectionPlan) -> tuple[str, str | None, float]:
    """What a section is drawn from, of words."""
    return section.prompt, section.earlier, section.share


def _numbered(plan: Plan, made: int) -> Iterator[SectionPlan]:
    """The first sections of a plan that have prompts and pictures of their own."""
    return (section for section in plan.sections[:made] if section.number != keyframes.CONNECTING)


def _asked(options: VideoOptions) -> list[Any]:
    return [at(options, key) for key in AHEAD]


def _left_open(field: OptionField, value: Any) -> bool:
    """Whether an option is left to what it was settled to."""
    return value is None and field.key in ("seed", "resolution")

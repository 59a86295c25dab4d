"""A request becomes a plan: what is shown before the start, printed by `eichi plan`, and run, to the letter.

Pure: no tensors, no files. What cannot be done is refused here, in a sentence that says what to change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from eichi.catalog import Entry
from eichi.declare import walk
from eichi.errors import OptionError
from eichi.events import Adjusted, Whole
from eichi.options import MADE, VideoOptions, quality
from eichi.plan import keyframes
from eichi.plan.continued import Shape, kept_sections
from eichi.plan.layout import CLEAN, Layout, forward_layout, reverse_layout
from eichi.plan.memory import Need
from eichi.plan.prompts import Span, holds, read_script, shares
from eichi.plan.request import Resolved, request_notes, settle, size_notes, texts_read
from eichi.plan.timeline import (
    FPS,
    WINDOWS,
    frame_count,
    frame_span,
    latent_count,
    padding_latents,
    real_seconds,
    section_count,
)
from eichi.text import shorten

BEFORE, AFTER = "before", "after"  # where a video stands that another part is made for
SOUND = "sound"


@dataclass(frozen=True)
class SectionPlan:
    """One section: latents [first, first + window) of the video, frames [start_frame, end_frame).

    `number` is the user's (from the end of the video for the standard model, from its start for F1; -1 connects a
    seamless loop), `order` the place in generation. `anchor` names the image at position 0; `padding` is in latents.
    `meets` is how closely, 0-1, the section's end is joined to the start picture: in a loop, the last one in time.
    `prompt` is what it is drawn from, `piece` the place of the piece of the common prompt that is in it, if one is;
    after a change of prompt it has but a `share` of it, and the rest of the `earlier` one.
    """

    number: int
    order: int
    padding: int
    first: int
    start_frame: int
    end_frame: int
    prompt: str
    anchor: str
    layout: Layout
    meets: float = 0.0
    piece: int | None = None
    earlier: str | None = None
    share: float = 1.0

    @property
    def middle(self) -> Fraction:
        """The second of the video that decides on its prompt."""
        return Fraction(self.start_frame + self.end_frame, 2 * FPS)


@dataclass(frozen=True)
class Plan(Resolved[VideoOptions]):
    """A resolved request for a video. `images` are the pictures it needs, by name; the start picture is the last frame
    of a video that is continued, and its file is that video's.

    `sections` are in the order of generation; the first `kept` of them are taken over as they were made before. `whole`
    is the video with those around it, once they were looked at.
    """

    window: int
    sections: tuple[SectionPlan, ...]
    kept: int
    images: dict[str, Path]
    whole: Whole | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every picture that is needed, without one that is made and those that videos give."""
        given = self.sources.values()
        return tuple(path for path in self.images.values() if path not in given and not path.name.startswith(MADE))

    @property
    def made(self) -> bool:
        """Whether the start picture is made, so that it shows nothing."""
        return self.images[keyframes.START].name.startswith(MADE)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that the encoders read, once."""
        prompts = [section.prompt for section in self.sections]
        prompts += [section.earlier for section in self.sections if section.earlier is not None]
        return texts_read(prompts, self.options, self.options.sampling)

    @property
    def sources(self) -> dict[str, Path]:
        """The videos that it is made for, by where they stand: `before` it, `after` it."""
        return sources(self.options)

    @property
    def around(self) -> dict[str, Path]:
        """The same, and the file whose sound the new part has."""
        sound = self.options.source.sound
        return self.sources if sound is None else self.sources | {SOUND: sound}

    @property
    def common(self) -> str:
        """The common prompt without its pieces."""
        return read_script(self.options.prompt).common

    @property
    def pieces(self) -> tuple[Span, ...]:
        """The pieces of the common prompt in the seconds of the video."""
        return _spans(self.options, self.sections)

    @property
    def latents(self) -> int:
        """Latents of the whole video; where one is continued, the first is that one's last."""
        return latent_count(self.window, len(self.sections))

    @property
    def frames(self) -> int:
        """Frames that are made."""
        return frame_count(self.latents) - 1 + own_frames(self.options)

    @property
    def need(self) -> Need:
        """Its size for the plan of memory and time."""
        clean = len(self.sections[0].layout.start) + len(self.sections[0].layout.clean)
        todo = max(1, len(self.sections) - self.kept)
        return Need(self.height, self.width, self.window, clean=clean, sections=todo)

    @property
    def seconds(self) -> float:
        return real_seconds(self.frames)


def make_plan(options: VideoOptions, entry: Entry, picture: tuple[int, int], before: Shape | None = None) -> Plan:
    """Resolve a request for a model and a start picture of (width, height) pixels. Raises OptionError.

    `before` is the shape of the latents that the request goes on from.
    """
    start = options.begin
    if start is None:
        raise OptionError("error.image.required", flag="--image")
    _check_direction(options, entry)
    _check_together(options)
    settled, seed, height, width = settle(options, entry, picture)
    window = WINDOWS[options.section_size]
    count = count_sections(options)
    keyframes.check_numbers("keyframes.sections", options.keyframes.sections, count - _connecting(options))
    prompts = [number for number, prompt in options.keyframes.prompts.items() if prompt.strip()]
    keyframes.check_numbers("keyframes.prompts", prompts, count - _connecting(options))
    asked = options.kept.sections
    kept = kept_sections(asked, before, window, (height, width), count) if before is not None else 0
    images = {keyframes.START: start}
    final = _final(options)
    if final is not None:
        images[keyframes.FINAL] = final
    images |= {keyframes.section_image(k): path for k, path in sorted(options.keyframes.sections.items())}
    sections = _spoken(options, _sections(options, entry, window, count))
    return Plan(
        options=settled,
        entry=entry,
        seed=seed,
        height=height,
        width=width,
        window=window,
        sections=sections,
        kept=kept,
        images=images,
        notes=(
            *_notes(options, real_seconds(frame_count(latent_count(window, count)) - 1 + own_frames(options))),
            *size_notes(options, entry, options.sampling),
            *_piece_notes(options, sections),
        ),
    )


def sources(options: VideoOptions) -> dict[str, Path]:
    """The videos that a request is made for, by where they stand."""
    given = {BEFORE: options.source.before, AFTER: options.source.after}
    return {name: path for name, path in given.items() if path is not None}


def own_frames(options: VideoOptions) -> int:
    """The frames that belong to no section: the start picture's one, none where a video is continued."""
    return 1 if options.source.before is None else 0


def count_sections(options: VideoOptions) -> int:
    """How many sections the video of a request has."""
    count = section_count(options.seconds, WINDOWS[options.section_size], own_frames(options))
    # A seamless loop has one to make and one to connect.
    return max(count, 2) if options.keyframes.loop == "seamless" else count


def sections_of(options: VideoOptions, entry: Entry) -> tuple[SectionPlan, ...]:
    """The sections of a request, whatever else is wrong with it, in the order of generation. Raises OptionError for a
    prompt whose pieces cannot be read.
    """
    window = WINDOWS[options.section_size]
    return _spoken(options, _sections(options, entry, window, count_sections(options)))


def _sections(options: VideoOptions, entry: Entry, window: int, count: int) -> tuple[SectionPlan, ...]:
    """All sections in generation order, without what is said in them."""
    if _connecting(options):
        body = _sections(_open(options), entry, window, count - 1)
        first = 1 + (count - 1) * window
        layout = reverse_layout(window, 0)
        span = frame_span(first, first + window)
        last = SectionPlan(keyframes.CONNECTING, count - 1, 0, first, *span, "", keyframes.END, layout, 1.0)
        return (*body, last)
    reverse = entry.direction == "reverse"
    pads = padding_latents(count, window, options.sampling.padding) if reverse else (0,) * count
    keys = options.keyframes
    carried = keyframes.spread(keys.sections, count, keys.copies)
    returns = keys.loop == "final" and _final(options) == options.begin
    made = []
    for order, padding in enumerate(pads):
        place = count - 1 - order if reverse else order
        first = 1 + place * window
        # The start image's own frame belongs to the section that follows it; that of a video before is not made again.
        own = own_frames(options)
        start, end = (frame - 1 + own for frame in frame_span(first - own if place == 0 else first, first + window))
        made.append(
            SectionPlan(
                number=order,
                order=order,
                padding=padding,
                first=first,
                start_frame=start,
                end_frame=end,
                prompt="",
                anchor=keyframes.anchor(order, carried),
                layout=reverse_layout(window, padding) if reverse else forward_layout(window, _context(options)),
                meets=keys.final_strength if returns and order == 0 else 0.0,
            )
        )
    return tuple(made)


def _context(options: VideoOptions) -> int:
    """How many latents of the past F1 sees at full resolution: as it was trained, where no video is continued."""
    return CLEAN if options.source.before is None else options.source.context


def _connecting(options: VideoOptions) -> int:
    """How many sections connect the end of the video to its start."""
    return 1 if options.keyframes.loop == "seamless" else 0


def _open(options: VideoOptions) -> VideoOptions:
    """The same request without the loop."""
    return options.model_copy(update={"keyframes": options.keyframes.model_copy(update={"loop": "off"})})


def _final(options: VideoOptions) -> Path | None:
    """The picture that the video ends on: the one given, the start picture in a loop, or none."""
    if options.keyframes.final is None and options.keyframes.loop == "final":
        return options.begin
    return options.keyframes.final


def _spoken(options: VideoOptions, sections: Sequence[SectionPlan]) -> tuple[SectionPlan, ...]:
    """Sections with their prompts: their own ones, else the common one with the piece at their middle, each blended
    with the one before it where that is asked for. A blank prompt of its own does not count.
    """
    spans, common = _spans(options, sections), read_script(options.prompt).common
    in_time = sorted(sections, key=lambda section: section.first)
    said: list[tuple[str, int | None]] = []
    for section in in_time:
        own = options.keyframes.prompts.get(section.number, "")
        piece = holds(spans, section.middle)
        said.append((own, None) if own.strip() else (common if piece is None else spans[piece].prompt, piece))
    blended = shares([prompt for prompt, _ in said], options.keyframes.blend)
    told = {}
    for section, (prompt, piece), mixed in zip(in_time, said, blended, strict=True):
        earlier, share = mixed or (None, 1.0)
        told[section.order] = replace(section, prompt=prompt, piece=piece, earlier=earlier, share=share)
    return tuple(told[section.order] for section in sections)


def _spans(options: VideoOptions, sections: Sequence[SectionPlan]) -> tuple[Span, ...]:
    """The pieces of the common prompt in the video of these sections."""
    frames = max(section.end_frame for section in sections)
    return read_script(options.prompt).spans(Fraction(frames, FPS))


def _check_direction(options: VideoOptions, entry: Entry) -> None:
    """No control is silently ignored: one that the model's direction cannot use is refused."""
    for field in walk(type(options)):
        if field.only not in (None, entry.direction) and field.of(options) != field.info.default:
            raise OptionError(f"error.direction.{entry.direction}", key=field.key, model=entry.name)


def _check_together(options: VideoOptions) -> None:
    """Nor is one that needs another one, or that another one makes useless."""
    if options.kept.latents is None and options.kept.sections is not None:
        raise OptionError("error.kept.nothing", flag="--keep")
    if options.keyframes.final is not None and options.keyframes.loop == "seamless":
        raise OptionError("error.loop.final")
    if sources(options) and options.keyframes.loop != "off":
        raise OptionError("error.source.loop")
    if options.source.after is not None and options.keyframes.final is not None:
        raise OptionError("error.source.final")


def _notes(options: VideoOptions, seconds: float) -> tuple[Adjusted, ...]:
    """What deserves a word before the start."""
    notes = list(request_notes(options))
    if options.source.before is not None and options.image is not None:
        notes.append(Adjusted("note.source.image", {}))
    if options.keyframes.copies and not {keyframes.RED, keyframes.BLUE} & options.keyframes.sections.keys():
        notes.append(Adjusted("note.copies.nothing", {}))
    if _final(options) is None and options.keyframes.final_strength != 1.0:
        notes.append(Adjusted("note.final.strength", {}))
    if options.start != "picture" and options.source.before is not None:
        notes.append(Adjusted("note.start.source", {}))
    elif options.start != "picture" and options.image is not None:
        notes.append(Adjusted("note.start.image", {}))
    if options.output.colour and options.start != "picture" and options.source.before is None:
        notes.append(Adjusted("note.start.colour", {}))
    if options.keyframes.loop == "final" and _final(options) != options.begin:
        notes.append(Adjusted("note.final.loop", {}))
    used = quality(options.output.crf)
    if used != options.output.crf:
        notes.append(Adjusted("note.crf", {"asked": options.output.crf, "used": used}))
    if abs(seconds - options.seconds) >= 0.05:
        notes.append(Adjusted("note.seconds", {"asked": options.seconds, "real": round(seconds, 2)}))
    return tuple(notes)


def _piece_notes(options: VideoOptions, sections: Sequence[SectionPlan]) -> Iterator[Adjusted]:
    """A word on a blend without a change, and on pieces that lie behind the video's end or that no section takes."""
    total = Fraction(max(section.end_frame for section in sections), FPS)
    if options.keyframes.blend and all(section.earlier is None for section in sections):
        yield Adjusted("note.blend.unused", {})
    taken = {section.piece for section in sections}
    for place, span in enumerate(_spans(options, sections)):
        times = {"start": _rounded(span.start), "end": _rounded(span.end), "real": _rounded(total)}
        values = times | {"text": shorten(span.text, 60)}
        if span.start >= total:
            yield Adjusted("note.prompt.late", values)
        elif place not in taken:
            yield Adjusted("note.prompt.unused", values)
        elif span.end > max(total, Fraction(str(options.seconds))):
            yield Adjusted("note.prompt.end", values)


def _rounded(seconds: Fraction) -> float:
    return round(float(seconds), 2)

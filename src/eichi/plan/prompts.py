"""Prompts by time: `[2s: she waves]` in a prompt, and which section of a video gets which words.

    [2s: …]       from 2 s on, until the next piece begins, the last one until the end
    [2s-4s: …]    from 2 s to 4 s
    [25%-50%: …]  the same in shares of the video's real length; a number may have a decimal point or a comma

What stands outside of the brackets is the common prompt; it is put before each piece, and is alone where there is
none. Where pieces overlap, the one that begins later counts, of two that begin together the one that is written later;
when it is over, the other one goes on. A section takes what holds at its middle in the finished video, whatever the
direction it is made in. A section's own prompt is for the plan to put in its place, and has no pieces.

A `[` without a time behind it is text, so that prompts which know nothing of this mean what they meant. One with a time
is text after a backslash or a second `[`; within a piece `\\[` and `\\]` are text, and brackets that are closed again.

Pure, and twenty lines of a scanner instead of a grammar's library: it has one rule, and its errors need columns.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from eichi.errors import OptionError
from eichi.text import WIDE

# Short numbers only: what is longer is no time of a video.
NUMBER = r"(?:\d{1,6}(?:[.,]\d{1,6})?|[.,]\d{1,6})"
UNIT, DASH = "[sS\uff53\uff33%\uff05]", "[-\u2010-\u2015\u2212\uff0d\u301c\uff5e]"  # as Asian keyboards write them, too
TIME = re.compile(rf"\s*({NUMBER})\s*({UNIT})(?![^\W\d_])\s*")
# A piece: the first of two times may leave its unit to the second.
BEGIN = re.compile(rf"\[\s*{NUMBER}\s*(?:{UNIT}|{DASH}\s*{NUMBER}\s*{UNIT})(?![^\W\d_])")
PLAIN = re.compile(rf"[\\\[](?={BEGIN.pattern})")  # what makes a piece's bracket text
SHORT = re.compile(rf"\s*({NUMBER})\s*(?={DASH}\s*{NUMBER}\s*({UNIT}))")
TO, COLON = re.compile(rf"\s*{DASH}"), re.compile("\\s*[:\uff1a]")
WIDE_BRACKETS = str.maketrans("\uff3b\uff3d", "[]")
WHOLE = 100  # per cent
MOST = 200  # pieces, each of which has the common prompt before it: more than any video has sections


@dataclass(frozen=True)
class Moment:
    """A time of a video: in seconds, or a share of its length in per cent."""

    value: Fraction
    share: bool

    def at(self, total: Fraction) -> Fraction:
        """The same in seconds, for a video of so many."""
        return self.value * total / WHOLE if self.share else self.value


@dataclass(frozen=True)
class Piece:
    """A piece as it is written; `end` is None where it is left open, `line` and `column` are where its end stands."""

    start: Moment
    end: Moment | None
    text: str
    line: int
    column: int


@dataclass(frozen=True)
class Span:
    """A piece in the seconds [start, end) of a video, with the common prompt before its text as `prompt`."""

    start: Fraction
    end: Fraction
    text: str
    prompt: str


@dataclass(frozen=True)
class Script:
    """A prompt taken apart."""

    common: str
    pieces: tuple[Piece, ...]

    def spans(self, total: Fraction) -> tuple[Span, ...]:
        """The pieces in a video of so many seconds, as they are written. Raises OptionError for one that ends before it
        begins, which of a time and a share shows only here.
        """
        starts = sorted({piece.start.at(total) for piece in self.pieces})
        found = []
        for piece in self.pieces:
            start = piece.start.at(total)
            after = bisect_right(starts, start)
            later = starts[after] if after < len(starts) else max(total, start)
            end = later if piece.end is None else piece.end.at(total)
            if piece.end is not None and end <= start:
                raise _wrong("reason.prompt.order", piece.line, piece.column)
            found.append(Span(start, end, piece.text, " ".join(filter(None, (self.common, piece.text)))))
        return tuple(found)


def holds(spans: Sequence[Span], second: Fraction) -> int | None:
    """The place of the piece that holds at a second; None where the common prompt is alone."""
    there = [(span.start, place) for place, span in enumerate(spans) if span.start <= second < span.end]
    return max(there)[1] if there else None


def read_script(prompt: str) -> Script:
    """Take a prompt apart; one without pieces is common as it is. Raises OptionError with line and column."""
    typed = prompt.translate(WIDE_BRACKETS)
    prompt = typed if BEGIN.search(typed) else prompt  # columns stay
    between, pieces, at = list[str](), list[Piece](), 0
    while True:
        text, at = _run(prompt, at, within=False)
        between.append(text)
        if at == len(prompt):
            break
        if len(pieces) == MOST:
            raise _wrong("reason.prompt.many", *_place(prompt, at), most=MOST)
        piece, at = _piece(prompt, at)
        pieces.append(piece)
    if not pieces:
        return Script(between[0], ())
    return Script(" ".join(text.strip() for text in between if text.strip()), tuple(pieces))


def shares(prompts: Sequence[str], sections: int) -> list[tuple[str, float] | None]:
    """What each of the prompts of sections in the order of time is blended with: the prompt before the latest change,
    and the later one's share i / (N + 1) in the i-th of N sections after it; None where a prompt is alone.
    """
    found: list[tuple[str, float] | None] = []
    earlier, since = "", sections
    for place, prompt in enumerate(prompts):
        changed = place > 0 and prompts[place - 1] != prompt
        earlier, since = (prompts[place - 1], 1) if changed else (earlier, since + 1)
        blended = since <= sections and place > 0
        found.append((earlier, since / (sections + 1)) if blended else None)
    return found


def _piece(prompt: str, at: int) -> tuple[Piece, int]:
    """The piece that begins here, and where it is over."""
    start, here = _moment(prompt, at + 1)
    end, place = None, at + 1
    if to := TO.match(prompt, here):
        place = to.end()
        end, here = _moment(prompt, place)
    line, column = _place(prompt, place)
    if end is not None and end.share == start.share and end.value <= start.value:
        raise _wrong("reason.prompt.order", line, column)
    colon = COLON.match(prompt, here)
    if colon is None:
        raise _wrong("reason.prompt.colon" if end is not None else "reason.prompt.dash", *_place(prompt, here))
    text, over = _run(prompt, colon.end(), within=True)
    if not prompt.startswith("]", over):
        raise _wrong("reason.prompt.close", *_place(prompt, over))
    return Piece(start, end, text.strip(), line, column), over + 1


def _moment(prompt: str, at: int) -> tuple[Moment, int]:
    """The time that stands here, and where it is over."""
    found = TIME.match(prompt, at) or SHORT.match(prompt, at)
    if found is None:
        raise _wrong("reason.prompt.time", *_place(prompt, at))
    number, unit = found.groups()
    value = Fraction(number.translate(WIDE).replace(",", "."))
    share = unit in ("%", "\uff05")
    if share and value > WHOLE:
        raise _wrong("reason.prompt.share", *_place(prompt, found.start(1)))
    return Moment(value, share), found.end()


def _run(prompt: str, at: int, within: bool) -> tuple[str, int]:
    """The text up to where the next piece begins, the end, or, within a piece, the bracket that closes it."""
    signs, opened = list[str](), list[str]()  # of each bracket that is open what stands before it
    while at < len(prompt):
        sign, then = prompt[at], prompt[at + 1 : at + 2]
        if sign in "\\[" and PLAIN.match(prompt, at):
            signs.append("[")
            opened.append(sign)
            at += 2
        elif sign == "\\" and (then == "]" if opened and opened[-1] == "\\" else within and then in ("[", "]")):
            if then == "]" and opened and opened[-1] == "\\":
                opened.pop()
            signs.append(then)
            at += 2
        elif BEGIN.match(prompt, at) or (sign == "]" and within and not opened):
            break
        elif sign == "]" and opened:
            doubled = opened.pop() == "["
            signs.append("]")
            at += 2 if doubled and then == "]" else 1
        else:
            if sign == "[":
                opened.append("")
            signs.append(sign)
            at += 1
    return "".join(signs), at


def _place(prompt: str, at: int) -> tuple[int, int]:
    """Line and column of a place in a prompt, both from 1."""
    return prompt.count("\n", 0, at) + 1, at - prompt.rfind("\n", 0, at)


def _wrong(reason: str, line: int, column: int, **values: int) -> OptionError:
    return OptionError("error.prompt.pieces", key="prompt", line=line, column=column, reason=reason, **values)

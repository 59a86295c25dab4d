"""H.264's parameter sets, as an MP4 keeps them: several in one track, so that parts of different encoders play in one.

The track's `avcC` (ISO/IEC 14496-15, 5.3.3) lists sequence and picture parameter sets; every slice names the one that
it is coded by. Parts whose sets have different numbers can stand one behind the other without a bit of them changed.
Knows nothing of files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

HEAD = 6  # bytes before the first set: version, profile, compatibility, level, size of lengths, how many
LENGTHS = 0xFF  # four bytes in front of each unit, as every encoder has it
MOST = 31  # the highest number that a sequence parameter set can have, and how many there can be
HIGH = 100  # the profile from which on `avcC` goes on behind its sets
PROFILES = (66, 77, 88, HIGH)  # each can play what those before it can, nearly


@dataclass(frozen=True)
class Sets:
    """What `avcC` says: profile, what it is compatible with, level, the sets, and what comes behind them."""

    profile: int
    compatible: int
    level: int
    sequence: tuple[bytes, ...]
    picture: tuple[bytes, ...]
    rest: bytes

    @property
    def numbers(self) -> set[int]:
        """The numbers of the sets of both kinds."""
        return {_number(one[4:]) for one in self.sequence} | {_number(one[1:]) for one in self.picture}

    def agrees(self, other: "Sets") -> bool:
        """Whether no set of one has the number of another one of the other."""
        pairs = ((self.sequence, other.sequence, 4), (self.picture, other.picture, 1))
        for ours, theirs, at in pairs:
            by_number = {_number(one[at:]): one for one in ours}
            if any(by_number.get(_number(one[at:]), one) != one for one in theirs):
                return False
        return len(set(self.sequence + other.sequence)) <= MOST

    def dump(self) -> bytes:
        """All of it as `avcC` has it."""
        parts = [bytes((1, self.profile, self.compatible, self.level, LENGTHS, 0xE0 | len(self.sequence)))]
        parts += [len(one).to_bytes(2) + one for one in self.sequence]
        parts += [bytes((len(self.picture),)), *(len(one).to_bytes(2) + one for one in self.picture)]
        return b"".join(parts) + self.rest


def read_sets(extra: bytes | None) -> Sets | None:
    """What a track says of its parameter sets; None for what is no `avcC` of eight bits and 4:2:0, or is damaged."""
    if extra is None or len(extra) <= HEAD or extra[0] != 1 or extra[4] | 0xFC != LENGTHS or extra[1] not in PROFILES:
        return None
    try:
        sequence, at = _list(extra, HEAD, extra[HEAD - 1] & MOST)
        picture, at = _list(extra, at + 1, extra[at])
        made = Sets(extra[1], extra[2], extra[3], sequence, picture, extra[at:])
        return made if sequence and picture and made.numbers else None
    except (IndexError, ValueError):
        return None


def together(several: Sequence[Sets]) -> Sets:
    """One for all of several that agree: what can play it can play each."""
    highest = max(several, key=lambda sets: PROFILES.index(sets.profile))
    compatible = several[0].compatible
    for sets in several:
        compatible &= sets.compatible
    return Sets(
        highest.profile,
        compatible,
        max(sets.level for sets in several),
        tuple(dict.fromkeys(chain.from_iterable(sets.sequence for sets in several))),
        tuple(dict.fromkeys(chain.from_iterable(sets.picture for sets in several))),
        highest.rest,
    )


def free_numbers(several: Sequence[Sets], count: int) -> list[int]:
    """Numbers for the sets of new parts, which none of several has."""
    taken = {0}.union(*(sets.numbers for sets in several))
    return [number for number in range(MOST + 1) if number not in taken][:count]


def _list(extra: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    """So many sets from a place on, and the place behind them. Raises ValueError where they end before."""
    found: list[bytes] = []
    for _ in range(count):
        size = int.from_bytes(extra[at : at + 2])
        one = extra[at + 2 : at + 2 + size]
        if len(one) < size or size < 2:
            raise ValueError(size)
        found.append(one)
        at += 2 + size
    return tuple(found), at


def _number(data: bytes) -> int:
    """The number in front of a set, in Exp-Golomb code. Raises ValueError where there is none."""
    bits = _bits(data)
    zeros = 0
    while next(bits, 1) == 0:
        zeros += 1
    value = 1
    for _ in range(zeros):
        value = value * 2 + next(bits, 0)
    return value - 1


def _bits(data: bytes) -> Iterator[int]:
    return (byte >> shift & 1 for byte in data for shift in range(7, -1, -1))

"""Which blocks of a transformer come from RAM, and in which order they are left unpinned. Whole numbers, no sizes.

Spread by reversing the digits of their places in base 2, so that a larger choice has every smaller one in it and
neighbours are far apart in all of them.
"""

from collections.abc import Collection


def streamed_blocks(count: int, streamed: int) -> frozenset[int]:
    """Which of `count` blocks are streamed, spread evenly; more streamed blocks include those of fewer.

    The first block always stays: the step cache looks into it before it runs.
    """
    return frozenset(sorted(range(1, count), key=_reversed)[:streamed])


def loose_blocks(away: Collection[int]) -> list[int]:
    """The streamed blocks in the order in which they are left unpinned, so that those that are lie far apart."""
    order = sorted(away)
    return [order[i] for i in sorted(range(len(order)), key=_reversed)]


def _reversed(index: int) -> float:
    """The digits of an index in base 2 read backwards, as a fraction: 1/2, 1/4, 3/4, 1/8 …"""
    value, digit = 0.0, 0.5
    while index:
        value, index, digit = value + digit * (index & 1), index >> 1, digit / 2
    return value

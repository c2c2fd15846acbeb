"""Stretches of one entity's rows, which lie in up to two parts."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import numpy as np

from headrace.memory.rows import Part, Words, joined
from headrace.selection.predicates import Truth

CHUNK: Final = 64
"""How many rows are looked through first; then twice as many, and so on."""


def read(parts: Sequence[Part], start: int, stop: int) -> Words:
    """Return an entity's rows with ``start <= ts < stop`` and a stop.

    Parameters
    ----------
    parts
        Where they lie.
    start, stop
        Microseconds.
    """
    lows = [bisect_left(times, start, low, end) for _, times, low, end in parts]
    highs = [bisect_left(part[1], stop, low, part[3]) for part, low in zip(parts, lows, strict=True)]
    return piece(parts, lows, highs, True)


def oldest_match(part: Part, low: int, high: int, truth: Truth) -> int:
    """Return the place of a part's first row that a filter takes, -1 where there is none."""
    size = CHUNK
    while low < high:
        stop = min(low + size, high)
        found = np.flatnonzero(truth(part[0][:, low:stop]))
        if len(found):
            return low + int(found[0])
        low, size = stop, 2 * size
    return -1


def newest_match(part: Part, low: int, high: int, truth: Truth) -> int:
    """Return the place of a part's last row that a filter takes, -1 where there is none."""
    size = CHUNK
    while low < high:
        start = max(high - size, low)
        found = np.flatnonzero(truth(part[0][:, start:high]))
        if len(found):
            return start + int(found[-1])
        high, size = start, 2 * size
    return -1


def in_order(parts: Sequence[Part], lows: list[int], highs: list[int]) -> bool:
    """Tell whether all rows of the first of two parts come before those of the second."""
    (_, one, _, _), (_, other, _, _) = parts
    return highs[0] == lows[0] or highs[1] == lows[1] or bool(one[highs[0] - 1] <= other[lows[1]])


def piece(parts: Sequence[Part], lows: list[int], highs: list[int], with_stop: bool) -> Words:
    """Return an entity's rows, put in order where they lie in two parts.

    Parameters
    ----------
    parts
        Where they lie.
    lows, highs
        From where to where in each part.
    with_stop
        Whether one more column of any content follows.
    """
    filled = [i for i in range(len(parts)) if lows[i] < highs[i]]
    if len(filled) < 2:
        i = filled[0] if filled else 0
        return parts[i][0][:, lows[i] : max(highs[i], lows[i]) + with_stop]
    one, other = (parts[i][0][:, lows[i] : highs[i]] for i in filled)
    words = joined(one, other)
    return words if with_stop else words[:, :-1]

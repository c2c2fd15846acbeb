"""How far back the rows of a window that is cut to its newest rows are to be read."""

from bisect import bisect_left
from typing import Final

import numpy as np

from headrace.memory.rows import TIME, Part
from headrace.selection.pieces import CHUNK, piece
from headrace.selection.reading import Reading
from headrace.selection.windows import newest_of

REACHED: Final = 256
"""A window that is cut to its newest rows is read whole up to so many."""


def reach(
    reading: Reading,
    i: int,
    parts: list[Part],
    spans: list[tuple[int, int]],
    bound: int,
    as_of: int,
) -> int:
    """Return the timestamp from which the rows decide a window that is cut to its newest rows.

    Parameters
    ----------
    reading, i
        The reading, and which of its windows.
    parts
        The entity's rows.
    spans
        From where to where the window's span of time has rows in each part.
    bound
        Where that span begins, microseconds.
    as_of
        The moment, microseconds.
    """
    selection = reading.selections[i]
    span, truth = selection.span, reading.filters[selection.filter].truth
    size = max(CHUNK, span.rows + 1)
    while max(high - low for low, high in spans) > max(size, REACHED):
        # The newest rows of each part; from the latest of these starts on, all rows are there.
        begin = max(
            part[1][high - size] if high - low > size else bound
            for part, (low, high) in zip(parts, spans, strict=True)
        )
        lows = [
            bisect_left(part[1], begin, low, high) for part, (low, high) in zip(parts, spans, strict=True)
        ]
        words = piece(parts, lows, [high for _, high in spans], True)
        known = words.shape[1] - 1
        taken = truth(words[:, :known]) if truth is not None else np.ones(known, np.bool_)
        times = np.append(words[TIME, :known][taken], 0)
        low, high = np.zeros(1, np.int64), np.array([len(times) - 1])
        cut, _ = newest_of(span, times, low, high, as_of - span.offset)
        # Cut to less than was read: nothing older takes part. An old session may begin where the rows do.
        if cut[0] > 0:
            return begin
        size *= 4
    return bound

"""Selecting: what filters take of gathered rows, and windows that are cut to their newest rows or session."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from headrace.kernels.segments import Indexes
from headrace.memory.rows import TIME, Words
from headrace.selection.gathered import Gathered
from headrace.selection.pieces import newest_match, oldest_match
from headrace.selection.reading import Reading
from headrace.selection.windows import newest_of


@dataclass(slots=True)
class Selected:
    """The rows that a filter takes, and the windows in them.

    Entities stand one after the other, the rows of each in (timestamp, position) order.
    """

    words: Words
    """Shape ``(columns, rows + 1)``: ``TIME``, ``POSITION``, then the fields, which are float64 in disguise;
    the last column is a stop of any content."""
    lows: Indexes
    """Where each window of the filter begins, shape ``(windows, n)``."""
    highs: Indexes
    """Where it ends."""


def select(reading: Reading, which: int, gathered: Gathered, as_of: int) -> Selected:
    """Apply a filter to gathered rows, and cut its windows to their newest rows and last session.

    Parameters
    ----------
    reading
        What was gathered.
    which
        Index of the filter.
    gathered
        The rows; `valid_until` and `event_time` are brought up to what the filter's windows say.
    as_of
        The moment, microseconds.
    """
    own = reading.filters[which]
    words, lows, highs = gathered.words, gathered.lows[own.chosen], gathered.highs[own.chosen]
    if own.truth is not None:
        known = words.shape[1] - 1
        taken = own.truth(words[:, :known])
        before = np.zeros(known + 1, np.int64)
        np.cumsum(taken, out=before[1:])
        lows, highs = before[lows], before[highs]
        words = words[:, np.append(np.flatnonzero(taken), known)]
    times = words[TIME]
    for window, span in own.cut:
        if not span.plain:
            end = as_of - span.offset
            lows[window], highs[window] = newest_of(span, times, lows[window], highs[window], end)
        low, high = lows[window], highs[window]
        filled = low < high
        oldest, newest = times[low], times[high - 1]
        leaves = oldest + span.leave
        if span.gap:
            leaves = np.minimum(leaves, newest + (span.gap + span.offset))
        np.minimum(gathered.valid_until, leaves, out=gathered.valid_until, where=filled)
        np.maximum(gathered.event_time, newest, out=gathered.event_time, where=filled)
    if own.truth is not None:
        _look_into_long(reading, which, gathered, as_of)
    return Selected(words, lows, highs)


def _look_into_long(reading: Reading, which: int, gathered: Gathered, as_of: int) -> None:
    """Find the first and last row of filtered windows that were not gathered."""
    own = reading.filters[which]
    if own.truth is None:
        return
    for i, parts, tiled in gathered.long:
        for s in tiled:
            span = reading.selections[s].span
            if s not in own.selections:
                continue
            for part in parts:
                _, times, begin, end = part
                low = bisect_left(times, as_of + span.start, begin, end)
                high = bisect_left(times, as_of + span.stop, low, end)
                oldest = oldest_match(part, low, high, own.truth)
                if oldest < 0:
                    continue
                leaves = times[oldest] + span.leave
                newest = times[newest_match(part, low, high, own.truth)]
                gathered.valid_until[i] = min(int(gathered.valid_until[i]), leaves)
                gathered.event_time[i] = max(int(gathered.event_time[i]), newest)

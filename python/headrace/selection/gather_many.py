"""Gathering for many entities at once, of readings that need all rows of a span and nothing else.

What :func:`headrace.selection.gather.gather` finds out entity by entity (where windows begin and end, when
rows enter and leave) is found here for all of them at once, in the rows that were gathered."""

from bisect import bisect_left
from typing import Final

import numpy as np

from headrace.kernels.segments import Indexes
from headrace.memory.rows import FAR, TIME, Words, places_among
from headrace.selection.gathered import Asked, Gathered, side_by_side
from headrace.selection.reading import Reading

MANY: Final = 32
"""For fewer entities one by one is faster."""


def gather_many(reading: Reading, asked: Asked, most: int) -> Gathered | None:
    """Gather what a reading needs, with the results that entity by entity has.

    Parameters
    ----------
    reading
        One that is :attr:`headrace.selection.reading.Reading.simple`.
    asked
        For whom and when.
    most
        A window with more rows may be put together from tiles.

    Returns
    -------
    gathered
        ``None`` where an entity has such a window.
    """
    stores, count = asked.shards.rows(reading.source, reading.entity), asked.shards.shard_count
    bounds = [asked.as_of + shift for shift in reading.shifts]
    first, last = bounds[0], bounds[-1]
    pieces: tuple[list[Words], list[Words]] = ([], [])
    sizes: tuple[list[int], list[int]] = ([], [])
    nexts: list[int] = []
    for code in asked.codes.tolist():
        rows = stores.get(code % count) if code >= 0 else None
        own, coming = [0, 0], FAR
        parts = rows.parts(code // count, first, asked.fence) if rows is not None else []
        for i, (words, times, low, end) in enumerate(parts):
            high = end
            if times[low] < first:
                low = bisect_left(times, first, low, end)
            if times[end - 1] >= last:
                high = bisect_left(times, last, low, end)
                coming = min(coming, times[high])
            if low < high:
                own[i] = high - low
                pieces[i].append(words[:, low:high])
        if own[0] + own[1] > most and reading.tileable:
            return None
        sizes[0].append(own[0])
        sizes[1].append(own[1])
        nexts.append(coming)
    each = np.array(sizes, np.int64)
    words = side_by_side(reading, asked.shards, pieces[0], int(each[0].sum()))
    if pieces[1]:
        added = side_by_side(reading, asked.shards, pieces[1], int(each[1].sum()))
        words = _merged(reading, words, added, each)
    return _described(reading, bounds, words, each.sum(axis=0), np.array(nexts, np.int64))


def _merged(reading: Reading, words: Words, added: Words, sizes: Indexes) -> Words:
    """Return the rows of two parts in order; of equal timestamps those of the first come first."""
    known, more = words.shape[1] - 1, added.shape[1] - 1
    whose = np.arange(sizes.shape[1]).repeat(sizes[1])
    starts = np.append(0, sizes[0].cumsum())
    to = np.arange(more) + places_among(words[TIME], starts, whose, added[TIME, :-1])
    stays = np.ones(known + more + 1, np.bool_)
    stays[to] = False
    merged = np.empty((len(words), known + more + 1), np.int64)
    for column in reading.columns:
        merged[column, to] = added[column, :-1]
        merged[column, stays] = words[column]
    return merged


def _described(reading: Reading, bounds: list[int], words: Words, sizes: Indexes, nexts: Indexes) -> Gathered:
    """Find the windows of entities among their rows.

    Parameters
    ----------
    reading, bounds
        What was gathered, and the limits of its windows, microseconds.
    words
        The rows.
    sizes
        How many of them each entity has.
    nexts
        Timestamp of each entity's first row that is not among them, ``FAR`` where there is none.
    """
    n, times = len(sizes), words[TIME]
    edges = np.append(0, sizes.cumsum())
    whose = np.tile(np.arange(n), len(bounds))
    until = np.repeat(np.array(bounds, np.int64) - 1, n)
    places = places_among(times, edges, whose, until).reshape(len(bounds), n)
    lows, highs = (places[[pair[side] for pair in reading.limits]] for side in (0, 1))
    valid_until = np.full(n, FAR)
    event_time = np.full(n, -FAR)
    for start, stop, leave in reading.plain:
        low, high = places[start], places[stop]
        filled = low < high
        np.minimum(valid_until, times[low] + leave, out=valid_until, where=filled)
        np.maximum(event_time, times[high - 1], out=event_time, where=filled)
    for stop, enter in reading.stops:
        coming = np.where(places[stop] < edges[1:], times[places[stop]], nexts)
        np.minimum(valid_until, coming + enter, out=valid_until, where=coming < FAR)
    return Gathered(words, lows, highs, highs - lows, [], valid_until, event_time)

"""Gathering: from windows to the rows of many entities, side by side.

What can be known without rows (how many a window has, when the next one enters or leaves) is read off by
binary search. Rows are gathered once for all windows of a source that need them, and only as far back as they
need: not for counts, not for windows so long that their statistics are put together from tiles, and of a
window of so many rows, or of a session, only the newest."""

from bisect import bisect_left
from typing import Final

import numpy as np

from headrace.kernels.segments import Indexes
from headrace.memory.rows import FAR, Part, Words
from headrace.selection.crossing import crossing
from headrace.selection.gather_many import MANY, gather_many
from headrace.selection.gathered import Asked, Gathered, side_by_side
from headrace.selection.pieces import in_order, oldest_match, piece
from headrace.selection.reach import reach
from headrace.selection.reading import Reading

TILED: Final = 4096
"""A window of time alone with more rows is the fold of its tiles. Part of what a value is: the sum of a long
window has other last bits than that of one stretch."""


def gather(reading: Reading, asked: Asked) -> Gathered:
    """Gather what a reading needs."""
    if reading.simple and len(asked.codes) >= MANY:
        at_once = gather_many(reading, asked, TILED)
        if at_once is not None:
            return at_once
    as_of, fence = asked.as_of, asked.fence
    stores, count = asked.shards.rows(reading.source, reading.entity), asked.shards.shard_count
    bounds = [as_of + shift for shift in reading.shifts]
    last = reading.last
    pieces: list[Words] = []
    ranks: list[int] = []
    begins: list[int] = []
    firsts: list[int] = []
    moments: list[int] = []
    newests: list[int] = []
    long: list[tuple[int, list[Part], list[int]]] = []
    total = 0
    n = len(asked.codes)
    for i, code in enumerate(asked.codes.tolist()):
        rows = stores.get(code % count) if code >= 0 else None
        parts = rows.parts(code // count, bounds[0], fence) if rows is not None else []
        places: list[list[int]] = []
        for _, times, low, end in parts:
            places.append([low := bisect_left(times, bound, low, end) for bound in bounds])
        until, newest = _moments(reading, parts, places)
        moments.append(until)
        newests.append(newest)
        if not parts:
            own = [0] * len(bounds)
        elif len(parts) == 1:
            own = places[0]
        else:
            own = [sum(pair) for pair in zip(*places, strict=True)]
        tiled: list[int] = []
        if own[last] - own[reading.longest] > TILED:
            limits = reading.limits
            tiled = [s for s in reading.tileable if own[limits[s][1]] - own[limits[s][0]] > TILED]
        if tiled:
            long.append((i, parts, tiled))
        starts = _begins(reading, parts, places, bounds, tiled, as_of)
        begun = sum(starts)
        ranks += own
        begins.append(begun)
        firsts.append(total)
        if own[last] > begun:
            total += own[last] - begun
            stops = [found[last] for found in places]
            if len(parts) == 1:
                pieces.append(parts[0][0][:, begun : stops[0] + (n == 1)])
            elif n > 1 and in_order(parts, starts, stops):
                pieces += [part[0][:, low:high] for part, low, high in zip(parts, starts, stops, strict=True)]
            else:
                pieces.append(piece(parts, starts, stops, n == 1))
    return Gathered(
        pieces[0] if n == 1 and pieces else side_by_side(reading, asked.shards, pieces, total),
        *_limits(reading, ranks, begins, firsts),
        long,
        np.array(moments, np.int64),
        np.array(newests, np.int64),
    )


def _moments(reading: Reading, parts: list[Part], places: list[list[int]]) -> tuple[int, int]:
    """Return the next moment at which an entity's windows change, and their newest timestamp.

    Of windows that are filtered or cut it is for :func:`select` to say which rows are in them, and so leave.
    """
    until, newest = FAR, -FAR
    for (_, times, _, end), found in zip(parts, places, strict=True):
        for start, stop, leave in reading.plain:
            low, high = found[start], found[stop]
            if low < high:
                time = times[low] + leave
                if time < until:
                    until = time
                time = times[high - 1]
                if time > newest:
                    newest = time
        for stop, enter in reading.stops:
            if found[stop] < end:
                until = min(until, times[found[stop]] + enter)
    for which, stop, enter in reading.filtered:
        truth = reading.filters[which].truth
        for part, found in zip(parts, places, strict=True):
            if truth is not None and found[stop] < part[3]:
                at = oldest_match(part, found[stop], part[3], truth)
                until = min(until, part[1][at] + enter) if at >= 0 else until
    if parts:
        for start, stop, leave, enter in reading.crossings:
            lows, highs = ([found[limit] for found in places] for limit in (start, stop))
            until = min(until, crossing(parts, lows, highs, leave, enter, TILED))
    return until, newest


def _begins(
    reading: Reading,
    parts: list[Part],
    places: list[list[int]],
    bounds: list[int],
    tiled: list[int],
    as_of: int,
) -> list[int]:
    """Return from where on the rows of each part are to be gathered."""
    if tiled or (reading.reached and parts):
        bound = _first_bound(reading, parts, places, bounds, tiled, as_of)
        return [bisect_left(part[1], bound, part[2], part[3]) for part in parts]
    begins = [found[reading.first] for found in places]
    for i in reading.peeks:
        start, stop = reading.limits[i]
        for at, found in enumerate(places):
            if found[start] < found[stop] <= begins[at]:
                begins[at] = found[stop] - 1
    return begins


def _limits(
    reading: Reading, ranks: list[int], begins: list[int], firsts: list[int]
) -> tuple[Indexes, Indexes, Indexes]:
    """Return where windows begin and end among the gathered rows, and how many rows each has.

    Parameters
    ----------
    reading
        What was gathered.
    ranks
        For each entity, how many of its rows lie before each of the limits.
    begins
        How many lie before those that were gathered.
    firsts
        Where these stand.
    """
    limits, last = reading.limits, reading.last
    if len(begins) == 1:  # arrays of one cost more than plain numbers
        begun, end = begins[0], ranks[last]
        lows = [min(max(ranks[start], begun), end) - begun for start, _ in limits]
        highs = [min(max(ranks[stop], begun), end) - begun for _, stop in limits]
        sizes = [ranks[stop] - ranks[start] for start, stop in limits]
        lows_of, highs_of, counts = np.array([lows, highs, sizes], np.int64).reshape(3, -1, 1)
        return lows_of, highs_of, counts
    table = np.array(ranks, np.int64).reshape(len(begins), -1).T
    starts, stops = (table[[pair[side] for pair in limits]] for side in (0, 1))
    before = np.array(begins, np.int64)
    shifts = np.array(firsts, np.int64) - before
    until = table[last]
    lows_of, highs_of = (np.minimum(np.maximum(edge, before), until) + shifts for edge in (starts, stops))
    return lows_of, highs_of, stops - starts


def _first_bound(
    reading: Reading,
    parts: list[Part],
    places: list[list[int]],
    bounds: list[int],
    tiled: list[int],
    as_of: int,
) -> int:
    """Return the timestamp from which an entity's rows are to be gathered."""
    selections, limits = reading.selections, reading.limits
    bound = bounds[reading.last]
    for i, selection in enumerate(selections):
        if selection.span.plain and (selection.deep or (selection.tileable and i not in tiled)):
            bound = min(bound, bounds[limits[i][0]])
    for i in reading.peeks:
        start, stop = limits[i]
        for part, found in zip(parts, places, strict=True):
            if found[start] < found[stop]:
                bound = min(bound, part[1][found[stop] - 1])
    for i in reading.reached:
        start, stop = limits[i]
        spans = [(found[start], found[stop]) for found in places]
        bound = min(bound, reach(reading, i, parts, spans, bounds[start], as_of))
    return bound

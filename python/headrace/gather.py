"""Gathering: from windows to the rows of many entities, side by side.

What can be known without rows (how many a window has, when the next one enters or leaves) is read off by
binary search. Rows are gathered once for all windows of a source that need them, and only as far back as they
need: not for counts, not for windows so long that their statistics are put together from tiles, and of a
window of so many rows, or of a session, only the newest."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.predicates import Truth
from headrace.rows import FAR, FIELDS, TIME, Part, Rows, Words, joined
from headrace.segments import Indexes
from headrace.shards import Shards
from headrace.windows import Span, newest_of

TILED: Final = 4096
"""A window of time alone with more rows is the fold of its tiles. Part of what a value is: the sum of a long
window has other last bits than that of one stretch."""

REACHED: Final = 256
"""A window that is cut to its newest rows is read whole up to so many."""

_CHUNK: Final = 64
"""How many rows are looked through first; then twice as many, and so on."""


@dataclass(slots=True)
class Filter:
    """Which rows take part, and in which windows."""

    truth: Truth | None
    """``None``: every row."""
    selections: list[int]
    """Indexes into the selections of the reading."""
    chosen: slice | Indexes
    """The same, as what selects them from an array."""
    cut: list[tuple[int, Span]]
    """Those which do not just have the rows of a span of time."""


@dataclass(slots=True)
class Selection:
    """A window of filtered rows, and how it is read."""

    span: Span
    filter: int
    deep: bool
    """Something needs every row."""
    mergeable: bool
    """Something needs what tiles have too."""
    sketched: bool
    """Something needs a sketch, which tiles can have too."""
    newest: bool
    """Something needs the newest value."""

    @property
    def tileable(self) -> bool:
        """Whether something needs what tiles have."""
        return self.mergeable or self.sketched

    @property
    def reached(self) -> bool:
        """Whether only its newest rows are read."""
        return not self.span.plain and (self.deep or self.tileable or self.newest)


class Reading:
    """What a plan reads of one source, made ready to gather."""

    def __init__(
        self,
        source: str,
        entity: str,
        columns: Sequence[int],
        selections: Sequence[Selection],
        filters: Sequence[Filter],
    ) -> None:
        """Lay out the limits of the windows.

        Parameters
        ----------
        source, entity
            Whose rows.
        columns
            Which rows of a matrix of words are read.
        selections
            The windows.
        filters
            Their filters.
        """
        self.source = source
        self.entity = entity
        self.columns = list(columns)
        self.selections = list(selections)
        self.filters = list(filters)
        spans = [selection.span for selection in selections]
        self.shifts = sorted({limit for span in spans for limit in (span.start, span.stop)})
        """Limits of all windows less ``as_of``, ascending."""
        at = {shift: i for i, shift in enumerate(self.shifts)}
        self.limits = [(at[span.start], at[span.stop]) for span in spans]
        """Start and stop of each selection as indexes of `shifts`."""
        every = [
            (selection, *limits)
            for selection, limits in zip(selections, self.limits, strict=True)
            if filters[selection.filter].truth is None
        ]
        self.plain = [
            (start, stop, selection.span.leave) for selection, start, stop in every if selection.span.plain
        ]
        """Start, stop and what leads to the moment of leaving, of the windows that time alone decides."""
        self.stops = sorted({(stop, selection.span.enter) for selection, _, stop in every})
        """Stop, and what leads to the moment of entering, of the windows without a filter."""
        self.filtered = sorted(
            {
                (selection.filter, stop, selection.span.enter)
                for selection, (_, stop) in zip(selections, self.limits, strict=True)
                if filters[selection.filter].truth is not None
            }
        )
        """Filter, stop, and what leads to the moment of entering, of the windows with a filter."""
        gathered = [i for i, one in enumerate(selections) if one.deep or one.tileable or one.newest]
        self.last = max((self.limits[i][1] for i in gathered), default=0)
        """The stop up to which rows are gathered."""
        whole = [i for i in gathered if spans[i].plain and (selections[i].deep or selections[i].tileable)]
        self.first = min((self.limits[i][0] for i in whole), default=self.last)
        """The start from which rows are gathered, where no window is so long that tiles serve it."""
        self.tileable = [i for i in whole if selections[i].tileable]
        self.longest = min((self.limits[i][0] for i in self.tileable), default=self.last)
        self.crossings = [
            (*self.limits[i], spans[i].leave, spans[i].enter)
            for i in self.tileable
            if selections[i].mergeable and filters[selections[i].filter].truth is not None
        ]
        """Start, stop, and what leads to the moments of leaving and entering, of windows with a filter whose
        sums may be put together from tiles."""
        self.reached = [i for i in gathered if not spans[i].plain]
        self.peeks = [i for i in gathered if i not in whole and i not in self.reached]
        """Windows of which only the newest row is read."""


@dataclass(slots=True)
class Asked:
    """Whose values are asked for, and of which moment."""

    shards: Shards
    """The rows. Entities of shards that are not owned, and code -1, are entities without events."""
    codes: NDArray[np.int32]
    """The entities, shape ``(n,)``."""
    as_of: int
    """Microseconds."""
    fence: int
    """Events with a greater position are not known."""

    def rows(self, source: str, entity: str, i: int) -> tuple[Rows, int]:
        """Return the rows of the shard of one of the entities, which is owned, and its local index."""
        count = self.shards.shard_count
        code = int(self.codes[i])
        return self.shards.rows(source, entity)[code % count], code // count


@dataclass(slots=True)
class Gathered:
    """The rows of `n` entities, and what is known of their windows."""

    words: Words
    """Rows side by side, entity after entity, shape ``(columns, rows + 1)``; the last column is a stop. Only
    what the reading names is sure to be there."""
    lows: Indexes
    """Where each window begins among them, shape ``(selections, n)``; of no meaning where it was left to
    tiles."""
    highs: Indexes
    """Where it ends."""
    counts: Indexes
    """How many rows each window has before filters and the rest, shape ``(selections, n)``."""
    long: list[tuple[int, list[Part], list[int]]]
    """Entities that have windows which are put together from tiles: index, parts, selections."""
    valid_until: Indexes
    """The next moment at which a row enters or leaves a window without a filter, shape ``(n,)``."""
    event_time: Indexes
    """Greatest timestamp in these, ``-FAR`` where there is none, shape ``(n,)``."""


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


def gather(reading: Reading, asked: Asked) -> Gathered:
    """Gather what a reading needs."""
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
            elif n > 1 and _in_order(parts, starts, stops):
                pieces += [part[0][:, low:high] for part, low, high in zip(parts, starts, stops, strict=True)]
            else:
                pieces.append(_piece(parts, starts, stops, n == 1))
    return Gathered(
        pieces[0] if n == 1 and pieces else _side_by_side(reading, asked.shards, pieces, total),
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
            until = min(until, _crossing(parts, lows, highs, leave, enter))
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
        return _column(lows), _column(highs), _column(sizes)
    table = np.array(ranks, np.int64).reshape(len(begins), -1).T
    starts, stops = (table[[pair[side] for pair in limits]] for side in (0, 1))
    before = np.array(begins, np.int64)
    shifts = np.array(firsts, np.int64) - before
    until = table[last]
    lows_of, highs_of = (np.minimum(np.maximum(edge, before), until) + shifts for edge in (starts, stops))
    return lows_of, highs_of, stops - starts


def _column(numbers: list[int]) -> Indexes:
    return np.array(numbers, np.int64).reshape(-1, 1)


def _side_by_side(reading: Reading, shards: Shards, pieces: list[Words], total: int) -> Words:
    """Put rows together with a stop; columns that are not read are left as they happen to be."""
    words = np.empty((FIELDS + len(shards.needs.sources[reading.source].fields), total + 1), np.int64)
    words[:, total] = 0
    if pieces:
        for column in reading.columns:
            np.concatenate([piece[column] for piece in pieces], out=words[column, :total])
    return words


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
    return _piece(parts, lows, highs, True)


def oldest_match(part: Part, low: int, high: int, truth: Truth) -> int:
    """Return the place of a part's first row that a filter takes, -1 where there is none."""
    size = _CHUNK
    while low < high:
        stop = min(low + size, high)
        found = np.flatnonzero(truth(part[0][:, low:stop]))
        if len(found):
            return low + int(found[0])
        low, size = stop, 2 * size
    return -1


def newest_match(part: Part, low: int, high: int, truth: Truth) -> int:
    """Return the place of a part's last row that a filter takes, -1 where there is none."""
    size = _CHUNK
    while low < high:
        start = max(high - size, low)
        found = np.flatnonzero(truth(part[0][:, start:high]))
        if len(found):
            return start + int(found[-1])
        high, size = start, 2 * size
    return -1


def _in_order(parts: Sequence[Part], lows: list[int], highs: list[int]) -> bool:
    """Tell whether all rows of the first of two parts come before those of the second."""
    (_, one, _, _), (_, other, _, _) = parts
    return highs[0] == lows[0] or highs[1] == lows[1] or bool(one[highs[0] - 1] <= other[lows[1]])


def _piece(parts: Sequence[Part], lows: list[int], highs: list[int], with_stop: bool) -> Words:
    """Return an entity's rows, put in order where they lie in two parts."""
    filled = [i for i in range(len(parts)) if lows[i] < highs[i]]
    if len(filled) < 2:
        i = filled[0] if filled else 0
        return parts[i][0][:, lows[i] : max(highs[i], lows[i]) + with_stop]
    one, other = (parts[i][0][:, lows[i] : highs[i]] for i in filled)
    words = joined(one, other)
    return words if with_stop else words[:, :-1]


def _crossing(parts: Sequence[Part], lows: list[int], highs: list[int], leave: int, enter: int) -> int:
    """Return when a window may first come to have more rows than ``TILED``, or no more: its sums change form.

    Of a window with a filter these are also rows that the filter does not take.
    """
    long = sum(highs) - sum(lows) > TILED
    while True:
        count = sum(highs) - sum(lows)
        # It cannot be before so many rows have left or entered; by then others may have done the contrary.
        if long:
            moment = nth_time(parts, lows, count - TILED) + leave
        elif sum(part[3] for part in parts) - sum(highs) > TILED - count:
            moment = nth_time(parts, highs, TILED + 1 - count) + enter
        else:
            return FAR
        lows = _places(parts, lows, moment - leave)
        highs = _places(parts, highs, moment - enter)
        if (sum(highs) - sum(lows) > TILED) != long:
            return moment


def _places(parts: Sequence[Part], lows: list[int], until: int) -> list[int]:
    """Return where in each part, from a place on, the rows after a timestamp begin."""
    return [bisect_left(part[1], until + 1, low, part[3]) for part, low in zip(parts, lows, strict=True)]


def nth_time(parts: Sequence[Part], lows: Sequence[int], n: int) -> int:
    """Return the timestamp of an entity's n-th row, from 1, of those that begin at a place in each part."""
    if len(parts) == 1:
        return int(parts[0][1][lows[0] + n - 1])
    (_, one, _, end), (_, other, _, other_end) = parts
    start, other_start = lows
    # How many of the first n lie in the first part.
    least, most = max(0, n - (other_end - other_start)), min(n, end - start)
    while least < most:
        middle = (least + most) // 2
        if one[start + middle] < other[other_start + n - middle - 1]:
            least = middle + 1
        else:
            most = middle
    last = one[start + least - 1] if least else -FAR
    return int(max(last, other[other_start + n - least - 1] if least < n else -FAR))


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
        bound = min(bound, _reach(reading, i, parts, spans, bounds[start], as_of))
    return bound


def _reach(
    reading: Reading,
    i: int,
    parts: list[Part],
    spans: list[tuple[int, int]],
    bound: int,
    as_of: int,
) -> int:
    """Return the timestamp from which the rows decide a window that is cut to its newest rows."""
    selection = reading.selections[i]
    span, truth = selection.span, reading.filters[selection.filter].truth
    size = max(_CHUNK, span.rows + 1)
    while max(high - low for low, high in spans) > max(size, REACHED):
        # The newest rows of each part; from the latest of these starts on, all rows are there.
        begin = max(
            part[1][high - size] if high - low > size else bound
            for part, (low, high) in zip(parts, spans, strict=True)
        )
        lows = [
            bisect_left(part[1], begin, low, high) for part, (low, high) in zip(parts, spans, strict=True)
        ]
        words = _piece(parts, lows, [high for _, high in spans], True)
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

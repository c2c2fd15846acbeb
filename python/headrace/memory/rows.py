"""The rows of one source, one entity kind and one shard, in memory.

All columns are 8 bytes wide and lie in one matrix of words, a row a column: ``TIME`` and ``POSITION``
(int64), then the fields (float64, NaN is null; categories as their codes), so that one call moves all of
them. The columns of the matrix are events, sorted by (entity, timestamp, position).

There are up to three parts. The *base* holds nearly everything; `starts` says where each entity begins. The
small *tail* is sorted alike and takes single events by shifting; a window is a slice of either. *Pending*
chunks are large pieces that nobody has asked about yet. Positions only grow: whatever is appended has
positions greater than all that is there, so a stable sort by (entity, timestamp) keeps equal timestamps in
position order."""

from bisect import bisect_left, bisect_right
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.int64]

TIME: Final = 0
POSITION: Final = 1
FIELDS: Final = 2
"""Where the fields begin."""

FAR: Final = 2**63 - 1
"""No time at all: later than every event."""


class Grid(Protocol):
    """Something made of an entity's rows."""

    @property
    def size(self) -> int:
        """Room that it takes, in words of 8 bytes."""
        ...

    def touch(self, time: int) -> None:
        """Take note of an event."""
        ...

    def touch_all(self, times: NDArray[np.int64]) -> None:
        """Take note of many."""
        ...


Part: TypeAlias = tuple[Words, Any, int, int]
"""Some of an entity's events: a matrix, its times for quick look-up, and which of its columns they are, from
and to. There is at least one column more, of any content."""

TAIL_MIN: Final = 256
TAIL_SHARE: Final = 32
"""The tail is merged past TAIL_MIN rows or a 32nd of the base, since a merge copies the base."""

TAIL_MAX: Final = 4096
"""Shifting a longer tail by one would cost more than the event's other work."""

PENDING_MIN: Final = 65_536
"""Pending pieces are merged past so many events, or half of the base, asked about or not."""

FEW: Final = 128
"""Up to so many pending events go to the tail when they are asked about, rather than into a new base."""


def empty_words(fields: int, n: int) -> Words:
    """Return a matrix for `n` events and one more column, which reads past the last row may touch."""
    words = np.empty((FIELDS + fields, n + 1), np.int64)
    words[:, n] = 0
    return words


class Rows:
    """Events of the entities of one shard; an entity goes by its local index, ``code // shard_count``."""

    __slots__ = (
        "_base",
        "_base_times",
        "_fields",
        "_pending",
        "_pending_count",
        "_starts",
        "_tail",
        "_tail_count",
        "_tail_locals",
        "_tail_times",
        "grids",
    )

    _tail_count: int

    def __init__(self, fields: int) -> None:
        """Start empty, for events with so many fields."""
        self._fields = fields
        self._set_base(empty_words(fields, 0), np.zeros(1, np.int64))
        self._set_tail(np.empty((1 + FIELDS + fields, 17), np.int64), 0)
        self._pending: list[tuple[NDArray[np.int64], Words]] = []
        self._pending_count = 0
        self.grids: dict[int, dict[Any, Grid]] = {}
        """What is kept of long windows, by local index; told of every event."""

    def __len__(self) -> int:
        """Return the number of events."""
        return int(self._base.shape[1]) - 1 + self._tail_count + self._pending_count

    @property
    def pieces(self) -> int:
        """Number of pending pieces."""
        return len(self._pending)

    def append(self, local: int, words: Words) -> None:
        """Add one event.

        Parameters
        ----------
        local
            Its entity's local index.
        words
            Its column of words, shape ``(2 + fields,)``; copied.
        """
        if self._pending:
            self.extend(np.array([local]), words[:, None].copy())
            return
        if local in self.grids:
            for grid in self.grids[local].values():
                grid.touch(int(words[TIME]))
        n = self._tail_count
        tail = self._tail
        if n == tail.shape[1] - 1:
            if n >= min(TAIL_MAX, max(TAIL_MIN, self._base.shape[1] // TAIL_SHARE)):
                self.settle()
                n = 0
                tail = self._tail
            else:
                wider = np.empty((tail.shape[0], min(2 * n, TAIL_MAX) + 1), np.int64)
                wider[:, :n] = tail[:, :n]
                self._set_tail(wider, n)
                tail = wider
        at = bisect_right(self._tail_locals, local, 0, n)
        if at > 0 and self._tail_locals[at - 1] == local:
            first = bisect_left(self._tail_locals, local, 0, at)
            at = bisect_right(self._tail_times, int(words[TIME]), first, at)
        if at < n:
            tail[:, at + 1 : n + 1] = tail[:, at:n]
        tail[0, at] = local
        tail[1:, at] = words
        self._tail_count = n + 1

    def extend(self, locals_: NDArray[np.int64], words: Words) -> None:
        """Add many events.

        Parameters
        ----------
        locals_
            Local indexes of their entities, shape ``(n,)``.
        words
            Shape ``(2 + fields, n)``, in position order. Kept as it is until it is merged: the caller gives
            it away.
        """
        if self.grids:
            self._touch_all(locals_, words[TIME])
        self._pending.append((locals_, words))
        self._pending_count += len(locals_)
        if self._pending_count > max(PENDING_MIN, self._base.shape[1] // 2):
            self.settle()

    def keep(self, local: int, key: Any, grid: Grid) -> None:
        """Keep what was made of an entity's rows; where that takes more room than the rows, drop others'."""
        own = self.grids.setdefault(local, {})
        if own.get(key) is grid:
            return
        own[key] = grid
        room = self._base.size + self._tail.size
        sizes = {other: sum(kept.size for kept in grids.values()) for other, grids in self.grids.items()}
        used = sum(sizes.values())
        for other in list(self.grids):
            if used <= room:
                break
            if other != local:
                used -= sizes[other]
                del self.grids[other]

    def _touch_all(self, locals_: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        hit = np.flatnonzero(np.isin(locals_, list(self.grids)))
        hit = hit[np.argsort(locals_[hit], kind="stable")]
        for own in np.split(hit, np.flatnonzero(np.diff(locals_[hit])) + 1):
            if len(own):
                for grid in self.grids[int(locals_[own[0]])].values():
                    grid.touch_all(times[own])

    def settle(self) -> None:
        """Merge tail and pending chunks into the base."""
        tail = self._tail[:, : self._tail_count]
        chunks = [(tail[0], tail[1:]), *self._pending]
        locals_ = np.concatenate([chunk[0] for chunk in chunks])
        self._pending = []
        self._pending_count = 0
        self._set_tail(np.empty((tail.shape[0], 17), np.int64), 0)
        if not len(locals_):
            return
        words = np.concatenate([chunk[1] for chunk in chunks], axis=1)
        order = _order(locals_, words[TIME])
        self._merge(locals_[order], words.take(order, axis=1))

    def parts(self, local: int, since: int, fence: int) -> list["Part"]:
        """Return where an entity's events lie: in up to two parts, each sorted by (timestamp, position).

        Parameters
        ----------
        local
            The entity's local index.
        since
            Events before, microseconds, may be left out.
        fence
            Events with a greater position are left out; ``FAR`` leaves out none.

        Returns
        -------
        parts
            Those that have events; views of memory: read them before the next append. Of equal timestamps
            those of the first part come first.
        """
        start, end, tail_start, tail_end = self._bounds(local)
        parts: list[Part] = []
        if start < end:
            parts.append((self._base, self._base_times, start, end))
        if tail_start < tail_end:
            parts.append((self._tail[1:], self._tail_times, tail_start, tail_end))
        if fence == FAR:
            return parts
        visible = (_visible(part, since, fence) for part in parts)
        return [part for part in visible if part[2] < part[3]]

    def _bounds(self, local: int) -> tuple[int, int, int, int]:
        """Return where an entity begins and ends in the base and in the tail."""
        if self._pending:
            self._absorb()
        start = end = tail_start = tail_end = 0
        if local + 1 < len(self._starts):
            start, end = self._starts[local], self._starts[local + 1]
        if self._tail_count:
            tail_start = bisect_left(self._tail_locals, local, 0, self._tail_count)
            tail_end = bisect_right(self._tail_locals, local, tail_start, self._tail_count)
        return start, end, tail_start, tail_end

    def _absorb(self) -> None:
        """Make pending events visible."""
        if self._pending_count > FEW:
            self.settle()
            return
        pending, self._pending, self._pending_count = self._pending, [], 0
        for locals_, words in pending:
            for i, local in enumerate(locals_.tolist()):
                self.append(local, words[:, i])

    def _set_base(self, base: Words, starts: NDArray[Any]) -> None:
        # Looking up single numbers through a memoryview is several times faster than through an array.
        self._base = base
        self._base_times = base[TIME].data
        self._starts = starts.data

    def _set_tail(self, tail: NDArray[np.int64], count: int) -> None:
        """Take a matrix for the tail; its first row is the local index, the words follow."""
        self._tail = tail
        self._tail_locals = tail[0].data
        self._tail_times = tail[1 + TIME].data
        self._tail_count = count

    def _merge(self, locals_: NDArray[np.int64], words: Words) -> None:
        """Merge events sorted by (local index, timestamp, position) into the base."""
        old = self._base
        size, added = old.shape[1] - 1, len(locals_)
        starts = np.asarray(self._starts)
        entities = max(len(starts) - 1, int(locals_[-1]) + 1)
        if entities > len(starts) - 1:
            starts = np.concatenate((starts, np.full(entities + 1 - len(starts), starts[-1])))
        merged = empty_words(self._fields, size + added)
        if size == 0:
            merged[:, :added] = words
        else:
            to = np.arange(added) + places_among(old[TIME], starts, locals_, words[TIME])
            stays = np.ones(size + added, np.bool_)
            stays[to] = False
            for row in range(len(merged)):
                merged[row, to] = words[row]
                merged[row, :-1][stays] = old[row, :-1]
        grown = starts.copy()
        grown[1:] += np.cumsum(np.bincount(locals_, minlength=entities))
        self._set_base(merged, grown)


def _order(locals_: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the stable order by (local index, timestamp)."""
    if len(locals_) > 1 and (times[1:] < times[:-1]).any():
        return np.lexsort((times, locals_))
    # NumPy sorts 16-bit keys by radix, ten times faster than wider ones.
    narrow: NDArray[Any] = locals_.astype(np.uint16) if locals_.max() < 65_536 else locals_
    return np.argsort(narrow, kind="stable")


def places_among(
    old_times: NDArray[np.int64],
    starts: NDArray[np.int64],
    locals_: NDArray[np.int64],
    times: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return before which row of those kept each event goes: after all of its entity that are not younger.

    Parameters
    ----------
    old_times
        Timestamps of the rows that are kept, entity after entity, and ascending in each.
    starts
        Where each entity begins among them, and the end of the last.
    locals_
        The entities of the events.
    times
        Their timestamps.
    """
    low, high = starts[locals_], starts[locals_ + 1]
    # One step of all binary searches at once: with many entities of few rows a search by itself costs more.
    for _ in range(int((high - low).max()).bit_length()):
        middle = (low + high) // 2
        # A search that has ended has low equal to high, and stays so: the row there may be past the last.
        after = (low < high) & (old_times[np.minimum(middle, len(old_times) - 1)] <= times)
        low = np.where(after, middle + 1, low)
        high = np.where(after, high, middle)
    return low


def joined(base: Words, tail: Words) -> Words:
    """Put an entity's events of two parts in order, with one more column."""
    split, n = base.shape[1], base.shape[1] + tail.shape[1]
    words = np.empty((len(base), n + 1), np.int64)
    words[:, :split] = base
    words[:, split:n] = tail
    words[:, n] = 0
    if split and base[TIME, -1] > tail[TIME, 0]:
        since = base[TIME].searchsorted(tail[TIME, 0], "right")
        late = words[:, since:n]
        words[:, since:n] = late.take(late[TIME].argsort(kind="stable"), axis=1)
    return words


def _visible(part: Part, since: int, fence: int) -> Part:
    """Return the events of a part that a fence lets through."""
    words, times, start, end = part
    start = bisect_left(times, since, start, end)
    known = words[POSITION, start:end] <= fence
    if known.all():
        return words, times, start, end
    kept = np.append(np.flatnonzero(known), 0) + start
    words = words.take(kept, axis=1)
    return words, words[TIME].data, 0, len(kept) - 1

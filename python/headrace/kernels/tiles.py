"""Tiles: statistics of whole stretches of time, kept, so that a long window costs no more than a short one.

A tile of length ``2 ** shift`` microseconds begins at a multiple of it since the epoch. It is a pure function
of its rows and is computed anew when one comes in between, never added to. A window is the fold of the rows
before its first whole tile, its whole tiles, and the rows after the last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.kernels.fields import Column, lay_fields
from headrace.kernels.moments import ALL, SIZE, SUM, N, Need, describe, merge
from headrace.kernels.segments import Floats, Indexes
from headrace.memory.rows import FAR, POSITION, TIME, Rows, Words
from headrace.selection.predicates import Truth

PER_WINDOW: Final = 512
"""A window has at least so many whole tiles, nearly, and at most twice as many."""

SLACK: Final = 4
"""Tiles are kept for spans up to so many times as long as the one that is asked for."""

Read: TypeAlias = Callable[[int, int], Words]
"""Returns the rows of an entity with ``start <= ts < stop``, and a stop."""


class Tiles:
    """Which tiles of one entity and length there are; part of what `Rows` keeps."""

    __slots__ = ("first", "fresh", "positions", "shift")

    def __init__(self, shift: int, first: int, stop: int) -> None:
        """Make room for the tiles with numbers from `first` to `stop`, none of them computed."""
        self.shift = shift
        self.first = first
        self.fresh = np.zeros(stop - first, np.bool_)
        self.positions = np.zeros(stop - first, np.int64)
        """Greatest position of a tile's rows, before the filter; 0 where there are none."""

    def touch(self, time: int) -> None:
        """Take note of an event."""
        at = (time >> self.shift) - self.first
        if 0 <= at < len(self.fresh):
            self.fresh[at] = False

    def touch_all(self, times: Indexes) -> None:
        """Take note of many."""
        places = (times >> self.shift) - self.first
        self.fresh[places[(places >= 0) & (places < len(self.fresh))]] = False


class Grid(Tiles):
    """Tables of tiles, of one filter and over some columns."""

    __slots__ = ("columns", "tables", "truths")

    def __init__(
        self, shift: int, columns: Sequence[Column], truths: Mapping[str, Truth], first: int, stop: int
    ) -> None:
        """Make room for the tiles with numbers from `first` to `stop`, none of them computed."""
        super().__init__(shift, first, stop)
        self.columns = list(columns)
        self.truths = truths
        """The filters that columns name: another plan, which has not these, may have to compute the tiles."""
        self.tables = np.empty((len(columns), SIZE, stop - first))

    @property
    def size(self) -> int:
        """Room that it takes, in words of 8 bytes."""
        return self.tables.size + 2 * len(self.positions)

    def moved(self, columns: Sequence[Column], truths: Mapping[str, Truth], first: int, stop: int) -> "Grid":
        """Return a grid with room for other tiles and columns, and the same tiles as far as it has them."""
        if columns != self.columns and set(columns) - set(self.columns):
            both = [*self.columns, *(column for column in columns if column not in self.columns)]
            return Grid(self.shift, both, {**self.truths, **truths}, first, stop)
        end = self.first + len(self.fresh)
        if self.first <= first and stop <= end:
            return self
        low, high = min(first, self.first), max(stop, end)
        if high - low > SLACK * (stop - first):
            low, high = first, stop
        grid = Grid(self.shift, self.columns, self.truths, low, high)
        start, until = max(low, self.first), min(high, end)
        if start < until:
            here, there = slice(start - low, until - low), slice(start - self.first, until - self.first)
            grid.fresh[here] = self.fresh[there]
            grid.positions[here] = self.positions[there]
            grid.tables[:, :, here] = self.tables[:, :, there]
        return grid


def shift_of(time: int, tiles: int) -> int:
    """Return the binary logarithm of the length of tiles of which a window has nearly so many, or more."""
    return max((time // tiles).bit_length() - 1, 0)


def whole_tiles(start: int, stop: int, shift: int) -> tuple[int, int]:
    """Return the numbers of the first whole tile of a window and of the one after its last."""
    return -(-start >> shift), stop >> shift


@dataclass(slots=True)
class LongWindow:
    """A window that is to be put together."""

    start: int
    stop: int
    """It has the rows with ``start <= ts < stop``, microseconds."""
    columns: list[int]
    """Which of the fold's columns are wanted of it."""

    shift: int = field(init=False)
    """The binary logarithm of the length of its tiles."""
    tiles: tuple[int, int] = field(init=False)
    """The numbers of the first whole tile and of the one after the last."""

    def __post_init__(self) -> None:
        """Divide it into tiles."""
        self.shift = shift_of(self.stop - self.start, PER_WINDOW)
        self.tiles = whole_tiles(self.start, self.stop, self.shift)


class Fold:
    """Puts together the long windows of one entity and filter."""

    def __init__(
        self,
        rows: Rows,
        local: int,
        read: Read,
        fence: int,
        key: str,
        columns: Sequence[Column],
        truths: Mapping[str, Truth],
    ) -> None:
        """Take what is common to the windows.

        Parameters
        ----------
        rows, local
            Where tiles are kept, and the entity's local index.
        read
            Reads its rows, as far as the fence lets them through.
        fence
            Events with a greater position are not known.
        key
            The filter's key among `truths`.
        columns
            What is computed from.
        truths
            Filters by key.
        """
        self._rows = rows
        self._local = local
        self._read = read
        self._fence = fence
        self._key = key
        self._columns = columns
        self._truths = truths

    def table(self, windows: Sequence[LongWindow], need: Need) -> Floats:
        """Compute statistics.

        Parameters
        ----------
        windows
            What to put together.
        need
            Which statistics.

        Returns
        -------
        table
            Shape ``(SIZE, columns)``: the columns of each window, one window after the other.
        """
        ends: list[tuple[int, int]] = []
        for window in windows:
            first, stop = window.tiles
            ends += [(window.start, first << window.shift), (stop << window.shift, window.stop)]
        needs = [need if column.kind == "field" else Need() for column in self._columns]
        edges = self._describe([self._filtered(*end) for end in ends], None, needs)
        fields: list[list[Floats]] = []
        others: list[list[Floats]] = []
        stretches: list[bool] = []
        for i, window in enumerate(windows):
            table, known = self._tiles(window)
            for column in window.columns:
                tiles = table[known.index(self._columns[column])]
                before, after = edges[:, column, 2 * i, None], edges[:, column, 2 * i + 1, None]
                is_field = self._columns[column].kind == "field"
                stretches.append(is_field)
                (fields if is_field else others).append([before, tiles, after])
        merged = np.empty((SIZE, len(stretches)))
        chosen = np.array(stretches)
        if fields:
            merged[:, chosen] = _merge(fields, need)
        if others:  # of which there are sums only
            merged[:, ~chosen] = _merge(others, Need())
        return merged

    def _filtered(self, start: int, stop: int) -> Words:
        words = self._read(start, stop)
        if self._key:
            known = words.shape[1] - 1
            words = words[:, np.append(np.flatnonzero(self._truths[self._key](words[:, :known])), known)]
        return words

    def _describe(self, pieces: list[Words], limits: Indexes | None, needs: Sequence[Need]) -> Floats:
        """Return a table of shape ``(SIZE, columns, pieces)``; limits cut up a single piece."""
        if limits is None:
            limits = np.cumsum([0, *(piece.shape[1] - 1 for piece in pieces)])
            words = np.concatenate([*(piece[:, :-1] for piece in pieces), pieces[-1][:, -1:]], axis=1)
        else:
            (words,) = pieces
        line = lay_fields(words, self._columns, self._truths)
        places = line.places(limits)
        lows, highs = places[:, :-1].reshape(-1), places[:, 1:].reshape(-1)
        times = line.times() if any(need.times for need in needs) else words[TIME]
        return describe(line.values, times, lows, highs, needs).reshape(SIZE, len(self._columns), -1)

    def _tiles(self, window: LongWindow) -> tuple[NDArray[np.float64], list[Column]]:
        """Return the tables of whole tiles, shape ``(columns, SIZE, tiles)``, and their columns."""
        first, stop = window.tiles
        keys = (window.shift, self._key)
        kept = self._rows.grids.get(self._local, {})
        known = kept.get(keys)
        if isinstance(known, Grid):
            grid = known.moved(self._columns, self._truths, first, stop)
        else:
            grid = Grid(window.shift, self._columns, self._truths, first, stop)
        here = slice(first - grid.first, stop - grid.first)
        usable = grid.fresh[here]
        if self._fence != FAR:
            usable = usable & (grid.positions[here] <= self._fence)
        if usable.all():
            self._keep(keys, grid)
            return grid.tables[:, :, here], grid.columns
        if self._fence != FAR:
            # What a fence hides may lie in these tiles: they serve this moment only.
            tables = grid.tables[:, :, here].copy()
            self._build(grid, first, ~usable, tables, None)
            return tables, grid.columns
        self._build(grid, first, ~usable, grid.tables[:, :, here], grid.positions[here])
        grid.fresh[here] = True
        self._keep(keys, grid)
        return grid.tables[:, :, here], grid.columns

    def _build(
        self,
        grid: Grid,
        first: int,
        stale: NDArray[np.bool_],
        tables: Floats,
        positions: Indexes | None,
    ) -> None:
        """Compute tiles: those that are stale of the tiles from `first` on."""
        edges = np.flatnonzero(np.diff(stale, prepend=False, append=False)).tolist()
        wanted, self._columns, self._truths = (self._columns, self._truths), grid.columns, grid.truths
        needs = [ALL if column.kind == "field" else Need() for column in grid.columns]
        for low, high in zip(edges[::2], edges[1::2], strict=True):
            limits = np.arange(first + low, first + high + 1) << grid.shift
            words = self._read(int(limits[0]), int(limits[-1]))
            if positions is not None:
                known = words[TIME, :-1].searchsorted(limits)
                newest = np.maximum.reduceat(words[POSITION], known)[:-1]
                positions[low:high] = np.where(np.diff(known) > 0, newest, 0)
            if self._key:
                kept = np.flatnonzero(self._truths[self._key](words[:, :-1]))
                words = words[:, np.append(kept, words.shape[1] - 1)]
            places = words[TIME, :-1].searchsorted(limits)
            tables[:, :, low:high] = self._describe([words], places, needs).transpose(1, 0, 2)
        self._columns, self._truths = wanted

    def _keep(self, keys: tuple[int, str], grid: Grid) -> None:
        self._rows.keep(self._local, keys, grid)


def _merge(wholes: Sequence[Sequence[Floats]], need: Need) -> Floats:
    """Merge the parts of each whole, of which some may have no values."""
    # Of counts and sums alone the rest need not be copied.
    kept = SUM + 1 if need == Need() else SIZE
    parts = np.concatenate([part[:kept] for own in wholes for part in own], axis=1)
    sizes = np.array([sum(part.shape[1] for part in own) for own in wholes])
    filled = parts[N] > 0.0
    if not filled.all():
        sizes = np.add.reduceat(filled, sizes.cumsum() - sizes, dtype=np.int64)
        parts = parts[:, filled]
    if sizes.all():
        return merge(parts, sizes, need)
    merged = np.full((SIZE, len(sizes)), np.nan)
    merged[: SUM + 1] = 0.0
    if parts.shape[1]:
        merged[:, sizes > 0] = merge(parts, sizes[sizes > 0], need)
    return merged

"""Sketches of long windows, put together from those of their tiles.

Counts are whole numbers: those of a window that has moved on are those that it had, and what came, and less
what went. So the tiles of a window are kept together with the sketch of all of them, and an event costs what
the rows before the first whole tile and after the last cost, and now and then a tile."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from headrace.kernels.segments import Floats, Indexes
from headrace.kernels.sketch import Sketch
from headrace.kernels.tiles import Read, Tiles, shift_of, whole_tiles
from headrace.memory.rows import FAR, POSITION, TIME, Rows, Words
from headrace.selection.predicates import Truth

PER_SKETCH: Final = 1024
"""A window has at least so many whole tiles, nearly, and at most twice as many."""

_OVERHEAD: Final = 40
"""Words of 8 bytes that a sketch takes besides its numbers."""


@dataclass(slots=True)
class Counted:
    """What is counted of an entity's rows."""

    read: Read
    """Reads the rows, as far as a fence lets them through."""
    field: int
    """The field's row in a matrix of words; nulls are not counted."""
    truth: Truth | None
    """The filter."""

    def values(self, start: int, stop: int) -> Floats:
        """Return the values of the rows with ``start <= ts < stop``."""
        words = self.read(start, stop)
        values: Floats = words[self.field, self._kept(words)].view(np.float64)
        return values

    def between(self, limits: Indexes) -> tuple[Floats, Indexes, Indexes]:
        """Return the values between timestamps, where each falls among them, and the greatest positions of
        all rows from each to the next, 0 where there are none."""
        words = self.read(limits.item(0), limits.item(-1))
        kept = self._kept(words)
        values: Floats = words[self.field, kept].view(np.float64)
        places = words[TIME, kept].searchsorted(limits)
        among = words[TIME, :-1].searchsorted(limits)
        newest = np.maximum.reduceat(words[POSITION], among)[:-1]
        return values, places, np.where(np.diff(among) > 0, newest, 0)

    def _kept(self, words: Words) -> Indexes:
        values = words[self.field, :-1].view(np.float64)
        kept = values == values
        if self.truth is not None:
            kept &= self.truth(words[:, :-1])
        return np.flatnonzero(kept)


class SketchTiles(Tiles):
    """The sketches of a window's whole tiles."""

    __slots__ = ("sketches", "total")

    def __init__(self, shift: int, first: int, stop: int, nothing: Sketch) -> None:
        """Make room for the tiles with numbers from `first` to `stop`, all of them empty for now."""
        super().__init__(shift, first, stop)
        self.sketches = [nothing] * (stop - first)
        self.total = nothing
        """The sketch of all tiles."""

    @property
    def size(self) -> int:
        """Room that it takes, in words of 8 bytes."""
        parts = [*self.sketches, self.total]
        return 2 * sum(len(part.buckets) for part in parts) + _OVERHEAD * len(parts)


@dataclass(slots=True)
class SketchedWindow:
    """A window of time alone, whose sketch is wanted."""

    as_of: int
    start: int
    stop: int
    """It has the rows with ``as_of + start <= ts < as_of + stop``, microseconds."""
    values: tuple[str, int]
    """What tells apart what is counted: key of the filter, row of the field."""
    accuracy: float


def fold_sketch(window: SketchedWindow, rows: Rows, local: int, counted: Counted, fence: int) -> Sketch:
    """Return the sketch of a window.

    Parameters
    ----------
    window
        What is wanted.
    rows, local
        Where tiles are kept, and the entity's local index.
    counted
        Reads its values, as far as the fence lets them through.
    fence
        Events with a greater position are not known.
    """
    start, stop = window.as_of + window.start, window.as_of + window.stop
    shift = shift_of(stop - start, PER_SKETCH)
    first, end = whole_tiles(start, stop, shift)
    key = (window.start, window.stop, *window.values, window.accuracy)
    tiles = rows.grids.get(local, {}).get(key)
    if not isinstance(tiles, SketchTiles):
        tiles = SketchTiles(shift, first, first, Sketch.from_values(np.empty(0), window.accuracy))
    if tiles.first != first or len(tiles.fresh) != end - first or not tiles.fresh.all():
        if fence != FAR:
            # What a fence hides may lie in these tiles, and they would serve this moment only.
            return _sketch_of(window, counted, (start, stop))
        tiles = _moved(tiles, first, end, counted, window.accuracy)
        rows.keep(local, key, tiles)
    elif fence != FAR and (tiles.positions > fence).any():
        return _sketch_of(window, counted, (start, stop))
    ends = _sketch_of(window, counted, (start, first << shift), (end << shift, stop))
    return Sketch.merge([tiles.total, ends])


def _sketch_of(window: SketchedWindow, counted: Counted, *stretches: tuple[int, int]) -> Sketch:
    """Return the sketch of the values in some stretches of time."""
    values = [counted.values(start, stop) for start, stop in stretches]
    return Sketch.from_values(np.concatenate(values), window.accuracy)


def _moved(tiles: SketchTiles, first: int, stop: int, counted: Counted, accuracy: float) -> SketchTiles:
    """Return other tiles, all fresh, with what these have of them."""
    moved = SketchTiles(tiles.shift, first, stop, Sketch.from_values(np.empty(0), accuracy))
    low, high = max(first, tiles.first), min(stop, tiles.first + len(tiles.fresh))
    if low < high:
        here, there = slice(low - first, high - first), slice(low - tiles.first, high - tiles.first)
        moved.fresh[here] = tiles.fresh[there]
        moved.positions[here] = tiles.positions[there]
        moved.sketches[here] = tiles.sketches[there]
    stale = ~moved.fresh
    left = np.ones(len(tiles.sketches), np.bool_)
    if low < high:
        left[there] = stale[here]
    removed = [tiles.sketches[at] for at in np.flatnonzero(left).tolist()]
    edges = np.flatnonzero(np.diff(stale, prepend=False, append=False)).tolist()
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        limits = np.arange(first + begin, first + end + 1) << tiles.shift
        values, places, moved.positions[begin:end] = counted.between(limits)
        moved.sketches[begin:end] = Sketch.from_stretches(values, places, accuracy)
    moved.fresh[:] = True
    added = [moved.sketches[at] for at in np.flatnonzero(stale).tolist()]
    if len(added) + len(removed) < len(moved.sketches):
        moved.total = tiles.total.changed(added, removed)
    else:
        moved.total = Sketch.merge(moved.sketches)
    return moved

"""The stretches of one window side by side, which is how the kernels walk over many entities at once."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.kernels.segments import Indexes, Segments

Chosen: TypeAlias = slice | Indexes


@dataclass(slots=True)
class Line:
    """The stretches of one window that are not empty, one after the other and without gaps."""

    entities: Chosen
    """Whose they are: `m` of the entities."""
    rows: Chosen
    """Which rows of the segments they are: what ``column[rows]`` gives is the line of a column."""
    lows: Indexes
    """Where each begins in the segments, shape ``(m,)``."""
    highs: Indexes
    """Where each ends in the segments, shape ``(m,)``."""
    starts: Indexes
    """Where each begins in the line, shape ``(m,)``."""
    ends: Indexes
    """Where each ends in the line, shape ``(m,)``."""
    sizes: Indexes
    """Number of rows of each, at least 1, shape ``(m,)``."""

    def copy(self, column: NDArray[Any]) -> Any:
        """Return the line of a column of the segments as an array of its own."""
        taken = column[self.rows]
        return taken.copy() if isinstance(self.rows, slice) else taken


_ZERO = np.zeros(1, np.int64)
_ALL = slice(None)


def lay_out(segments: Segments, window: int) -> Line | None:
    """Put the stretches of a window side by side.

    Parameters
    ----------
    segments
        The values.
    window
        Index of the window.

    Returns
    -------
    line
        ``None`` where every stretch is empty.
    """
    lows, highs = segments.lows[window], segments.highs[window]
    sizes = highs - lows
    if len(lows) == 1:
        low, high = lows.item(), highs.item()
        return Line(_ALL, slice(low, high), lows, highs, _ZERO, sizes, sizes) if low < high else None
    entities: Chosen = _ALL
    if np.count_nonzero(sizes) < len(sizes):
        entities = np.flatnonzero(sizes)
        if not len(entities):
            return None
        lows, highs, sizes = lows[entities], highs[entities], sizes[entities]
    ends = np.cumsum(sizes)
    starts = ends - sizes
    rows: Chosen
    if (lows[1:] == highs[:-1]).all():
        rows = slice(int(lows[0]), int(highs[-1]))
    else:
        rows = np.arange(ends[-1]) + np.repeat(lows - starts, sizes)
    return Line(entities, rows, lows, highs, starts, ends, sizes)


def run_edges(values: NDArray[Any], starts: Indexes) -> Indexes:
    """Return where the runs of equal values in a line begin, and its end.

    Parameters
    ----------
    values
        At least one, shape ``(rows,)``.
    starts
        Where stretches begin, of which no run crosses into the next.
    """
    edges = np.empty(len(values) + 1, np.bool_)
    np.not_equal(values[1:], values[:-1], out=edges[1:-1])
    edges[starts] = True
    edges[-1] = True
    return np.flatnonzero(edges)

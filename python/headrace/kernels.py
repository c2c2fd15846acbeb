"""The kernels: statistics over windows of sorted rows, for one entity or many at once.

There is one set of formulas, and a value has the same bits whether its entity is computed alone or among a
thousand: rows are selected first, stand in (timestamp, position) order, and every sum runs through
``np.add.reduceat``, which adds a segment alone as it adds it among others. Squares are taken about the mean.
What remains is element by element, and order statistics do not depend on the order of adding at all.

All windows of a group end at the same moment, so an entity's rows lie side by side once, and each window is
the stretch from its own `low` to the common `high`. Features that share a field share its nulls, sums,
moments and sorted copies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.plan import PlanFeature

Floats = NDArray[np.float64]
Indexes = NDArray[np.int64]

_FUNCTIONS: Final = (
    *("count", "sum", "mean", "std", "min", "max", "median", "quantile"),
    "linear_regression",
)

_ZERO: Final = np.zeros(1, np.int64)

SORTED_MAX: Final = 400
"""Longer segments are not sorted but partitioned at the places that their quantiles read."""


Selection: TypeAlias = slice | list[int]


@dataclass(slots=True)
class Moments:
    """Rows of the result that take a window's standard deviation and slope."""

    std: list[int] = field(default_factory=list)
    slope: list[int] = field(default_factory=list)


class Reduction:
    """Functions computed for several windows in one call, and the rows of the result that take them."""

    __slots__ = ("index", "rows")

    def __init__(self, wanted: Sequence[tuple[int, str, int]]) -> None:
        """Take triples of row of the result, function, and window."""
        windows = sorted({window for _, _, window in wanted})
        self.index: Selection = _selection(windows)
        """Which of the windows are computed."""
        self.rows: list[tuple[int, str, int]] = [
            (row, function, windows.index(window)) for row, function, window in wanted
        ]
        """Triples of row of the result, function, and place among the windows of `index`."""


class FieldPlan:
    """All that the features of a plan compute from one field."""

    def __init__(self, column: int, features: Sequence[tuple[int, PlanFeature, int]]) -> None:
        """Sort features by what they share.

        Parameters
        ----------
        column
            The field's row in the matrix of words.
        features
            Each feature with its row in the result and its window's index in :class:`Segments`.
        """
        self.column = column
        wanted: list[tuple[int, str, int]] = []
        shares: dict[int, float] = {}
        for row, feature, window in features:
            function = feature["aggregation"] if feature["type"] == "statistical" else feature["function"]
            if function not in _FUNCTIONS:
                raise ValueError(f"a feature has the function {function!r}, which this worker does not know")
            if function in ("median", "quantile"):
                shares[row] = float(feature["q"]) if function == "quantile" else 0.5
            wanted.append((row, function, window))

        def pick(*functions: str) -> list[tuple[int, str, int]]:
            return [item for item in wanted if item[1] in functions]

        self.counts = pick("count")
        self.extremes = Reduction(pick("min", "max"))
        centred = pick("std", "linear_regression")
        self.sums = Reduction(pick("sum", "mean") + [(-1, "", window) for _, _, window in centred])
        sum_windows = sorted({window for _, _, window in pick("sum", "mean") + centred})
        self.moments: dict[int, tuple[int, Moments]] = {}
        """By window: its place among those that are summed, and the rows of the result."""
        for row, function, window in centred:
            _, moments = self.moments.setdefault(window, (sum_windows.index(window), Moments()))
            (moments.std if function == "std" else moments.slope).append(row)
        self.quantiles: dict[int, list[tuple[int, float]]] = {}
        """By window: row of the result, and the share of values below."""
        for row, _, window in pick("median", "quantile"):
            self.quantiles.setdefault(window, []).append((row, shares[row]))


def _selection(indexes: list[int]) -> Selection:
    """Return what selects some rows: a slice, where it does, is much faster than a list."""
    if indexes and indexes[-1] - indexes[0] == len(indexes) - 1:
        return slice(indexes[0], indexes[-1] + 1)
    return indexes


class Stretches:
    """Where the windows of `n` entities lie in one line of values: each from a low to the entity's high."""

    __slots__ = ("counts", "empty", "full", "highs", "lows", "pairs")

    def __init__(self, lows: Indexes, highs: Indexes) -> None:
        """Take lows of shape ``(windows, n)``, the longest window first, and highs of shape ``(n,)``."""
        self.lows = lows
        self.highs = highs
        self.counts: Floats = (highs - lows).astype(np.float64)
        """Number of values, shape ``(windows, n)``."""
        self.empty = self.counts == 0.0
        self.full = not np.count_nonzero(self.empty)
        """No window of any entity is empty."""
        self.pairs = np.empty((*lows.shape, 2), np.int64)
        """Lows and highs side by side, shape ``(windows, n, 2)``."""
        self.pairs[:, :, 0] = lows
        self.pairs[:, :, 1] = highs


@dataclass(slots=True)
class Segments:
    """The rows of `n` entities of one source, one entity after the other."""

    words: NDArray[np.int64]
    """Shape ``(columns, rows + 1)``; the last column is a stop, so that every high is an index."""
    stretches: Stretches
    """Where the windows lie in it."""


def compute_field(plan: FieldPlan, segments: Segments, out: Floats) -> None:
    """Compute all features of one field.

    Parameters
    ----------
    plan
        What to compute.
    segments
        The rows.
    out
        Matrix of results, shape ``(features, n)``, full of NaN; what is not null is filled in.
    """
    values: Floats = segments.words[plan.column].view(np.float64)
    stretches = segments.stretches
    known = values == values
    known[-1] = True  # the stop stays
    if np.count_nonzero(known) < len(known):
        before = np.zeros(len(values) + 1, np.int64)
        np.cumsum(known, out=before[1:])
        stretches = Stretches(before[stretches.lows], before[stretches.highs])
        values = values[known]
    for row, _, window in plan.counts:
        out[row] = stretches.counts[window]
    if plan.sums.rows:
        sums = _reduce(np.add, values, stretches, plan.sums.index, 0.0)
        means = sums / stretches.counts[plan.sums.index]
        for row, function, at in plan.sums.rows:
            if function:
                out[row] = sums[at] if function == "sum" else means[at]
        for window, (at, moments) in plan.moments.items():
            _moments(moments, values, stretches, window, means[at], out)
    if plan.extremes.rows:
        least = _reduce(np.minimum, values, stretches, plan.extremes.index, np.nan)
        greatest = _reduce(np.maximum, values, stretches, plan.extremes.index, np.nan)
        for row, function, at in plan.extremes.rows:
            out[row] = least[at] if function == "min" else greatest[at]
    for window, quantiles in plan.quantiles.items():
        _quantiles(quantiles, values, stretches.pairs[window].tolist(), out)


def _reduce(
    function: np.ufunc, values: Floats, stretches: Stretches, windows: Selection, nothing: float
) -> Floats:
    """Reduce the stretches of some windows; what lies between two of them is reduced for nobody."""
    pairs = stretches.pairs[windows]
    results: Floats = function.reduceat(values, pairs.reshape(-1))[::2].reshape(pairs.shape[:2])
    if not stretches.full:
        results[stretches.empty[windows]] = nothing
    return results


def _moments(
    moments: Moments, values: Floats, stretches: Stretches, window: int, means: Floats, out: Floats
) -> None:
    """Standard deviation (ddof 1) and slope per row, both about the mean."""
    lows, highs, counts = stretches.lows[window], stretches.highs, stretches.counts[window]
    if len(lows) == 1:
        values, starts, sizes = values[lows[0] : highs[0]], _ZERO, _ZERO
    else:
        sizes = highs - lows
        ends = np.cumsum(sizes)
        starts = ends - sizes
        values = values[np.arange(ends[-1]) + np.repeat(lows - starts, sizes)]
        means = np.repeat(means, sizes)
    filled = None if stretches.full else counts > 0.0
    centred = values - means
    others = counts - 1.0
    if moments.std:
        deviations = np.sqrt(_add(centred * centred, starts, filled) / others)
        if filled is not None:
            deviations[~filled] = np.nan
        for row in moments.std:
            out[row] = deviations
    if moments.slope:
        middles = starts + others / 2.0
        steps = np.arange(0.0, len(values)) - (middles if len(lows) == 1 else np.repeat(middles, sizes))
        # The squares of 0 … n - 1 about their mean add up to (n - 1) n (n + 1) / 12.
        slopes = _add(centred * steps, starts, filled) / (others * counts * (counts + 1.0) / 12.0)
        for row in moments.slope:
            out[row] = slopes


def _add(values: Floats, starts: Indexes, filled: NDArray[np.bool_] | None) -> Floats:
    """Add up the rows of each entity, which follow one another; `filled` tells which entities have any."""
    if filled is None:
        sums: Floats = np.add.reduceat(values, starts)
        return sums
    sums = np.zeros(len(starts))
    if len(values):
        sums[filled] = np.add.reduceat(values, starts[filled])
    return sums


def _quantiles(
    quantiles: list[tuple[int, float]], values: Floats, pairs: list[tuple[int, int]], out: Floats
) -> None:
    """Quantiles of one window, linear between the two nearest values."""
    # A sort a segment is several times faster than one sort of all by (segment, value).
    for entity, (low, high) in enumerate(pairs):
        last = high - low - 1
        if last < 0:
            continue
        ordered = values[low:high].copy()
        if last < SORTED_MAX:
            ordered.sort()
        else:
            below = [int(last * share) for _, share in quantiles]
            ordered.partition(sorted({*below, *(min(place + 1, last) for place in below)}))
        for row, share in quantiles:
            place = last * share
            at = int(place)
            value = ordered.item(at)
            if at < last:
                value += (ordered.item(at + 1) - value) * (place - at)
            out[row, entity] = value

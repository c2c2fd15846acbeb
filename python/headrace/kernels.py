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
        known = {
            "count",
            "sum",
            "mean",
            "std",
            "min",
            "max",
            "median",
            "quantile",
            "last",
            "linear_regression",
        }
        wanted: list[tuple[int, str, int]] = []
        shares: dict[int, float] = {}
        for row, feature, window in features:
            function = feature["aggregation"] if feature["type"] == "statistical" else feature["function"]
            if function not in known:
                raise ValueError(f"a feature has the function {function!r}, which this worker does not know")
            if function in ("median", "quantile"):
                shares[row] = float(feature["q"]) if function == "quantile" else 0.5
            wanted.append((row, function, window))

        def pick(*functions: str) -> list[tuple[int, str, int]]:
            return [item for item in wanted if item[1] in functions]

        self.counts = pick("count")
        self.lasts = pick("last")
        self.extremes = Reduction(pick("min", "max"))
        centred = pick("std", "linear_regression")
        self.sums = Reduction(pick("sum", "mean") + [(-1, "", window) for _, _, window in centred])
        sum_windows = sorted({window for _, _, window in pick("sum", "mean") + centred})
        self.moments: dict[int, tuple[int, Moments]] = {}
        """By window: its place among those that are summed, and the rows of the result."""
        for row, function, window in centred:
            _, moments = self.moments.setdefault(window, (sum_windows.index(window), Moments()))
            (moments.std if function == "std" else moments.slope).append(row)
        quantiles = pick("median", "quantile")
        self.sorted = sorted({window for _, _, window in quantiles})
        """Windows that are sorted."""
        self.quantile_rows = [row for row, _, _ in quantiles]
        self.quantile_windows = [self.sorted.index(window) for _, _, window in quantiles]
        """Place in `sorted` of the window of each quantile."""
        self.shares = np.array([[shares[row]] for row in self.quantile_rows], np.float64)
        """Shape ``(quantiles, 1)``."""


def _selection(indexes: list[int]) -> Selection:
    """Return what selects some rows: a slice, where it does, is much faster than a list."""
    if indexes and indexes[-1] - indexes[0] == len(indexes) - 1:
        return slice(indexes[0], indexes[-1] + 1)
    return indexes


@dataclass(slots=True)
class Segments:
    """The rows of `n` entities of one source, one entity after the other.

    A stop column stands after the last row, so that every `high` is an index.
    """

    words: NDArray[np.int64]
    """Shape ``(columns, rows + 1)``."""
    lows: Indexes
    """Where each window begins, shape ``(windows, n)``; the first window is the longest."""
    highs: Indexes
    """Where they end, shape ``(n,)``."""


def compute_field(plan: FieldPlan, segments: Segments, out: Floats) -> None:
    """Compute all features of one field.

    Parameters
    ----------
    plan
        What to compute.
    segments
        The rows.
    out
        Matrix of results, shape ``(features, n)``; the plan's rows are filled, with NaN for null.
    """
    lows, highs = segments.lows, segments.highs
    values: Floats = segments.words[plan.column].view(np.float64)
    known = values == values
    known[-1] = True  # the stop stays
    if np.count_nonzero(known) < len(known):
        before = np.zeros(len(values) + 1, np.int64)
        np.cumsum(known, out=before[1:])
        lows, highs, values = before[lows], before[highs], values[known]
    counts: Floats = (highs - lows).astype(np.float64)
    empty = counts == 0.0
    pairs = np.empty((*lows.shape, 2), np.int64)
    pairs[:, :, 0] = lows
    pairs[:, :, 1] = highs
    for row, _, window in plan.counts:
        out[row] = counts[window]
    for row, _, window in plan.lasts:
        last = values[highs - 1]
        last[empty[window]] = np.nan
        out[row] = last
    if plan.sums.rows:
        index = plan.sums.index
        sums = _reduce(np.add, values, pairs[index], empty[index], 0.0)
        means = sums / counts[index]
        for row, function, at in plan.sums.rows:
            if row >= 0:
                out[row] = sums[at] if function == "sum" else means[at]
        for window, (at, moments) in plan.moments.items():
            _moments(moments, values, lows[window], highs, counts[window], means[at], out)
    if plan.extremes.rows:
        index = plan.extremes.index
        least = _reduce(np.minimum, values, pairs[index], empty[index], np.nan)
        greatest = _reduce(np.maximum, values, pairs[index], empty[index], np.nan)
        for row, function, at in plan.extremes.rows:
            out[row] = least[at] if function == "min" else greatest[at]
    if plan.sorted:
        _quantiles(plan, values, lows, highs, counts, out)


def _reduce(
    function: np.ufunc, values: Floats, pairs: Indexes, empty: NDArray[np.bool_], nothing: float
) -> Floats:
    """Reduce each stretch from a low to a high; what lies between two of them is reduced for nobody."""
    results: Floats = function.reduceat(values, pairs.reshape(-1))[::2].reshape(empty.shape)
    results[empty] = nothing
    return results


def _moments(
    moments: Moments,
    values: Floats,
    lows: Indexes,
    highs: Indexes,
    counts: Floats,
    means: Floats,
    out: Floats,
) -> None:
    """Standard deviation (ddof 1) and slope per row, both about the mean."""
    sizes = highs - lows
    if len(lows) == 1:
        values, starts = values[lows[0] : highs[0]], _ZERO
    else:
        ends = np.cumsum(sizes)
        starts = ends - sizes
        values = values[np.arange(ends[-1]) + np.repeat(lows - starts, sizes)]
    centred = values - _spread(means, sizes)
    others = counts - 1.0
    few = others < 1.0
    if moments.std:
        deviations = np.sqrt(_add(centred * centred, starts, sizes) / others)
        deviations[few] = np.nan
        for row in moments.std:
            out[row] = deviations
    if moments.slope:
        steps = np.arange(0.0, len(values)) - _spread(starts + others / 2.0, sizes)
        # The squares of 0 … n - 1 about their mean add up to (n - 1) n (n + 1) / 12.
        slopes = _add(centred * steps, starts, sizes) / (others * counts * (counts + 1.0) / 12.0)
        slopes[few] = np.nan
        for row in moments.slope:
            out[row] = slopes


def _spread(results: Floats, sizes: Indexes) -> Floats:
    """Give every row its entity's result."""
    return results if len(results) == 1 else np.repeat(results, sizes)


def _add(values: Floats, starts: Indexes, sizes: Indexes) -> Floats:
    """Add up the rows of each entity, which follow one another without gaps."""
    filled = sizes > 0
    if np.count_nonzero(filled) == len(filled):
        sums: Floats = np.add.reduceat(values, starts)
        return sums
    sums = np.zeros(len(sizes))
    if len(values):
        sums[filled] = np.add.reduceat(values, starts[filled])
    return sums


def _quantiles(
    plan: FieldPlan, values: Floats, lows: Indexes, highs: Indexes, counts: Floats, out: Floats
) -> None:
    """Quantiles, linear between the two nearest values."""
    final = np.maximum(counts[plan.sorted] - 1.0, 0.0)[plan.quantile_windows]
    places = final * plan.shares
    below = places.astype(np.int64)
    above = below + (below < final)
    wanted = list(zip(plan.quantile_windows, below.tolist(), above.tolist(), strict=True))
    pieces: list[Floats] = []
    starts = np.empty((len(plan.sorted), len(highs)), np.int64)
    total = 0
    ends = highs.tolist()
    for i, window in enumerate(plan.sorted):
        for entity, low in enumerate(lows[window].tolist()):
            piece = values[low : ends[entity] + 1].copy()
            piece[-1] = np.nan  # what a quantile of no rows reads
            if len(piece) > SORTED_MAX:
                piece[:-1].partition(sorted({k[entity] for at, *pair in wanted if at == i for k in pair}))
            else:
                piece[:-1].sort()
            starts[i, entity] = total
            total += len(piece)
            pieces.append(piece)
    ordered = np.concatenate(pieces)
    at = starts[plan.quantile_windows]
    lower = ordered[at + below]
    results = lower + (ordered[at + above] - lower) * (places - below)
    for i, row in enumerate(plan.quantile_rows):
        out[row] = results[i]

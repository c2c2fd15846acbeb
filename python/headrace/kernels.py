"""Statistics of windows: from the mergeable statistics of stretches to the values of features.

There is one set of formulas, and a value has the same bits whether its entity is computed alone or among a
thousand: rows are selected first, stand in (timestamp, position) order, and every sum runs through
``np.add.reduceat``, which adds a stretch alone as it adds it among others. What remains is element by
element. Features that share a field and a window share their sums and moments; order statistics
(:mod:`headrace.orders`) and functions of time (:mod:`headrace.series`) stand by themselves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from headrace import moments
from headrace.fields import Column, FieldLine
from headrace.moments import Need, describe
from headrace.segments import Floats, Indexes

Choice: TypeAlias = slice | Indexes
"""What selects stretches; a slice, where it does, is faster."""

DIRECT: Final[Mapping[str, int]] = {
    "count": moments.N,
    "sum": moments.SUM,
    "mean": moments.CENTRE,
    "min": moments.LEAST,
    "max": moments.GREATEST,
    "first": moments.FIRST,
    "last": moments.LAST,
}
"""Functions that are statistics as they stand."""

Wanted: TypeAlias = tuple[int, str, Column, int, float]
"""Row of the result, function, column, window, and the microseconds of a unit of time (regressions by
time)."""

_EPSILON: Final = float(np.finfo(np.float64).eps)


class MomentPlan:
    """All that is computed from the mergeable statistics of some columns."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        """Sort functions by what they share.

        Parameters
        ----------
        wanted
            The functions: those of ``DIRECT`` and ``DERIVED``.

        Raises
        ------
        ValueError
            Where one is none of them.
        """
        for _, function, _, _, _ in wanted:
            if function not in _NEEDS:
                raise ValueError(f"a feature has the function {function!r}, which this worker does not know")
        self.columns = list(dict.fromkeys(column for _, _, column, _, _ in wanted))
        self.need = Need.all_of(_NEEDS[function] for _, function, _, _, _ in wanted)
        stretches = sorted({(self.columns.index(column), window) for _, _, column, window, _ in wanted})
        self.stretches = stretches
        """Pairs of column and window."""
        self._columns = [column for column, _ in stretches]
        self._windows = [window for _, window in stretches]
        at = {pair: i for i, pair in enumerate(stretches)}
        direct: list[tuple[int, int, int]] = []
        derived: dict[tuple[str, float], list[tuple[int, int]]] = {}
        for row, function, column, window, per in wanted:
            stretch = at[self.columns.index(column), window]
            if function in DIRECT:
                direct.append((row, DIRECT[function], stretch))
            else:
                derived.setdefault((function, per), []).append((row, stretch))
        self._direct = np.array(direct, np.int64).reshape(-1, 3).T
        self._derived = [
            (DERIVED[function], per, np.array([row for row, _ in pairs]), choice([at for _, at in pairs]))
            for (function, per), pairs in derived.items()
        ]

    def describe(self, line: FieldLine, lows: Indexes, highs: Indexes) -> Floats:
        """Compute the statistics of all stretches.

        Parameters
        ----------
        line
            The columns of this plan.
        lows, highs
            The windows among the rows that were laid out, shape ``(windows, n)``.

        Returns
        -------
        table
            Shape ``(SIZE, stretches, n)``.
        """
        starts, stops = lows[self._windows], highs[self._windows]
        if len(self.columns) > 1:
            shifts = np.array(self._columns)[:, None] * line.rows
            starts += shifts
            stops += shifts
        if line.before is not None:
            starts, stops = line.before[starts], line.before[stops]
        times = line.times(len(self.columns)) if self.need.times else line.words[0]
        table = describe(line.values, times, starts.reshape(-1), stops.reshape(-1), self.need)
        return table.reshape(moments.SIZE, *starts.shape)

    def finish(self, table: Floats, out: Floats) -> None:
        """Compute the features.

        Parameters
        ----------
        table
            The statistics, shape ``(SIZE, stretches, n)``.
        out
            Matrix of results, shape ``(features, n)``. What is not finite there is null.
        """
        rows, statistics, stretches = self._direct
        out[rows] = table[statistics, stretches]
        for function, per, rows, chosen in self._derived:
            out[rows] = function(table[:, chosen], per)


def choice(indexes: Sequence[int]) -> Choice:
    """Return what selects some of an array."""
    if indexes and list(indexes) == list(range(indexes[0], indexes[-1] + 1)):
        return slice(indexes[0], indexes[-1] + 1)
    return np.array(indexes, np.int64)


def _variance(table: Floats, _: float) -> Floats:
    variances: Floats = table[moments.M2] / (table[moments.N] - 1.0)
    return variances


def _deviation(table: Floats, _: float) -> Floats:
    deviations: Floats = np.sqrt(table[moments.M2] / (table[moments.N] - 1.0))
    return deviations


def _is_constant(table: Floats) -> Floats:
    """Tell where the values differ by no more than the last bit of their mean: where they are equal."""
    limits = _EPSILON * table[moments.CENTRE]
    constant: Floats = table[moments.M2] <= table[moments.N] * (limits * limits)
    return constant


def _skew(table: Floats, _: float) -> Floats:
    n, m2 = table[moments.N], table[moments.M2]
    skews = n * np.sqrt(n - 1.0) / (n - 2.0) * (table[moments.M3] / (m2 * np.sqrt(m2)))
    result: Floats = np.where(_is_constant(table), 0.0, skews)
    result[n < 3.0] = np.nan
    return result


def _kurtosis(table: Floats, _: float) -> Floats:
    n, m2 = table[moments.N], table[moments.M2]
    scale = (n - 2.0) * (n - 3.0)
    shares = n * (n + 1.0) * (n - 1.0) * (table[moments.M4] / (m2 * m2)) / scale
    result: Floats = np.where(_is_constant(table), 0.0, shares - 3.0 * (n - 1.0) * (n - 1.0) / scale)
    result[n < 4.0] = np.nan
    return result


def _squares_of_numbers(n: Floats) -> Floats:
    """Sum of the squares of 0 … n - 1 about their mean."""
    return (n - 1.0) * n * (n + 1.0) / 12.0


def _row_slope(table: Floats, _: float) -> Floats:
    slopes: Floats = table[moments.SXY] / _squares_of_numbers(table[moments.N])
    return slopes


def _row_intercept(table: Floats, per: float) -> Floats:
    middles = (table[moments.N] - 1.0) / 2.0
    intercepts: Floats = table[moments.CENTRE] - _row_slope(table, per) * middles
    return intercepts


def _row_r2(table: Floats, _: float) -> Floats:
    return _r2(table, table[moments.SXY], _squares_of_numbers(table[moments.N]))


def _time_slope(table: Floats, per: float) -> Floats:
    slopes: Floats = table[moments.SXT] / table[moments.SXX] * per
    return slopes


def _time_intercept(table: Floats, _: float) -> Floats:
    middles = table[moments.X_CENTRE] + table[moments.X_REST]
    intercepts: Floats = table[moments.CENTRE] - table[moments.SXT] / table[moments.SXX] * middles
    return intercepts


def _time_r2(table: Floats, _: float) -> Floats:
    return _r2(table, table[moments.SXT], table[moments.SXX])


def _r2(table: Floats, products: Floats, squares: Floats) -> Floats:
    shares = np.minimum(products / table[moments.M2] * (products / squares), 1.0)
    result: Floats = np.where(_is_constant(table), np.nan, shares)
    return result


DERIVED: Final[Mapping[str, Callable[[Floats, float], Floats]]] = {
    "var": _variance,
    "std": _deviation,
    "skew": _skew,
    "kurtosis": _kurtosis,
    "row_slope": _row_slope,
    "row_intercept": _row_intercept,
    "row_r2": _row_r2,
    "time_slope": _time_slope,
    "time_intercept": _time_intercept,
    "time_r2": _time_r2,
}
"""Functions that are computed from statistics."""

_NEEDS: Final[Mapping[str, Need]] = {
    "count": Need(),
    "sum": Need(),
    "mean": Need(),
    "min": Need(extremes=True),
    "max": Need(extremes=True),
    "first": Need(ends=True),
    "last": Need(ends=True),
    "var": Need(centred=True),
    "std": Need(centred=True),
    "skew": Need(centred=True, powers=True),
    "kurtosis": Need(centred=True, powers=True),
    **{name: Need(centred=True, numbers=True) for name in DERIVED if name.startswith("row_")},
    **{name: Need(centred=True, times=True) for name in DERIVED if name.startswith("time_")},
}

"""Statistics of windows: from the mergeable statistics of stretches to the values of features.

There is one set of formulas, and a value has the same bits whether its entity is computed alone or among a
thousand: rows are selected first, stand in (timestamp, position) order, and every sum runs through
``np.add.reduceat``, which adds a stretch alone as it adds it among others. What remains is element by
element. Features that share a field and a window share their sums and moments; order statistics
(:mod:`headrace.kernels.orders`) and functions of time (:mod:`headrace.kernels.series`) stand by
themselves."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from headrace.kernels.fields import Column, FieldLine
from headrace.kernels.moments import (
    CENTRE,
    FIRST,
    GREATEST,
    LAST,
    LEAST,
    M2,
    M3,
    M4,
    SIZE,
    SUM,
    SXT,
    SXX,
    SXY,
    X_CENTRE,
    X_REST,
    N,
    Need,
    describe,
    describe_one,
)
from headrace.kernels.segments import Floats, Indexes
from headrace.memory.rows import TIME

Choice: TypeAlias = slice | Indexes
"""What selects stretches; a slice, where it does, is faster."""

DIRECT: Final[Mapping[str, int]] = {
    "count": N,
    "sum": SUM,
    "mean": CENTRE,
    "min": LEAST,
    "max": GREATEST,
    "first": FIRST,
    "last": LAST,
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
        needs: dict[tuple[int, int], list[Need]] = {}
        for _, function, column, window, _ in wanted:
            needs.setdefault((self.columns.index(column), window), []).append(_NEEDS[function])
        merged = {pair: Need.all_of(own) for pair, own in needs.items()}
        self.stretches = sorted(merged)
        """Pairs of column and window."""
        self.needs = [merged[pair] for pair in self.stretches]
        """What is computed of each stretch."""
        self.need = Need.all_of(self.needs)
        """What is computed at all."""
        self._columns = [column for column, _ in self.stretches]
        self._windows = [window for _, window in self.stretches]
        at = {pair: i for i, pair in enumerate(self.stretches)}
        self._direct: list[tuple[int, int, int]] = []
        derived: dict[tuple[str, float], list[tuple[int, int]]] = {}
        for row, function, column, window, per in wanted:
            stretch = at[self.columns.index(column), window]
            if function in DIRECT:
                self._direct.append((row, DIRECT[function], stretch))
            else:
                derived.setdefault((function, per), []).append((row, stretch))
        self._direct_table = np.array(self._direct, np.int64).reshape(-1, 3).T
        self._derived = [
            (function, per, np.array([row for row, _ in pairs]), choice([at for _, at in pairs]))
            for (function, per), pairs in derived.items()
        ]
        self._each = [
            (row, function, per, stretch)
            for (function, per), pairs in derived.items()
            for row, stretch in pairs
        ]
        self._rows = np.array([row for row, *_ in (*self._direct, *self._each)], np.int64)

    def describe(self, line: FieldLine, lows: Indexes, highs: Indexes) -> Floats:
        """Compute the statistics of all stretches.

        Parameters
        ----------
        line
            The columns of this plan, and others behind them.
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
        times = line.times() if self.need.times else line.words[TIME]
        table = describe(line.values, times, starts.reshape(-1), stops.reshape(-1), self.needs)
        return table.reshape(SIZE, *starts.shape)

    def describe_one(self, line: FieldLine, lows: list[int], highs: list[int]) -> list[list[float]]:
        """Compute the same of one entity.

        Parameters
        ----------
        line
            The columns of this plan, and others behind them.
        lows, highs
            The entity's windows.

        Returns
        -------
        columns
            The columns of the table.
        """
        starts = [lows[window] + column * line.rows for column, window in self.stretches]
        stops = [highs[window] + column * line.rows for column, window in self.stretches]
        if line.before is not None:
            starts, stops = line.before[starts].tolist(), line.before[stops].tolist()
        return describe_one(line.values, line.times, starts, stops, self.needs, self.need.extremes)

    def finish(self, table: Floats, out: Floats) -> None:
        """Compute the features.

        Parameters
        ----------
        table
            The statistics, shape ``(SIZE, stretches, n)``.
        out
            Matrix of results, shape ``(features, n)``. What is not finite there is null.
        """
        rows, statistics, stretches = self._direct_table
        out[rows] = table[statistics, stretches]
        for function, per, own, chosen in self._derived:
            out[own] = DERIVED[function](table[:, chosen], per)

    def finish_one(self, columns: list[list[float]], out: Floats) -> None:
        """Compute the features of one entity.

        Parameters
        ----------
        columns
            The columns of the table.
        out
            Matrix of results, shape ``(features, 1)``.
        """
        results = [columns[stretch][statistic] for _, statistic, stretch in self._direct]
        for _, function, per, stretch in self._each:
            plain = _PLAIN.get(function)
            if plain is None:
                table = np.array(columns[stretch])[:, None]
                results.append(DERIVED[function](table, per).item())
            else:
                results.append(plain(columns[stretch]))
        out[self._rows, 0] = results


def choice(indexes: Sequence[int]) -> Choice:
    """Return what selects some of an array."""
    if indexes and list(indexes) == list(range(indexes[0], indexes[-1] + 1)):
        return slice(indexes[0], indexes[-1] + 1)
    return np.array(indexes, np.int64)


def _variance(table: Floats, _: float) -> Floats:
    variances: Floats = table[M2] / (table[N] - 1.0)
    return variances


def _deviation(table: Floats, _: float) -> Floats:
    deviations: Floats = np.sqrt(table[M2] / (table[N] - 1.0))
    return deviations


def _is_constant(table: Floats) -> Floats:
    """Tell where the values differ by no more than the last bit of their mean: where they are equal."""
    limits = _EPSILON * table[CENTRE]
    constant: Floats = table[M2] <= table[N] * (limits * limits)
    return constant


def _skew(table: Floats, _: float) -> Floats:
    n, m2 = table[N], table[M2]
    skews = n * np.sqrt(n - 1.0) / (n - 2.0) * (table[M3] / (m2 * np.sqrt(m2)))
    result: Floats = np.where(_is_constant(table), 0.0, skews)
    result[n < 3.0] = np.nan
    return result


def _kurtosis(table: Floats, _: float) -> Floats:
    n, m2 = table[N], table[M2]
    scale = (n - 2.0) * (n - 3.0)
    shares = n * (n + 1.0) * (n - 1.0) * (table[M4] / (m2 * m2)) / scale
    result: Floats = np.where(_is_constant(table), 0.0, shares - 3.0 * (n - 1.0) * (n - 1.0) / scale)
    result[n < 4.0] = np.nan
    return result


def _squares_of_numbers(n: Floats) -> Floats:
    """Sum of the squares of 0 … n - 1 about their mean."""
    return (n - 1.0) * n * (n + 1.0) / 12.0


def _row_slope(table: Floats, _: float) -> Floats:
    slopes: Floats = table[SXY] / _squares_of_numbers(table[N])
    return slopes


def _row_intercept(table: Floats, per: float) -> Floats:
    middles = (table[N] - 1.0) / 2.0
    intercepts: Floats = table[CENTRE] - _row_slope(table, per) * middles
    return intercepts


def _row_r2(table: Floats, _: float) -> Floats:
    return _r2(table, table[SXY], _squares_of_numbers(table[N]))


def _time_slope(table: Floats, per: float) -> Floats:
    slopes: Floats = table[SXT] / table[SXX] * per
    return slopes


def _time_intercept(table: Floats, _: float) -> Floats:
    middles = table[X_CENTRE] + table[X_REST]
    intercepts: Floats = table[CENTRE] - table[SXT] / table[SXX] * middles
    return intercepts


def _time_r2(table: Floats, _: float) -> Floats:
    return _r2(table, table[SXT], table[SXX])


def _r2(table: Floats, products: Floats, squares: Floats) -> Floats:
    shares = np.minimum(products / table[M2] * (products / squares), 1.0)
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


def _plain_variance(column: list[float]) -> float:
    others = column[N] - 1.0
    return column[M2] / others if others > 0.0 else math.nan


def _plain_slope(column: list[float]) -> float:
    n = column[N]
    return column[SXY] / ((n - 1.0) * n * (n + 1.0) / 12.0) if n > 1.0 else math.nan


_PLAIN: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "var": _plain_variance,
    "std": lambda column: math.sqrt(_plain_variance(column)),
    "row_slope": _plain_slope,
}
"""The most frequent of them in plain numbers, which for one entity are faster than arrays of one."""

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

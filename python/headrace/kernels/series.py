"""Functions of events in time: decayed sums, rates, differences, gaps.

Sums run through ``np.add.reduceat`` over the rows of a window, so that an entity has the same bits alone and
among many. Weights are powers of two by ``np.exp2``: on NumPy 2.4, with AVX-512 and without, it gave each of
20,000 numbers the same bits alone, in 4,000 slices of any length and alignment, and with strides."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from headrace.kernels.lines import Line, lay_out
from headrace.kernels.orders import quantile_of, sort_line
from headrace.kernels.segments import Floats, Indexes, Segments
from headrace.memory.rows import FAR
from headrace.wire.plan import PlanFeature

_Number = TypeVar("_Number", np.int64, np.float64)

SECOND: Final = 1_000_000

_TO_DEVIATION: Final = 1.4826
"""From the median distance to the median to the standard deviation, where values are normal."""


class SeriesPlan:
    """All functions of time series of one field, or of the times of events."""

    __slots__ = ("windows",)

    def __init__(self, wanted: Sequence[tuple[int, PlanFeature, int]]) -> None:
        """Sort features by the window that they share.

        Parameters
        ----------
        wanted
            Each feature with its row in the result and its window's index in :class:`Segments`.

        Raises
        ------
        ValueError
            Where a feature has a function that this worker does not know.
        """
        self.windows: dict[int, list[tuple[int, PlanFeature]]] = {}
        for row, feature, window in wanted:
            if feature["function"] not in SERIES:
                raise ValueError(
                    f"a feature has the function {feature['function']!r}, which this worker does not know"
                )
            self.windows.setdefault(window, []).append((row, feature))


def compute_series(
    plan: SeriesPlan, segments: Segments, ends: Indexes, out: Floats, valid_until: Indexes
) -> None:
    """Compute the functions of one field.

    Parameters
    ----------
    plan
        What to compute.
    segments
        The values; of functions without a field only the times are read.
    ends
        Ends of the windows (``as_of`` less the offset), microseconds, shape ``(windows,)``.
    out
        Matrix of results, shape ``(features, n)``, full of NaN; what is not null is filled in. The caller
        makes null what is not finite.
    valid_until
        Brought down to the next moment at which a value moves on by itself, microseconds, shape ``(n,)``.
        Rows that enter and leave are the caller's.
    """
    for window, features in plan.windows.items():
        for row, feature in features:
            if feature["function"] in ("rate", "decayed_sum"):
                out[row] = 0.0
        line = lay_out(segments, window)
        if line is None:
            continue
        series = Series(segments, line, int(ends[window]))
        for row, feature in features:
            out[row, line.entities] = SERIES[feature["function"]](series, feature)
            moves = _MOVES.get(feature["function"])
            if moves is not None:
                moments = moves(series, feature)
                valid_until[line.entities] = np.minimum(valid_until[line.entities], moments)


class Series:
    """The rows of one window of `m` entities, none of them without any."""

    __slots__ = ("_newest", "_segments", "_times", "_values", "end", "first", "last", "line")

    def __init__(self, segments: Segments, line: Line, end: int) -> None:
        """Take a line of some segments and the window's end."""
        self._segments = segments
        self._newest: dict[int, tuple[Floats, Indexes]] = {}
        self._times: Indexes | None = None
        self._values: Floats | None = None
        self.line = line
        self.end = end
        self.first: Indexes = segments.times[line.lows]
        """Timestamps of the oldest rows, microseconds, shape ``(m,)``."""
        self.last: Indexes = segments.times[line.highs - 1]
        """Timestamps of the newest rows, microseconds, shape ``(m,)``."""

    @property
    def times(self) -> Indexes:
        """Timestamps of the rows, one entity after the other, microseconds."""
        if self._times is None:
            self._times = self._segments.times[self.line.rows]
        return self._times

    @property
    def values(self) -> Floats:
        """Values of the rows, one entity after the other."""
        if self._values is None:
            self._values = self._segments.values[self.line.rows]
        return self._values

    def each(self, numbers: NDArray[_Number]) -> NDArray[_Number]:
        """Return one number an entity as one a row, or as it is where there is one entity."""
        return numbers if len(numbers) == 1 else np.repeat(numbers, self.line.sizes)

    def add(self, rows: Floats) -> Floats:
        """Add up one number a row."""
        sums: Floats = np.add.reduceat(rows, self.line.starts)
        return sums

    def newest(self, back: int) -> tuple[Floats, Indexes]:
        """Return value and timestamp of the newest rows but `back`; where there are fewer, of any row."""
        if back not in self._newest:
            places = np.maximum(self.line.highs - (1 + back), 0)
            self._newest[back] = self._segments.values[places], self._segments.times[places]
        return self._newest[back]

    def velocity(self, back: int, per: float) -> Floats:
        """Return the difference over time of the newest rows but `back`, and the rows before them."""
        value, time = self.newest(back)
        before, earlier = self.newest(back + 1)
        velocities: Floats = (value - before) / ((time - earlier) / per)
        return self.where_rows(2 + back, velocities)

    def where_rows(self, least: int, numbers: Floats) -> Floats:
        """Return numbers, NaN where there are fewer rows than some."""
        kept: Floats = np.where(self.line.sizes >= least, numbers, np.nan)
        return kept


def _ewma(series: Series, feature: PlanFeature) -> Floats:
    weights = _weights(series.each(series.last) - series.times, feature)
    return series.add(weights * series.values) / series.add(weights)


def _decayed_sum(series: Series, feature: PlanFeature) -> Floats:
    step = feature["step"]
    weights = _weights(np.maximum(series.end // step * step - series.times, 0), feature)
    return series.add(weights * series.values if "field" in feature else weights)


def _weights(ages: Indexes, feature: PlanFeature) -> Floats:
    """Return weights that halve with each half-life of age."""
    weights: Floats = np.exp2(ages / -float(feature["half_life"]))
    return weights


def _next_step(series: Series, feature: PlanFeature) -> Indexes:
    step = feature["step"]
    return np.full(len(series.last), (series.end // step + 1) * step + _offset(feature))


def _offset(feature: PlanFeature) -> int:
    """Return by how much a moment follows the end of the window, microseconds."""
    return feature["window"].get("offset", 0)


def _rate(series: Series, feature: PlanFeature) -> Floats:
    units = feature["window"]["time"] / _unit(feature)
    amounts = series.add(series.values) if "field" in feature else series.line.sizes
    rates: Floats = amounts / units
    return rates


def _unit(feature: PlanFeature) -> float:
    """Return a feature's unit of time in microseconds."""
    return float(feature.get("per", SECOND))


def _velocity(series: Series, feature: PlanFeature) -> Floats:
    return series.velocity(0, _unit(feature))


def _acceleration(series: Series, feature: PlanFeature) -> Floats:
    unit = _unit(feature)
    # The middles of the two stretches lie half of both together apart.
    apart = (series.last - series.newest(2)[1]) / 2.0 / unit
    gained: Floats = (series.velocity(0, unit) - series.velocity(1, unit)) / apart
    return gained


def _autocorrelation(series: Series, feature: PlanFeature) -> Floats:
    lag = int(feature["lag"])
    line = series.line
    coefficients = np.full(len(line.sizes), np.nan)
    chosen = np.flatnonzero(line.sizes >= lag + 2)
    if not len(chosen):
        return coefficients
    sizes = line.sizes[chosen] - lag
    ends = np.cumsum(sizes)
    starts = ends - sizes
    if len(line.sizes) == 1:
        before, after = series.values[:-lag], series.values[lag:]
    else:
        places = np.arange(ends[-1]) + np.repeat(line.starts[chosen] - starts, sizes)
        before, after = series.values[places], series.values[places + lag]

    def centred(values: Floats) -> tuple[Floats, Floats]:
        """Return values about their mean, and the root of the sum of their squares; of equal ones it is 0."""
        about = values
        for _ in range(2):  # what the mean of great numbers is off by, the mean of what is left tells
            means = np.add.reduceat(about, starts) / sizes
            about = about - (means if len(means) == 1 else np.repeat(means, sizes))
        varied = np.minimum.reduceat(values, starts) < np.maximum.reduceat(values, starts)
        return about, np.sqrt(np.add.reduceat(about * about, starts)) * varied

    before, spread_before = centred(before)
    after, spread_after = centred(after)
    products = np.add.reduceat(before * after, starts)
    # Of equal values 0 / 0 is null; rounding may bring perfect correlation past 1.
    coefficients[chosen] = np.clip(products / spread_before / spread_after, -1.0, 1.0)
    coefficients[chosen[(spread_before == 0.0) | (spread_after == 0.0)]] = np.nan
    return coefficients


def _steps_since(series: Series, times: Indexes, feature: PlanFeature) -> Floats:
    step = feature["step"]
    passed: Floats = (series.end - times) // step * step / SECOND
    return passed


def _step_after(series: Series, times: Indexes, feature: PlanFeature) -> Indexes:
    step = feature["step"]
    return times + ((series.end - times) // step + 1) * step + _offset(feature)


def _duration(series: Series, feature: PlanFeature) -> Floats:
    seconds: Floats = (series.last - series.first) / SECOND
    return seconds


def _mean_gap(series: Series, feature: PlanFeature) -> Floats:
    return series.where_rows(2, _duration(series, feature) / (series.line.sizes - 1))


def _recent(series: Series, feature: PlanFeature) -> Indexes:
    """Return how many rows are recent."""
    recent = series.times > series.end - feature["recent"]
    counts: Indexes = np.add.reduceat(recent, series.line.starts, dtype=np.int64)
    return counts


def _burst(series: Series, feature: PlanFeature) -> Floats:
    recent = _recent(series, feature)
    span = feature["recent"]
    now = recent / span
    before = (series.line.sizes - recent) / (feature["window"]["time"] - span)
    ratios: Floats = now / before
    return ratios


def _oldest_recent_leaves(series: Series, feature: PlanFeature) -> Indexes:
    recent = _recent(series, feature)
    oldest = series.times[series.line.ends - np.maximum(recent, 1)]
    leaves: Indexes = np.where(recent > 0, oldest + feature["recent"] + _offset(feature), FAR)
    return leaves


def _anomaly_score(series: Series, feature: PlanFeature) -> Floats:
    line = series.line
    ordered = series.values.copy()
    sort_line(ordered, line, [0.5])
    medians = quantile_of(ordered, line, 0.5)
    distances = np.abs(series.values - series.each(medians))
    sort_line(distances, line, [0.5])
    spreads = _TO_DEVIATION * quantile_of(distances, line, 0.5)
    scores: Floats = (series.newest(0)[0] - medians) / spreads
    return scores


SERIES: Final[Mapping[str, Callable[[Series, PlanFeature], Floats]]] = {
    "ewma": _ewma,
    "decayed_sum": _decayed_sum,
    "rate": _rate,
    "velocity": _velocity,
    "acceleration": _acceleration,
    "autocorrelation": _autocorrelation,
    "time_since_last": lambda series, feature: _steps_since(series, series.last, feature),
    "time_since_first": lambda series, feature: _steps_since(series, series.first, feature),
    "duration": _duration,
    "mean_gap": _mean_gap,
    "burst": _burst,
    "anomaly_score": _anomaly_score,
}
"""The functions that this module computes: from the rows of a window to one number an entity."""

_MOVES: Final[Mapping[str, Callable[[Series, PlanFeature], Indexes]]] = {
    "decayed_sum": _next_step,
    "time_since_last": lambda series, feature: _step_after(series, series.last, feature),
    "time_since_first": lambda series, feature: _step_after(series, series.first, feature),
    "burst": _oldest_recent_leaves,
}
"""The moments at which the values that move on by themselves next do so."""

"""Order statistics: quantiles, and how often each value occurs.

Each window of a field is sorted once, whatever is asked of it: quantiles are read at their places, and runs
of equal values are counted where neighbours differ. Only the entropy depends on an order of adding, that of
the counts."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from headrace.kernels.lines import Line, lay_out, run_edges
from headrace.kernels.segments import Floats, Indexes, Segments
from headrace.kernels.sketch import Sketch
from headrace.wire.plan import PlanFeature

ORDERS: Final = ("median", "quantile", "nunique", "mode", "entropy", "top_share")
"""The aggregations that this module computes."""

SORTED_MAX: Final = 400
"""Longer stretches of which only quantiles are asked are not sorted but partitioned at the places that they
read."""

Texts: TypeAlias = Callable[[int], str]
"""The text of a category's code."""

Whole: TypeAlias = Callable[[int, int, float], Sketch | None]
"""The sketch of a window of an entity, of an accuracy, where it is not to be made of the rows at hand."""

Shares: TypeAlias = list[tuple[int, float]]
"""Rows of the result, and the share of values below."""


class WindowOrders:
    """What is asked of one window."""

    __slots__ = ("quantiles", "runs", "sketches")

    def __init__(self) -> None:
        """Ask nothing yet."""
        self.quantiles: Shares = []
        self.sketches: dict[float, Shares] = {}
        """By accuracy."""
        self.runs: list[tuple[int, PlanFeature]] = []
        """Rows of the result whose features count equal values."""


class OrderPlan:
    """All order statistics of one field."""

    __slots__ = ("windows",)

    def __init__(self, wanted: Sequence[tuple[int, PlanFeature, int]]) -> None:
        """Sort features by the window that they share.

        Parameters
        ----------
        wanted
            Each feature with its row in the result and its window's index in :class:`Segments`.
        """
        self.windows: dict[int, WindowOrders] = {}
        for row, feature, window in wanted:
            orders = self.windows.setdefault(window, WindowOrders())
            aggregation = feature["aggregation"]
            if aggregation not in ("median", "quantile"):
                orders.runs.append((row, feature))
                continue
            share = float(feature["q"]) if aggregation == "quantile" else 0.5
            if "approximate" in feature:
                orders.sketches.setdefault(float(feature["approximate"]), []).append((row, share))
            else:
                orders.quantiles.append((row, share))


def compute_orders(
    plan: OrderPlan, segments: Segments, out: Floats, texts: Texts | None, whole: Whole | None = None
) -> None:
    """Compute the order statistics of one field.

    Parameters
    ----------
    plan
        What to compute.
    segments
        The values.
    out
        Matrix of results, shape ``(features, n)``, full of NaN; what is not null is filled in. The caller
        makes null what is not finite.
    texts
        Gives the text of a category's code, for a field of categories: of the most frequent, the one with the
        least text is the mode.
    whole
        Gives the sketches of windows whose rows are not all among the segments.
    """
    for window, orders in plan.windows.items():
        for row, feature in orders.runs:
            if feature["aggregation"] == "nunique":
                out[row] = 0.0
        for accuracy, shares in orders.sketches.items():
            _sketch(accuracy, shares, segments, window, out, whole)
        if not orders.quantiles and not orders.runs:
            continue
        if len(out[0]) == 1 and not orders.runs:
            _quantiles_of_one(orders.quantiles, segments, window, out)
            continue
        line = lay_out(segments, window)
        if line is None:
            continue
        values: Floats = line.copy(segments.values)
        sort_line(values, line, None if orders.runs else [share for _, share in orders.quantiles])
        for row, share in orders.quantiles:
            out[row, line.entities] = quantile_of(values, line, share)
        if orders.runs:
            runs = Runs(values, line)
            for row, feature in orders.runs:
                out[row, line.entities] = _count(runs, feature, texts)


def sort_line(values: Floats, line: Line, shares: list[float] | None) -> None:
    """Sort each stretch of a line in place; with `shares` only as far as their quantiles need it."""
    # A sort a stretch is several times faster than one sort of all by (stretch, value).
    for low, high in zip(line.starts.tolist(), line.ends.tolist(), strict=True):
        _sort(values[low:high], shares)


def _sort(values: Floats, shares: list[float] | None) -> None:
    last = len(values) - 1
    if shares is None or last < SORTED_MAX:
        values.sort()
    else:
        below = [int(last * share) for share in shares]
        values.partition(sorted({*below, *(min(place + 1, last) for place in below)}))


def _quantiles_of_one(quantiles: Shares, segments: Segments, window: int, out: Floats) -> None:
    """Fill in the quantiles of a window of one entity."""
    low, high = segments.lows.item(window, 0), segments.highs.item(window, 0)
    if low == high:
        return
    values: Floats = segments.values[low:high].copy()
    _sort(values, [share for _, share in quantiles])
    for row, share in quantiles:
        out[row, 0] = _quantile(values, share)


def _quantile(values: Floats, share: float) -> float:
    # For one entity plain numbers are faster than arrays of one, and the same steps give the same bits.
    last = len(values) - 1
    place = last * share
    at = int(place)
    value: float = values.item(at)
    if place > at:
        value += (values.item(at + 1) - value) * (place - at)
    return value


def quantile_of(values: Floats, line: Line, share: float) -> Floats:
    """Return a quantile of each stretch of a sorted line, linear between the two nearest values."""
    if len(line.starts) == 1:
        return np.array((_quantile(values, share),))
    places = (line.sizes - 1) * share
    whole = places.astype(np.int64)
    rest = places - whole
    at_each = line.starts + whole
    below = values[at_each]
    above = values[np.minimum(at_each + 1, line.ends - 1)]
    between: Floats = np.where(rest > 0.0, below + (above - below) * rest, below)
    return between


class Runs:
    """The runs of equal values in a sorted line: each is a value, and how often it occurs."""

    __slots__ = ("counts", "firsts", "line", "numbers", "values")

    def __init__(self, values: Floats, line: Line) -> None:
        """Count them."""
        edges = run_edges(values, line.starts)
        starts = edges[:-1]
        self.line = line
        self.values: Floats = values[starts]
        """The values of the runs, ascending in each stretch."""
        self.counts: Indexes = edges[1:] - starts
        """How often each value occurs."""
        bounds = np.searchsorted(edges, np.append(line.starts, len(values)))
        self.firsts: Indexes = bounds[:-1]
        """Where the runs of each stretch begin, shape ``(m,)``."""
        self.numbers: Indexes = bounds[1:] - self.firsts
        """How many runs each stretch has, shape ``(m,)``."""

    def each(self, numbers: Indexes) -> Indexes:
        """Return one number a stretch as one a run, or as it is where there is one stretch."""
        return numbers if len(numbers) == 1 else np.repeat(numbers, self.numbers)

    def modes(self, texts: Texts | None) -> Floats:
        """Return the most frequent value of each stretch, of several the least, or with the least text."""
        most = np.maximum.reduceat(self.counts, self.firsts)
        tops = np.flatnonzero(self.counts == self.each(most))
        begins = np.searchsorted(tops, self.firsts)
        modes: Floats = self.values[tops[begins]]
        if texts is not None:
            ties = np.diff(begins, append=len(tops))
            for at in np.flatnonzero(ties > 1).tolist():
                low = int(begins[at])
                codes = self.values[tops[low : low + int(ties[at])]].tolist()
                modes[at] = min(codes, key=lambda code: texts(int(code)))
        return modes

    def entropies(self) -> Floats:
        """Return the Shannon entropy of each stretch's values, in nats."""
        # The codes of texts stand in the order in which these first came: it is not theirs that is added in.
        # The logarithm gives a number the same bits wherever it stands: alone, in a slice, at any alignment.
        shares = self.ranked() / self.each(self.line.sizes)
        sums: Floats = np.add.reduceat(shares * np.log(shares), self.firsts)
        return 0.0 - sums

    def top_shares(self, rank: int) -> Floats:
        """Return the share of each stretch's rank-th most frequent value, NaN where there are fewer."""
        ranked = self.ranked()
        enough = self.numbers >= rank
        places = np.minimum(self.firsts + (rank - 1), len(ranked) - 1)
        shares: Floats = np.where(enough, ranked[places] / self.line.sizes, np.nan)
        return shares

    def ranked(self) -> Indexes:
        """Return the counts, of each stretch the greatest first."""
        # One sort of all: each stretch has a range of numbers of its own, in which greater counts come first.
        tops = self.each((self.counts.max() + 1) * np.arange(1, len(self.firsts) + 1))
        ranked: Indexes = tops - np.sort(tops - self.counts)
        return ranked


def _count(runs: Runs, feature: PlanFeature, texts: Texts | None) -> Floats | Indexes:
    """Compute one feature from the runs of its window."""
    aggregation = feature["aggregation"]
    if aggregation == "nunique":
        return runs.numbers
    if aggregation == "mode":
        return runs.modes(texts)
    if aggregation == "entropy":
        return runs.entropies()
    return runs.top_shares(int(feature["rank"]))


def _sketch(
    accuracy: float, shares: Shares, segments: Segments, window: int, out: Floats, whole: Whole | None
) -> None:
    """Fill in the quantiles of a window that are read from a sketch."""
    bounds = zip(segments.lows[window].tolist(), segments.highs[window].tolist(), strict=True)
    for entity, (low, high) in enumerate(bounds):
        sketch = None if whole is None else whole(window, entity, accuracy)
        if sketch is None:
            if low == high:
                continue
            sketch = Sketch.from_values(segments.values[low:high], accuracy)
        for row, share in shares:
            out[row, entity] = sketch.quantile(share)

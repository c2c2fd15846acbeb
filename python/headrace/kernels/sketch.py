"""Quantile sketches: how many values fall into buckets whose widths grow with what they hold.

DDSketch: C. Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", Proceedings of the VLDB Endowment 12 (12), 2019. With an accuracy ``a`` and
``g = (1 + a) / (1 - a)``, bucket `i` holds what lies above ``g ** (i - 1)`` and up to ``g ** i``, and
``2 * g ** i / (g + 1)`` is off by at most ``a`` of any value in it. The counts are whole numbers: a sketch is
a pure function of its values, whatever their order and however they were split and merged."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from headrace.kernels.lines import run_edges
from headrace.kernels.segments import Floats, Indexes

_MIDDLE: Final = 1 << 40
"""Added to a bucket's index, so that it is above 0 and can carry a sign; it is far above every index."""

_LEAST: Final = float(np.finfo(np.float64).tiny)
"""Values nearer to 0 count as 0."""

_GREATEST: Final = float(np.finfo(np.float64).max)


_NONE: Final = np.empty(0, np.int64)
_ZERO: Final = np.zeros(1, np.int64)


@dataclass(slots=True)
class Sketch:
    """Counts of values by bucket.

    Examples
    --------
    >>> import numpy as np
    >>> sketch = Sketch.from_values(np.arange(1.0, 1001.0), 0.01)
    >>> len(sketch.buckets)
    200
    >>> abs(sketch.quantile(0.5) / 500.5 - 1) <= 0.01
    True
    """

    accuracy: float
    """Relative error that is allowed, between 0 and 1."""
    buckets: Indexes
    """Buckets that hold anything, in the order of their values: those below 0, 0 for zeros, those above."""
    counts: Indexes
    """How many values each holds."""

    @classmethod
    def from_values(cls, values: Floats, accuracy: float) -> "Sketch":
        """Count values.

        Parameters
        ----------
        values
            None of them NaN, shape ``(n,)``.
        accuracy
            Relative error that is allowed, between 0 and 1.
        """
        signed = _signed(values, accuracy)
        signed.sort()
        if not len(signed):
            return cls(accuracy, _NONE, _NONE)
        edges = run_edges(signed, _ZERO)
        return cls(accuracy, signed[edges[:-1]].astype(np.int64), edges[1:] - edges[:-1])

    @classmethod
    def from_stretches(cls, values: Floats, limits: Indexes, accuracy: float) -> "list[Sketch]":
        """Count the values of many stretches, which is faster than one by one.

        Parameters
        ----------
        values, accuracy
            As above.
        limits
            Where the stretches begin, and the end of the last, ascending; all values are in one.
        """
        signed = _signed(values, accuracy)
        bounds = limits.tolist()
        for low, high in pairwise(bounds):
            signed[low:high].sort()
        edges = run_edges(signed, limits)
        counts, buckets = np.diff(edges), signed[edges[:-1]].astype(np.int64)
        # Copies: a view would keep all of them in memory as long as one is used.
        return [
            cls(accuracy, buckets[low:high].copy(), counts[low:high].copy())
            for low, high in pairwise(edges.searchsorted(limits).tolist())
        ]

    @classmethod
    def merge(cls, parts: "Sequence[Sketch]") -> "Sketch":
        """Return the sketch of all values of some sketches of the same accuracy, of at least one."""
        buckets = np.concatenate([part.buckets for part in parts])
        counts = np.concatenate([part.counts for part in parts])
        order = np.argsort(buckets, kind="stable")
        if not len(order):
            return cls(parts[0].accuracy, _NONE, _NONE)
        buckets = buckets[order]
        starts = run_edges(buckets, _ZERO)[:-1]
        return cls(parts[0].accuracy, buckets[starts], np.add.reduceat(counts[order], starts))

    def changed(self, added: "Sequence[Sketch]", removed: "Sequence[Sketch]") -> "Sketch":
        """Return the sketch of the values of this and others, without those of some that it holds."""
        gone = (Sketch(self.accuracy, part.buckets, -part.counts) for part in removed)
        whole = Sketch.merge([self, *added, *gone])
        kept = whole.counts > 0
        return Sketch(self.accuracy, whole.buckets[kept], whole.counts[kept])

    def quantile(self, share: float) -> float:
        """Return a quantile, linear between the two nearest values, NaN where there are no values.

        Each of the two is off by at most the accuracy, and so is what lies between them. Where they have
        different signs, it is off by at most that share of the larger of them.

        Parameters
        ----------
        share
            The share of values below, 0 to 1.
        """
        until = np.cumsum(self.counts)
        if not len(until):
            return float("nan")
        last = until.item(-1) - 1
        place = last * share
        at = int(place)
        value = self._value(until, at)
        if place > at:
            value += (self._value(until, at + 1) - value) * (place - at)
        return value

    def _value(self, until: Indexes, rank: int) -> float:
        """Return the value that stands for the one with a rank from 0, given the cumulated counts."""
        bucket = self.buckets.item(until.searchsorted(rank, "right"))
        if bucket == 0:
            return 0.0
        place = abs(bucket) - _MIDDLE
        if place == _MIDDLE:
            return float(np.copysign(np.inf, bucket))
        # 2 / (g + 1) is 1 - a.
        with np.errstate(over="ignore"):
            size = np.exp(place * _width(self.accuracy) + np.log1p(-self.accuracy))
        return float(np.copysign(min(size, _GREATEST), bucket))


def _signed(values: Floats, accuracy: float) -> Floats:
    """Return the buckets of values, in the order of the values."""
    sizes = np.abs(values)
    with np.errstate(divide="ignore"):
        places = np.ceil(np.log(sizes) / _width(accuracy)).clip(1 - _MIDDLE, _MIDDLE) + _MIDDLE
    signed: Floats = np.where(sizes < _LEAST, 0.0, np.copysign(places, values))
    return signed


def _width(accuracy: float) -> float:
    """Return the natural logarithm of g."""
    return float(np.log1p(accuracy) - np.log1p(-accuracy))

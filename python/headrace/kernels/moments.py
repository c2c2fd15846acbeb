"""Mergeable statistics: sums, moments about the mean, extremes, ends, and sums for a regression.

:func:`describe` makes them of stretches of values, :func:`merge` makes those of a whole from those of its
parts, so that a long window can be put together from tiles. Both see to it that a stretch has the same bits
alone and among others: whatever adds up rows or parts is ``np.add.reduceat`` over them in order, and the rest
is element by element.

Squares and higher powers are taken about the mean as it comes out of a division, which is off by up to half
a unit in the last place: `rest` is what it is off by, and the powers are corrected for it. So values of
1e9 ± 0.1 have a standard deviation as good as those of ± 0.1. The rules for merging are those of P. Pébay,
"Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments",
Sandia report SAND2008-6212, 2008, which extend T. F. Chan, G. H. Golub and R. J. LeVeque, 1979."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.kernels.segments import Floats, Indexes

SIZE: Final = 17
"""Number of statistics."""

(
    N,
    SUM,
    CENTRE,
    REST,
    M2,
    M3,
    M4,
    LEAST,
    GREATEST,
    FIRST,
    LAST,
    SXY,
    ORIGIN,
    X_CENTRE,
    X_REST,
    SXX,
    SXT,
) = range(SIZE)
"""Rows of a table of statistics, whose columns are stretches:

the number of values; their sum; their mean, and what it is off by; sums of the second, third and fourth
power about the mean; extremes; first and last; the sum of products with the values' numbers, both about
their means; then, x being the timestamp in microseconds, the first one, the mean from there on, what it is
off by, the sum of squares about the mean, the sum of products with the values. N and SUM of an empty stretch
are 0, the others NaN.
"""


@dataclass(frozen=True, slots=True)
class Need:
    """Which statistics are to be computed; N, SUM and CENTRE always are."""

    centred: bool = False
    """REST and M2."""
    powers: bool = False
    """M3 and M4."""
    extremes: bool = False
    ends: bool = False
    numbers: bool = False
    """SXY."""
    times: bool = False
    """ORIGIN to SXT."""

    @classmethod
    def all_of(cls, needs: Iterable["Need"]) -> "Need":
        """Return what serves several."""
        every = list(needs)
        return cls(*(any(getattr(need, name) for need in every) for name in cls.__slots__))


ALL: Final = Need(True, True, True, True, True, True)


def describe(values: Floats, times: Indexes, lows: Indexes, highs: Indexes, needs: Sequence[Need]) -> Floats:
    """Compute the statistics of stretches.

    Parameters
    ----------
    values
        None of them NaN, shape ``(rows + 1,)``; the last is a stop of any content.
    times
        Timestamps of the values, microseconds, of the same shape.
    lows, highs
        The stretches, shape ``(k,)``; they may overlap and may be empty.
    needs
        What to compute: of the first stretches, of as many after them, and so on.

    Returns
    -------
    table
        Shape ``(SIZE, k)``.
    """
    k = len(lows)
    table = np.empty((SIZE, k))
    sizes = highs - lows
    table[N] = sizes
    pairs = np.empty((k, 2), np.int64)
    pairs[:, 0] = lows
    pairs[:, 1] = highs
    flat = pairs.reshape(-1)
    # What lies between two stretches is reduced for nobody.
    table[SUM] = np.add.reduceat(values, flat)[::2]
    empty: NDArray[np.bool_] | None = None
    if np.count_nonzero(sizes) < k:
        empty = sizes == 0
        table[SUM, empty] = 0.0
    np.divide(table[SUM], table[N], out=table[CENTRE])
    if any(need.extremes for need in needs):
        table[LEAST] = np.minimum.reduceat(values, flat)[::2]
        table[GREATEST] = np.maximum.reduceat(values, flat)[::2]
    if any(need.ends for need in needs):
        table[FIRST] = values.take(lows)
        table[LAST] = values.take(highs - 1)
    group = k // len(needs)
    for i, need in enumerate(needs):
        if need.centred:
            filled: slice | Indexes = slice(i * group, (i + 1) * group)
            if empty is not None:
                filled = np.flatnonzero(~empty[filled]) + i * group
            _centred(table, values, times, (lows, highs, sizes), filled, need)
    if empty is not None:
        table[CENTRE:, empty] = np.nan
    return table


def describe_one(
    values: Floats,
    times: Callable[[], Indexes],
    lows: list[int],
    highs: list[int],
    needs: Sequence[Need],
    extremes: bool,
) -> list[list[float]]:
    """Compute the same statistics, to the bit, of a few stretches, in plain numbers where that is faster.

    Parameters
    ----------
    values, times, lows, highs
        As in :func:`describe`; the times are asked for where they are needed.
    needs
        What to compute of each stretch.
    extremes
        Whether one of them needs extremes.

    Returns
    -------
    columns
        The columns of the table; what is not needed is of no meaning.
    """
    limits = np.array([limit for pair in zip(lows, highs, strict=True) for limit in pair], np.int64)
    sums = np.add.reduceat(values, limits)[::2].tolist()
    least = greatest = sums
    if extremes:
        least = np.minimum.reduceat(values, limits)[::2].tolist()
        greatest = np.maximum.reduceat(values, limits)[::2].tolist()
    columns: list[list[float]] = []
    for i, need in enumerate(needs):
        low, high = lows[i], highs[i]
        if low == high:
            columns.append(list(_EMPTY))
            continue
        if need.powers or need.times:
            along = times() if need.times else _ZERO
            table = describe(values, along, np.array((low,)), np.array((high,)), [need])
            columns.append(table[:, 0].tolist())
            continue
        n = high - low
        column = [float(n), sums[i], sums[i] / n, *_NONE]
        column[LEAST], column[GREATEST] = least[i], greatest[i]
        if need.ends:
            column[FIRST], column[LAST] = values.item(low), values.item(high - 1)
        if need.centred:
            centred = values[low:high] - column[CENTRE]
            first = np.add.reduceat(centred, _ZERO).item()
            rest = first / n
            column[REST] = rest
            column[M2] = max(np.add.reduceat(centred * centred, _ZERO).item() - first * rest, 0.0)
            if need.numbers:
                numbers = (_NUMBERS[:n] if n <= len(_NUMBERS) else np.arange(0.0, n)) - (n - 1) / 2
                column[SXY] = np.add.reduceat(centred * numbers, _ZERO).item()
        columns.append(column)
    return columns


def _centred(
    table: Floats,
    values: Floats,
    times: Indexes,
    stretches: tuple[Indexes, Indexes, Indexes],
    filled: slice | Indexes,
    need: Need,
) -> None:
    """Fill in what is taken about means."""
    lows, highs, sizes = (limits[filled] for limits in stretches)
    if not len(lows):
        return
    rows, starts = _side_by_side(lows, highs, sizes)
    only = len(lows) == 1

    def each(numbers: Floats) -> Floats:
        return numbers if only else numbers.repeat(sizes)

    def add(numbers: Floats) -> Floats:
        sums: Floats = np.add.reduceat(numbers, starts)
        return sums

    n = table[N, filled]
    centred = values[rows] - each(table[CENTRE, filled])
    squares = centred * centred
    first = add(centred)
    rest = first / n
    second = add(squares)
    m2 = np.maximum(second - first * rest, 0.0)
    table[REST, filled] = rest
    table[M2, filled] = m2
    if need.powers:
        third = add(squares * centred)
        table[M3, filled] = third - rest * (3.0 * second - 2.0 * rest * first)
        table[M4, filled] = add(squares * squares) - rest * (
            4.0 * third - rest * (6.0 * second - 3.0 * rest * first)
        )
    if need.numbers:
        middles = starts + (n - 1.0) / 2.0
        # The numbers about their mean add up to 0 exactly: what the values' mean is off by does not matter.
        table[SXY, filled] = add(centred * (np.arange(0.0, len(centred)) - each(middles)))
    if need.times:
        origins = times[lows]
        along = times[rows] - (origins if only else np.repeat(origins, sizes))
        middle = add(along.astype(np.float64)) / n
        x = along - each(middle)
        x_first = add(x)
        x_rest = x_first / n
        table[ORIGIN, filled] = origins
        table[X_CENTRE, filled] = middle
        table[X_REST, filled] = x_rest
        table[SXX, filled] = np.maximum(add(x * x) - x_first * x_rest, 0.0)
        table[SXT, filled] = add(x * centred) - x_first * rest


def _side_by_side(lows: Indexes, highs: Indexes, sizes: Indexes) -> tuple[slice | Indexes, Indexes]:
    """Return which rows the stretches are, one after the other, and where each begins among them."""
    if len(lows) == 1:
        return slice(lows.item(), highs.item()), _ZERO
    ends = np.cumsum(sizes)
    starts = ends - sizes
    if (lows[1:] == highs[:-1]).all():
        return slice(lows.item(0), highs.item(-1)), starts
    return np.arange(ends[-1]) + np.repeat(lows - starts, sizes), starts


def merge(parts: Floats, sizes: Indexes, need: Need) -> Floats:
    """Compute the statistics of wholes from those of their parts, from left to right.

    Parameters
    ----------
    parts
        Tables side by side, shape ``(SIZE, p)``, none of a part without values; the parts of a whole stand
        together, in order.
    sizes
        How many parts each whole has, at least 1, shape ``(k,)``.
    need
        What to compute.

    Returns
    -------
    table
        Shape ``(SIZE, k)``.
    """
    ends = sizes.cumsum()
    starts = ends - sizes
    table = np.empty((SIZE, len(sizes)))
    only = len(sizes) == 1

    def each(numbers: Floats) -> Floats:
        return numbers if only else numbers.repeat(sizes)

    def add(numbers: Floats) -> Floats:
        sums: Floats = np.add.reduceat(numbers, starts)
        return sums

    counts = parts[N]
    n = table[N] = add(counts)
    table[SUM] = add(parts[SUM])
    table[CENTRE] = table[SUM] / n
    if need.extremes:
        table[LEAST] = np.minimum.reduceat(parts[LEAST], starts)
        table[GREATEST] = np.maximum.reduceat(parts[GREATEST], starts)
    if need.ends:
        table[FIRST] = parts[FIRST].take(starts)
        table[LAST] = parts[LAST].take(ends - 1)
    if not need.centred:
        return table
    # How far the mean of each part lies from that of the whole.
    off = parts[CENTRE] - each(table[CENTRE]) + parts[REST]
    table[REST] = add(counts * off) / n
    off -= each(table[REST])
    squares = off * off
    table[M2] = add(parts[M2] + counts * squares)
    if need.powers:
        table[M3] = add(parts[M3] + off * (3.0 * parts[M2] + counts * squares))
        table[M4] = add(parts[M4] + off * (4.0 * parts[M3] + off * (6.0 * parts[M2] + counts * squares)))
    if need.numbers:
        before = counts.cumsum() - counts
        along = before - each(before[starts] + (n - 1.0) / 2.0) + (counts - 1.0) / 2.0
        table[SXY] = add(parts[SXY] + counts * along * off)
    if need.times:
        table[ORIGIN] = parts[ORIGIN].take(starts)
        x = (parts[ORIGIN] - each(table[ORIGIN])) + parts[X_CENTRE]
        table[X_CENTRE] = add(counts * x) / n
        x = x - each(table[X_CENTRE]) + parts[X_REST]
        table[X_REST] = add(counts * x) / n
        x -= each(table[X_REST])
        table[SXX] = add(parts[SXX] + counts * x * x)
        table[SXT] = add(parts[SXT] + counts * x * off)
    return table


_ZERO: Final = np.zeros(1, np.int64)
_NUMBERS: Final = np.arange(4096.0)
_NONE: Final = [float("nan")] * (SIZE - 3)
_EMPTY: Final = (0.0, 0.0, float("nan"), *_NONE)

"""When a window comes to have more rows than a number, or no more."""

from bisect import bisect_left
from collections.abc import Sequence

from headrace.memory.rows import FAR, Part


def crossing(
    parts: Sequence[Part], lows: list[int], highs: list[int], leave: int, enter: int, most: int
) -> int:
    """Return when a window may first come to have more than so many rows, or no more: its sums change form.

    Of a window with a filter these are also rows that the filter does not take.

    Parameters
    ----------
    parts
        The entity's rows.
    lows, highs
        Where the window begins and ends in each part.
    leave, enter
        What added to a row's timestamp is the moment at which it leaves and enters.
    most
        How many rows make the difference.
    """
    long = sum(highs) - sum(lows) > most
    while True:
        count = sum(highs) - sum(lows)
        # It cannot be before so many rows have left or entered; by then others may have done the contrary.
        if long:
            moment = nth_time(parts, lows, count - most) + leave
        elif sum(part[3] for part in parts) - sum(highs) > most - count:
            moment = nth_time(parts, highs, most + 1 - count) + enter
        else:
            return FAR
        lows = _places(parts, lows, moment - leave)
        highs = _places(parts, highs, moment - enter)
        if (sum(highs) - sum(lows) > most) != long:
            return moment


def _places(parts: Sequence[Part], lows: list[int], until: int) -> list[int]:
    """Return where in each part, from a place on, the rows after a timestamp begin."""
    return [bisect_left(part[1], until + 1, low, part[3]) for part, low in zip(parts, lows, strict=True)]


def nth_time(parts: Sequence[Part], lows: Sequence[int], n: int) -> int:
    """Return the timestamp of an entity's n-th row, from 1, of those that begin at a place in each part."""
    if len(parts) == 1:
        return int(parts[0][1][lows[0] + n - 1])
    (_, one, _, end), (_, other, _, other_end) = parts
    start, other_start = lows
    # How many of the first n lie in the first part.
    least, most = max(0, n - (other_end - other_start)), min(n, end - start)
    while least < most:
        middle = (least + most) // 2
        if one[start + middle] < other[other_start + n - middle - 1]:
            least = middle + 1
        else:
            most = middle
    last = one[start + least - 1] if least else -FAR
    return int(max(last, other[other_start + n - least - 1] if least < n else -FAR))

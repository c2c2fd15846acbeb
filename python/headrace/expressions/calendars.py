"""Parts of a moment as the calendar of a time zone has them: the twin of ``src/serve/calendar.ts``.

The offset of a zone from UTC is looked up once a day and zone, and on a day on which it changes the second of
the change is searched for: a window of a million rows costs as many look-ups as it has days."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Seconds: TypeAlias = NDArray[np.int64]

DAY_S: Final = 86_400
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAYS_KEPT: Final = 100_000
"""Days of one zone whose offsets are remembered; past them all are forgotten."""


def calendar(function: str, zone: str) -> Callable[[Any], Any]:
    """Return a function of times.

    Parameters
    ----------
    function
        ``hour_of_day`` (0 to 23), ``day_of_week`` (Monday is 0), ``is_weekend`` (1 on Saturday and Sunday),
        ``day_of_month`` (from 1) or ``month`` (from 1).
    zone
        IANA name.

    Returns
    -------
    callable
        From times in microseconds, floats of any shape with NaN for null, to floats of that shape.

    Raises
    ------
    KeyError
        Where there is no such function.
    zoneinfo.ZoneInfoNotFoundError
        Where there is no such zone.

    Examples
    --------
    >>> hour = calendar("hour_of_day", "America/Chicago")
    >>> hour(np.array([993340860e6, np.nan]))
    array([19., nan])
    """
    part = _PARTS[function]
    offsets = _zone(zone)

    def evaluate(times: Any) -> Any:
        moments = np.asarray(times, np.float64)
        known = moments == moments
        seconds = np.where(known, moments, 0.0).astype(np.int64) // 1_000_000
        return np.where(known, part(seconds + offsets(seconds)), np.nan)

    return evaluate


class _Zone:
    """The offsets of one zone."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)
        self._days: dict[int, tuple[int, int, int]] = {}

    def __call__(self, seconds: Seconds) -> Seconds:
        """Return the offsets from UTC at these moments, all in seconds."""
        days, places = np.unique(seconds // DAY_S, return_inverse=True)
        table = np.array([self._day(day) for day in days.tolist()], np.int64).reshape(-1, 3)
        cut, before, after = table.T
        places = places.reshape(seconds.shape)
        return np.asarray(np.where(seconds < cut[places], before[places], after[places]), np.int64)

    def _day(self, day: int) -> tuple[int, int, int]:
        """Return when on a day the offset changes, and what it is before and from then on."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= DAYS_KEPT:
                self._days.clear()
            found = self._days[day] = self._search(day * DAY_S)
        return found

    def _search(self, low: int) -> tuple[int, int, int]:
        high = low + DAY_S
        before, after = self._offset(low), self._offset(high)
        if before == after:
            return low, after, after
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle) == before:
                low = middle
            else:
                high = middle
        return high, before, after

    def _offset(self, second: int) -> int:
        moment = EPOCH + timedelta(seconds=second)
        offset = moment.astimezone(self._zone).utcoffset() or timedelta()
        return round(offset.total_seconds())


class _Utc:
    def __call__(self, seconds: Seconds) -> Seconds:
        return np.zeros_like(seconds)


@lru_cache(maxsize=64)
def _zone(name: str) -> Callable[[Seconds], Seconds]:
    return _Utc() if name == "UTC" else _Zone(name)


def _weekday(local: Seconds) -> Seconds:
    # The epoch was a Thursday.
    return (local // DAY_S + 3) % 7


def _day_of_month(local: Seconds) -> Seconds:
    days = (local // DAY_S).astype("datetime64[D]")
    number: Seconds = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    return number


def _month(local: Seconds) -> Seconds:
    return (local // DAY_S).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1


_PARTS: Final[Mapping[str, Callable[[Seconds], Any]]] = {
    "hour_of_day": lambda local: local % DAY_S // 3600,
    "day_of_week": _weekday,
    "is_weekend": lambda local: _weekday(local) >= 5,
    "day_of_month": _day_of_month,
    "month": _month,
}

"""Features of departures that the YAML cannot say."""

from typing import TypedDict

import pandas as pd
from headrace import feature

LATE_MINUTES = 15


@feature
def carried(window: pd.DataFrame, as_of: pd.Timestamp) -> float | None:
    """Return the share of late departures whose predecessor was late too."""
    late = window["delay"].dropna() > LATE_MINUTES
    after_late = late.shift(fill_value=False)[late]
    return float(after_late.mean()) if len(after_late) else None


class Peak(TypedDict):
    """What :func:`peak` returns."""

    hour: int | None
    departures: int


@feature
def peak(window: pd.DataFrame, as_of: pd.Timestamp) -> Peak:
    """Return the hour of the day in UTC that had most departures, the first of several, and their number."""
    hours = window["timestamp"].dt.hour.value_counts().sort_index()
    if not len(hours):
        return {"hour": None, "departures": 0}
    return {"hour": int(hours.idxmax()), "departures": int(hours.max())}

"""The plans that the benchmark of the kernels computes, and the same features by pandas."""

from typing import Any

import numpy as np
import pandas as pd
from headrace.wire.plan import Plan

HOUR = 3_600_000_000
DAY, WEEK, MONTH = 24 * HOUR, 7 * 24 * HOUR, 31 * 24 * HOUR

SCHEMA: Any = {
    "source": "departures",
    "columns": [
        {"name": "@timestamp", "dtype": "i8"},
        {"name": "@airport", "dtype": "i4"},
        {"name": "delay", "dtype": "f8"},
        {"name": "distance", "dtype": "f8"},
    ],
}


def statistical(name: str, aggregation: str, window: int, field: str | None = "delay", **more: Any) -> Any:
    """Return a feature of the departures."""
    feature = {"name": name, "type": "statistical", "output": "float64", "source": "departures"}
    feature |= {"aggregation": aggregation, "window": {"time": window}, **more}
    return feature | ({} if field is None else {"field": field})


def series(name: str, function: str, window: int, field: str | None = "delay", **more: Any) -> Any:
    """Return a feature of the departures in their order."""
    feature = {"name": name, "type": "time_series", "output": "float64", "source": "departures"}
    feature |= {"function": function, "window": {"time": window}, **more}
    return feature | ({} if field is None else {"field": field})


def expression(name: str, tree: Any) -> Any:
    """Return a feature made of others."""
    return {"name": name, "type": "expression", "output": "float64", "expression": tree}


def plan_of(features: list[Any], retention: int = MONTH) -> Plan:
    """Return a plan about airports."""
    fields: Any = [{"name": name, "type": "float"} for name in ("delay", "distance")]
    source: Any = {
        "name": "departures",
        "template": [],
        "timestamp": "date",
        "fields": fields,
        "retention": retention,
    }
    return {
        "entity": "airport",
        "sources": [source],
        "features": features,
        "order": list(range(len(features))),
    }


TWENTY = plan_of(
    [
        statistical("departures_1h", "count", HOUR, None),
        statistical("departures_24h", "count", DAY, None),
        statistical("departures_7d", "count", WEEK, None),
        statistical("distance_sum_24h", "sum", DAY, "distance"),
        statistical("distance_mean_7d", "mean", WEEK, "distance"),
        statistical("delay_mean_1h", "mean", HOUR),
        statistical("delay_max_1h", "max", HOUR),
        statistical("delay_mean_24h", "mean", DAY),
        statistical("delay_std_24h", "std", DAY),
        statistical("delay_min_24h", "min", DAY),
        statistical("delay_max_24h", "max", DAY),
        statistical("delay_median_24h", "median", DAY),
        statistical("delay_mean_7d", "mean", WEEK),
        statistical("delay_std_7d", "std", WEEK),
        statistical("delay_q90_7d", "quantile", WEEK, q=0.9),
        statistical("delay_last", "last", WEEK),
        series("delay_trend_7d", "linear_regression", WEEK),
        expression(
            "delay_z", ["/", ["-", ["ref", "delay_last"], ["ref", "delay_mean_7d"]], ["ref", "delay_std_7d"]]
        ),
        expression("departures_share_1h", ["/", ["ref", "departures_1h"], ["ref", "departures_24h"]]),
        expression("delay_rise", ["-", ["ref", "delay_mean_1h"], ["ref", "delay_mean_24h"]]),
    ]
)
"""Twenty features as in the flights example: three windows of one source, the longest a week."""


def by_pandas(frame: pd.DataFrame, as_of: int) -> dict[str, Any]:
    """Return :data:`TWENTY` of an entity's rows, the time being a column of whole numbers."""
    hour, day, week = (frame[frame["date"] > as_of - length] for length in (HOUR, DAY, WEEK))
    values: dict[str, Any] = {
        "departures_1h": len(hour),
        "departures_24h": len(day),
        "departures_7d": len(week),
        "distance_sum_24h": day["distance"].sum(),
        "distance_mean_7d": week["distance"].mean(),
        "delay_mean_1h": hour["delay"].mean(),
        "delay_max_1h": hour["delay"].max(),
        "delay_mean_24h": day["delay"].mean(),
        "delay_std_24h": day["delay"].std(),
        "delay_min_24h": day["delay"].min(),
        "delay_max_24h": day["delay"].max(),
        "delay_median_24h": day["delay"].median(),
        "delay_mean_7d": week["delay"].mean(),
        "delay_std_7d": week["delay"].std(),
        "delay_q90_7d": week["delay"].quantile(0.9),
    }
    delays = week["delay"].dropna().to_numpy()
    values["delay_last"] = delays[-1] if len(delays) else np.nan
    values["delay_trend_7d"] = np.polyfit(np.arange(len(delays)), delays, 1)[0] if len(delays) > 1 else np.nan
    values["delay_z"] = (values["delay_last"] - values["delay_mean_7d"]) / values["delay_std_7d"]
    values["departures_share_1h"] = len(hour) / len(day) if len(day) else np.nan
    values["delay_rise"] = values["delay_mean_1h"] - values["delay_mean_24h"]
    return values


CYTHON = {
    HOUR: {"delay": ["count", "sum", "mean", "max"]},
    DAY: {"delay": ["mean", "std", "min", "max", "median"], "distance": ["sum"]},
    WEEK: {"delay": ["mean", "std", "first", "last"], "distance": ["mean", "var"]},
}
"""Aggregations of a week that pandas' grouped frames have in compiled code, by window and field."""

GROUPED = plan_of(
    [
        statistical(f"{field}_{aggregation}_{window}", aggregation, window, field)
        for window, fields in CYTHON.items()
        for field, aggregations in fields.items()
        for aggregation in aggregations
    ]
)


def by_groups(frame: pd.DataFrame, as_of: int) -> list[pd.DataFrame]:
    """Return :data:`GROUPED` of the rows of many entities."""
    return [
        frame[frame["date"] > as_of - window].groupby("airport", sort=False).agg(fields)
        for window, fields in CYTHON.items()
    ]


MERGEABLE = plan_of(
    [
        statistical("departures", "count", 30 * DAY, None),
        statistical("known", "count", 30 * DAY),
        statistical("delay_sum", "sum", 30 * DAY),
        statistical("delay_mean", "mean", 30 * DAY),
        statistical("delay_std", "std", 30 * DAY),
        statistical("delay_var", "var", 30 * DAY),
        statistical("delay_min", "min", 30 * DAY),
        statistical("delay_max", "max", 30 * DAY),
        statistical("delay_first", "first", 30 * DAY),
        statistical("delay_last", "last", 30 * DAY),
        statistical("late_share", "share_where", 30 * DAY, None, where=[">", ["field", "delay"], 1]),
        series("delay_trend", "linear_regression", 30 * DAY, per=HOUR),
    ]
)
"""What can be computed of parts: an event must not cost more where the window holds more."""

APPROXIMATE = plan_of(
    [
        statistical("delay_median", "median", 30 * DAY, approximate=0.01),
        statistical("delay_q90", "quantile", 30 * DAY, approximate=0.01, q=0.9),
    ]
)
"""Quantiles that are read from a sketch."""

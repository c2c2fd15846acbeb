"""Every statistic and function of time by pandas and SciPy, or in plain words."""

import math
from typing import Any

import numpy as np
import pandas as pd
from headrace.wire.plan import PlanFeature
from scipy import stats

SECOND = 1_000_000

Values = Any
"""A pandas Series; its stubs know no skew of it."""


def order_statistic(feature: PlanFeature, values: pd.Series) -> float:
    """An order statistic of values."""
    aggregation = feature["aggregation"]
    counts = values.value_counts()
    if aggregation == "median":
        return float(values.median())
    if aggregation == "quantile":
        return float(values.quantile(feature["q"]))
    if aggregation == "nunique":
        return float(values.nunique())
    if aggregation == "mode":
        return float(values.mode().iloc[0]) if len(values) else np.nan
    if aggregation == "entropy":
        return float(stats.entropy(counts)) if len(values) else np.nan
    rank = feature["rank"]
    return float(counts.iloc[rank - 1] / len(values)) if rank <= len(counts) else np.nan


def statistic(feature: PlanFeature, column: Values, truth: Values) -> float:
    """A statistic of the field of a window's rows, null where it is; `truth` tells where a filter is true."""
    aggregation = feature["aggregation"]
    if aggregation in ("missing_share", "share_where"):
        shares = column.isna() if aggregation == "missing_share" else truth
        return float(shares.mean()) if len(shares) else math.nan
    if "field" not in feature:
        return float(len(column))
    values = column.dropna()
    if aggregation in ("median", "quantile", "nunique", "mode", "entropy", "top_share"):
        return order_statistic(feature, values)
    if aggregation in ("first", "last"):
        return float(values.iloc[0 if aggregation == "first" else -1]) if len(values) else math.nan
    least = {"skew": 3, "kurtosis": 4}.get(aggregation)
    if least is not None and len(values) >= least and values.nunique() == 1:
        return 0.0
    return float(getattr(values, aggregation)())


def terms(feature: PlanFeature, column: Values) -> float:
    """What the error of a statistic is relative to: the terms that it is made of."""
    values = column.dropna()
    if not len(values):
        return 0.0
    greatest = float(values.abs().max())
    if feature["aggregation"] == "sum":
        return greatest * len(values)
    if feature["aggregation"] == "var":
        return greatest**2
    if feature["aggregation"] in ("skew", "kurtosis"):
        deviation = float(values.std())
        return (greatest / deviation) ** 4 if deviation > 0 else 1.0
    return greatest if feature["aggregation"] in ("mean", "std", "median", "quantile") else 0.0


def regression(feature: PlanFeature, rows: pd.DataFrame) -> float:
    """A line through the rows, by number or by time."""
    result = feature.get("result") or "slope"
    if len(rows) < 2:
        return math.nan
    x: Any = np.arange(len(rows))
    if "per" in feature:
        x = (rows["time"] - rows["time"].iloc[0]).to_numpy() / feature["per"]
    if len(set(x)) == 1 or (result == "r2" and rows["value"].nunique() == 1):
        return math.nan
    line = stats.linregress(x, rows["value"].to_numpy())
    return float(line.rvalue**2 if result == "r2" else getattr(line, result))


def time_series(feature: PlanFeature, rows: Any, end: int) -> float:
    """A function of the rows (`time`, `value`) of a window that ends at a moment."""
    function = feature["function"]
    times, seconds = rows["time"], (rows["time"] - end) / SECOND
    values: Any = rows["value"] if "field" in feature else pd.Series(1.0, rows.index)
    n, unit = len(rows), feature.get("per", SECOND) / SECOND
    if function == "linear_regression":
        return regression(feature, rows)
    if function == "rate":
        return float(values.sum() / (feature["window"]["time"] / SECOND / unit))
    if function == "decayed_sum":
        at = math.floor(end / feature["step"]) * feature["step"]
        return math.fsum(
            value * 0.5 ** (max(0, at - time) / feature["half_life"])
            for value, time in zip(values, times, strict=True)
        )
    if n == 0:
        return math.nan
    if function == "ewma":
        half_life: Any = pd.Timedelta(feature["half_life"], "us")
        return float(values.ewm(halflife=half_life, times=pd.to_datetime(times, unit="us")).mean().iloc[-1])
    if function == "velocity":
        return float((values.diff() / (seconds.diff() / unit)).iloc[-1])
    if function == "acceleration":
        velocities = values.diff() / (seconds.diff() / unit)
        middles = (seconds + seconds.shift()) / 2 / unit
        return float((velocities.diff() / middles.diff()).iloc[-1])
    if function == "autocorrelation":
        lag = feature["lag"]
        if values[lag:].nunique() < 2 or values[:-lag].nunique() < 2:
            return math.nan
        return float(values.autocorr(lag))
    if function in ("time_since_last", "time_since_first"):
        time = times.iloc[-1 if function == "time_since_last" else 0]
        return float(math.floor((end - time) / feature["step"]) * feature["step"] / SECOND)
    if function == "duration":
        return float(seconds.iloc[-1] - seconds.iloc[0]) if n > 1 else 0.0
    if function == "mean_gap":
        return float(np.mean(np.diff(times)) / SECOND) if n > 1 else math.nan
    if function == "burst":
        recent = feature["recent"]
        now = int((times > end - recent).sum())
        rest = (n - now) / (feature["window"]["time"] - recent)
        return now / recent / rest if rest else math.nan
    assert function == "anomaly_score"
    deviation: Any = 1.4826 * (values - values.median()).abs().median()
    return float((values.iloc[-1] - values.median()) / deviation) if deviation else math.nan


def terms_of_time(feature: PlanFeature, rows: pd.DataFrame) -> float:
    """Greatest of the terms that a sum or a difference is made of, in the units of the result."""
    if not len(rows):
        return 0.0
    terms = float(rows["value"].abs().max())
    if feature["function"] in ("ewma", "rate", "decayed_sum"):
        return terms * len(rows)
    if feature["function"] in ("autocorrelation", "anomaly_score"):
        return 1.0
    if feature["function"] == "linear_regression":
        return 1.0 if feature.get("result") == "r2" else terms * 10
    if feature["function"] in ("velocity", "acceleration"):
        gaps = rows["time"].diff().tail(2) / feature.get("per", SECOND)
        least = float(gaps[gaps > 0].min())
        # The oracle's gaps are differences of seconds in floats.
        return (
            terms / least * max(1.0, 1 / least) * max(1.0, SECOND / least / feature.get("per", SECOND) / 1e3)
        )
    return 0.0

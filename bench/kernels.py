"""What a Python worker's own work costs, without the wire: windows, appends, loading.

    .venv/bin/python bench/kernels.py

Prints medians. The plan is about that of the flights example: 300 or 3,000 events in the longest window, and
as many before it, which only the last value looks at.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from headrace.compute import CompiledPlan, compute
from headrace.plan import Plan
from headrace.shards import Needs, Shards

SHARDS = 64
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


def flights_plan() -> Plan:
    """Return a plan of 20 features."""

    def of(name: str, aggregation: str, window: int, field: str | None = "delay", **more: Any) -> Any:
        feature = {"name": name, "type": "statistical", "output": "float64", "source": "departures"}
        feature |= {"aggregation": aggregation, "window": {"time": window}, **more}
        return feature | ({} if field is None else {"field": field})

    features: list[Any] = [
        of("departures_1h", "count", HOUR, None),
        of("departures_24h", "count", DAY, None),
        of("departures_7d", "count", WEEK, None),
        of("distance_sum_24h", "sum", DAY, "distance"),
        of("distance_mean_7d", "mean", WEEK, "distance"),
        of("delay_mean_1h", "mean", HOUR),
        of("delay_max_1h", "max", HOUR),
        of("delay_mean_24h", "mean", DAY),
        of("delay_std_24h", "std", DAY),
        of("delay_min_24h", "min", DAY),
        of("delay_max_24h", "max", DAY),
        of("delay_median_24h", "median", DAY),
        of("delay_mean_7d", "mean", WEEK),
        of("delay_std_7d", "std", WEEK),
        of("delay_q90_7d", "quantile", WEEK, q=0.9),
        of("delay_last", "last", MONTH),
        of("delay_trend_7d", "", WEEK) | {"type": "time_series", "function": "linear_regression"},
    ]
    z = ["/", ["-", ["ref", "delay_last"], ["ref", "delay_mean_7d"]], ["ref", "delay_std_7d"]]
    share = ["/", ["ref", "departures_1h"], ["ref", "departures_24h"]]
    rise = ["-", ["ref", "delay_mean_1h"], ["ref", "delay_mean_24h"]]
    for name, tree in (("delay_z", z), ("departures_share_1h", share), ("delay_rise", rise)):
        features.append({"name": name, "type": "expression", "output": "float64", "expression": tree})
    fields: Any = [{"name": name, "type": "float"} for name in ("delay", "distance")]
    source: Any = {
        "name": "departures",
        "template": [],
        "timestamp": "date",
        "fields": fields,
        "retention": MONTH,
    }
    return {
        "entity": "airport",
        "sources": [source],
        "features": features,
        "order": list(range(len(features))),
    }


def events(
    rng: np.random.Generator, n: int, entities: int, first: int, start: int, end: int
) -> tuple[Any, ...]:
    """Return columns and positions of events spread over a span of time."""
    times = np.sort(rng.integers(start, end, n))
    codes = rng.integers(0, entities, n).astype(np.int32)
    return [times, codes, rng.normal(size=n), rng.normal(size=n)], np.arange(first, first + n)


def median_us(action: Callable[[], object], seconds: float) -> float:
    """Return the median time of an action that is repeated for some seconds."""
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def bench_windows(seconds: float) -> None:
    """Print the cost of computing windows of several sizes, with and without a tail."""
    rng = np.random.default_rng(1)
    plan = flights_plan()
    for rows, entities in ((300, 1), (3000, 1), (300, 1000)):
        shards = Shards(Needs([plan]), SHARDS)
        shards.own(dict.fromkeys(range(SHARDS), 1))
        compiled = CompiledPlan(plan, shards.needs)
        many = max(entities, 50)
        columns, positions = events(rng, 2 * rows * many, many, 1, 0, 2 * WEEK)
        shards.append(SCHEMA, columns, positions, None)
        for part in shards.all_rows():
            part.settle()
        codes = np.arange(entities, dtype=np.int32)
        ask = partial(compute, compiled, shards, codes, 2 * WEEK)
        print(f"{entities:5} x {rows:5} rows             {median_us(ask, seconds):10.1f} us")
        columns, positions = events(rng, 10 * many, many, len(positions) + 1, 2 * WEEK - DAY, 2 * WEEK)
        for i in range(len(positions)):
            shards.append(SCHEMA, [column[i : i + 1] for column in columns], positions[i : i + 1], None)
        print(f"{entities:5} x {rows:5} rows, ten in tail {median_us(ask, seconds):10.1f} us")


def bench_appends(seconds: float) -> None:
    """Print the cost of adding events."""
    rng = np.random.default_rng(2)
    plan = flights_plan()
    for size in (1, 10, 1000, 65_536):
        shards = Shards(Needs([plan]), SHARDS)
        shards.own(dict.fromkeys(range(SHARDS), 1))
        shards.append(SCHEMA, *events(rng, 1_500_000, 229, 1, 0, WEEK), None)
        for part in shards.all_rows():
            part.settle()
        known = 1_500_000
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < 5 or time.perf_counter() < end:
            columns, positions = events(rng, size, 229, known + 1, WEEK, WEEK + HOUR)
            known += size
            started = time.perf_counter()
            shards.append(SCHEMA, columns, positions, None)
            times.append((time.perf_counter() - started) * 1e6)
        middle, mean = statistics.median(times), statistics.mean(times)
        print(f"append of {size:6}: median {middle:9.1f}, mean {mean:9.1f}, max {max(times):9.1f} us")


def bench_load() -> None:
    """Print the cost of loading three million events."""
    rng = np.random.default_rng(3)
    plan = flights_plan()
    shards = Shards(Needs([plan]), SHARDS)
    shards.own(dict.fromkeys(range(0, SHARDS, 2), 1))
    batches = [events(rng, 65_536, 3399, 1 + i * 65_536, i * DAY, (i + 1) * DAY) for i in range(46)]
    started = time.perf_counter()
    for columns, positions in batches:
        shards.append(SCHEMA, columns, positions, None)
    for part in shards.all_rows():
        part.settle()
    print(f"load of half of {46 * 65_536} events for one key: {time.perf_counter() - started:.2f} s")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Times the kernels and the memory of a Python worker.")
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each figure (default: 0.5)")
    options = parser.parse_args()
    bench_windows(options.seconds)
    bench_appends(options.seconds)
    bench_load()


if __name__ == "__main__":
    main()

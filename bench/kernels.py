"""What a Python worker's own work costs, without the wire, beside what pandas takes for the same.

    .venv/bin/python bench/kernels.py

Our side and the other take turns, and medians are compared. Figures are printed as a table, or with
``--json`` one object a line (``node bench/run.ts kernels`` asks so); ``--plot`` draws the cost of an event
against the rows in window. Features that the kernels do not have are left out and named.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from headrace.compute import CompiledPlan, compute
from headrace.memory.shards import Needs, Shards
from headrace.wire.plan import Plan
from kernels_plan import (
    APPROXIMATE,
    DAY,
    GROUPED,
    MERGEABLE,
    SCHEMA,
    TWENTY,
    WEEK,
    by_groups,
    by_pandas,
    plan_of,
)
from kernels_plot import plot

RATIO = "\N{MULTIPLICATION SIGN}"
SHARDS = 64
SIZES = (1_000, 10_000, 100_000, 1_000_000)
NOW = 2 * WEEK

Figures = list[dict[str, Any]]


def owned(plan: Plan) -> Shards:
    """Return shards that are all owned, without rows."""
    shards = Shards(Needs([plan]), SHARDS)
    shards.own(dict.fromkeys(range(SHARDS), 1))
    return shards


def events(
    rng: np.random.Generator, n: int, entities: int, first: int, start: int, end: int
) -> tuple[Any, ...]:
    """Return columns and positions of events spread over a span of time."""
    times = np.sort(rng.integers(start, end, n))
    codes = rng.integers(0, entities, n).astype(np.int32)
    return [times, codes, rng.normal(size=n), rng.normal(size=n)], np.arange(first, first + n)


def filled(plan: Plan, rows: int, entities: int) -> tuple[Shards, pd.DataFrame]:
    """Return shards of `rows` events an entity within the last week, and the same as a frame by entity."""
    shards = owned(plan)
    columns, positions = events(np.random.default_rng(1), rows * entities, entities, 1, NOW - WEEK, NOW)
    # Every entity has as many.
    columns[1] = np.random.default_rng(2).permutation(np.arange(rows * entities) % entities).astype(np.int32)
    shards.append(SCHEMA, columns, positions, None)
    for part in shards.all_rows():
        part.settle()
    names = ["date", "airport", "delay", "distance"]
    frame = pd.DataFrame(dict(zip(names, columns, strict=True))).sort_values("airport", kind="stable")
    return shards, frame.reset_index(drop=True)


def median_s(times: list[float]) -> float:
    """Return the median of durations in seconds."""
    return statistics.median(times)


def interleaved(actions: list[Callable[[], object]], seconds: float) -> list[float]:
    """Return the median time of each action in seconds; the actions take turns, quick ones many at once."""
    repeats = []
    for action in actions:
        action()
        started = time.perf_counter()
        action()
        repeats.append(max(1, min(1000, int(0.01 / max(time.perf_counter() - started, 1e-6)))))
    times: list[list[float]] = [[] for _ in actions]
    end = time.perf_counter() + seconds
    while len(times[0]) < 5 or time.perf_counter() < end:
        for own, action, repeat in zip(times, actions, repeats, strict=True):
            for _ in range(repeat):
                started = time.perf_counter()
                action()
                own.append(time.perf_counter() - started)
    return [median_s(own) for own in times]


def at_most(value: float) -> dict[str, Any]:
    """Return an upper target."""
    return {"target": {"at": "most", "value": value}}


def at_least(value: float) -> dict[str, Any]:
    """Return a lower target."""
    return {"target": {"at": "least", "value": value}}


def of_one(seconds: float) -> Figures:
    """Measure twenty features of one entity beside pandas from records."""
    figures: Figures = []
    for rows, most, least in ((300, 60, at_least(30)), (3000, 250, {})):
        shards, frame = filled(TWENTY, rows, 50)
        compiled = CompiledPlan(TWENTY, shards.needs)
        codes = np.zeros(1, np.int32)
        records = frame[frame["airport"] == 0].drop(columns="airport").to_dict("records")
        ours, pandas = interleaved(
            [
                partial(compute, compiled, shards, codes, NOW),
                lambda records=records: by_pandas(pd.DataFrame.from_records(records), NOW),
            ],
            seconds,
        )
        about = f"20 features of one entity, {rows} rows"
        figures += [
            {"name": about, "value": ours * 1e6, "unit": "µs", **at_most(most)},
            {"name": f"{about}, by pandas from records", "value": pandas * 1e6, "unit": "µs"},
            {"name": f"{about}, pandas ÷ ours", "value": pandas / ours, "unit": RATIO, **least},
        ]
    return figures


def of_thousand(seconds: float) -> Figures:
    """Measure a thousand entities in one frame beside pandas' groups."""
    shards, frame = filled(TWENTY, 300, 1000)
    codes = np.arange(1000, dtype=np.int32)
    ours, applied = interleaved(
        [
            partial(compute, CompiledPlan(TWENTY, shards.needs), shards, codes, NOW),
            lambda: frame.groupby("airport", sort=False)[["date", "delay", "distance"]].apply(
                lambda rows: pd.Series(by_pandas(rows, NOW))
            ),
        ],
        seconds,
    )
    grouped, cython = interleaved(
        [
            partial(compute, CompiledPlan(GROUPED, shards.needs), shards, codes, NOW),
            partial(by_groups, frame, NOW),
        ],
        seconds,
    )
    about = "20 features of 1,000 entities of 300 rows"
    compiled = f"{len(GROUPED['features'])} aggregates of the same"
    return [
        {"name": about, "value": ours * 1e3, "unit": "ms", **at_most(30)},
        {"name": f"{about}, by groupby.apply", "value": applied * 1e3, "unit": "ms"},
        {"name": f"{about}, groupby.apply ÷ ours", "value": applied / ours, "unit": RATIO, **at_least(30)},
        {"name": compiled, "value": grouped * 1e3, "unit": "ms"},
        {"name": f"{compiled}, by groupby.agg", "value": cython * 1e3, "unit": "ms"},
        {"name": f"{compiled}, groupby.agg ÷ ours", "value": cython / grouped, "unit": RATIO, **at_least(2)},
    ]


class Stream:
    """An entity with so many rows in its window, to which events are added."""

    def __init__(self, plan: Plan, rows: int) -> None:
        """Fill the window."""
        self.shards = owned(plan)
        self.compiled = CompiledPlan(plan, self.shards.needs)
        rng = np.random.default_rng(3)
        columns, positions = events(rng, rows, 1, 1, 0, 30 * DAY)
        self.shards.append(SCHEMA, columns, positions, None)
        for part in self.shards.all_rows():
            part.settle()
        self.now = 30 * DAY
        # About as many leave the window as enter it, however long the measurement.
        self.step = 30 * DAY // rows
        self.position = rows
        self.codes = np.zeros(1, np.int32)
        self.times: list[float] = []

    def event(self) -> None:
        """Add one event and compute, and note how long both took."""
        self.now += self.step
        self.position += 1
        columns = [np.array([self.now]), self.codes, np.array([0.5]), np.array([1.5])]
        position = np.array([self.position])
        started = time.perf_counter()
        self.shards.append(SCHEMA, columns, position, None)
        compute(self.compiled, self.shards, self.codes, self.now)
        self.times.append(time.perf_counter() - started)


def offered(plan: Plan) -> tuple[Plan, list[str]]:
    """Return the plan without the features that the kernels do not have, and the names of those."""
    kept, missing = [], []
    for feature in plan["features"]:
        one = plan_of([feature])
        try:
            shards = owned(one)
            shards.append(SCHEMA, *events(np.random.default_rng(0), 10, 1, 1, 0, DAY), None)
            compute(CompiledPlan(one, shards.needs), shards, np.zeros(1, np.int32), DAY)
            kept.append(feature)
        except Exception as error:
            missing.append(f"{feature['name']} ({type(error).__name__}: {error})")
    return plan_of(kept), missing


def of_events(seconds: float, picture: Path | None) -> Figures:
    """Measure an event on an entity of few or many rows in window."""
    plan, missing = offered(MERGEABLE)
    for name in missing:
        print(f"left out: {name}", file=sys.stderr)
    streams = {rows: Stream(plan, rows) for rows in SIZES}
    end = time.perf_counter() + 4 * seconds
    while len(streams[SIZES[0]].times) < 50 or time.perf_counter() < end:
        for stream in streams.values():
            for _ in range(5):
                stream.event()
    medians = {rows: median_s(stream.times) * 1e6 for rows, stream in streams.items()}
    means = {rows: statistics.mean(stream.times) * 1e6 for rows, stream in streams.items()}
    if picture is not None:
        picture.write_text(
            plot(medians, f"An event and {len(plan['features'])} mergeable aggregates over it")
        )
    about = "event and mergeable aggregates"
    growth = medians[SIZES[-1]] / medians[SIZES[0]]
    return [
        *(
            {"name": f"{about}, {rows:,} rows in window", "value": us, "unit": "µs"}
            for rows, us in medians.items()
        ),
        {"name": f"{about}, {SIZES[-1]:,} rows, mean", "value": means[SIZES[-1]], "unit": "µs"},
        {"name": f"{about}, {SIZES[-1]:,} ÷ {SIZES[0]:,} rows", "value": growth, "unit": RATIO, **at_most(2)},
    ]


def of_sketches(seconds: float) -> Figures:
    """Measure an event and approximate quantiles of few or many rows in window."""
    streams = {rows: Stream(APPROXIMATE, rows) for rows in (10_000, 1_000_000)}
    end = time.perf_counter() + seconds
    while len(streams[10_000].times) < 50 or time.perf_counter() < end:
        for stream in streams.values():
            for _ in range(5):
                stream.event()
    few, many = (median_s(stream.times) * 1e6 for stream in streams.values())
    about = "event and approximate quantiles"
    return [
        {"name": f"{about}, 10,000 rows in window", "value": few, "unit": "µs"},
        {"name": f"{about}, 1,000,000 rows in window", "value": many, "unit": "µs"},
        {"name": f"{about}, 1,000,000 ÷ 10,000 rows", "value": many / few, "unit": RATIO},
    ]


def of_appends(seconds: float) -> Figures:
    """Measure adding events to a million and a half."""
    figures: Figures = []
    for size in (1, 10, 1000, 65_536):
        rng = np.random.default_rng(2)
        shards = owned(TWENTY)
        shards.append(SCHEMA, *events(rng, 1_500_000, 229, 1, 0, WEEK), None)
        for part in shards.all_rows():
            part.settle()
        known = 1_500_000
        times: list[float] = []
        end = time.perf_counter() + seconds / 2
        while len(times) < 5 or time.perf_counter() < end:
            columns, positions = events(rng, size, 229, known + 1, WEEK, WEEK + 3_600_000_000)
            known += size
            started = time.perf_counter()
            shards.append(SCHEMA, columns, positions, None)
            times.append((time.perf_counter() - started) * 1e6)
        figures += [
            {"name": f"append of {size:,} events", "value": statistics.median(times), "unit": "µs"},
            {"name": f"append of {size:,} events, mean", "value": statistics.mean(times), "unit": "µs"},
        ]
    return figures


def of_load() -> Figures:
    """Measure loading half of three million events."""
    rng = np.random.default_rng(3)
    shards = Shards(Needs([TWENTY]), SHARDS)
    shards.own(dict.fromkeys(range(0, SHARDS, 2), 1))
    batches = [events(rng, 65_536, 3399, 1 + i * 65_536, i * DAY, (i + 1) * DAY) for i in range(46)]
    started = time.perf_counter()
    for columns, positions in batches:
        shards.append(SCHEMA, columns, positions, None)
    for part in shards.all_rows():
        part.settle()
    taken = time.perf_counter() - started
    return [{"name": f"load of half of {46 * 65_536:,} events", "value": taken * 1e3, "unit": "ms"}]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Times the kernels and the memory of a Python worker.")
    parser.add_argument("--seconds", type=float, default=2, help="time for each comparison (default: 2)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a figure")
    parser.add_argument("--plot", type=Path, help="SVG file for the cost of an event")
    options = parser.parse_args()
    parts: list[Callable[[], Figures]] = [
        partial(of_one, options.seconds),
        partial(of_thousand, options.seconds),
        partial(of_events, options.seconds, options.plot),
        partial(of_sketches, options.seconds),
        partial(of_appends, options.seconds),
        of_load,
    ]
    for part in parts:
        for figure in part():
            if options.json:
                print(json.dumps({"question": "kernels", **figure}), flush=True)
            else:
                print(f"{figure['name']:66}{figure['value']:12.1f} {figure['unit']}", flush=True)


if __name__ == "__main__":
    main()

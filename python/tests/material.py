"""What several tests are made of: plans, events, an oracle, a log."""

import json
import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from headrace.memory.shards import Shards
from headrace.wire.columns import NULL_I8, encode_columns
from headrace.wire.frames import SchemaSpec
from headrace.wire.plan import Plan, PlanFeature
from numpy.typing import NDArray

SECOND = 1_000_000
WINDOWS = (50 * SECOND, 300 * SECOND, 7 * SECOND)
RETENTION = 400 * SECOND

SCHEMA: SchemaSpec = {
    "source": "departures",
    "columns": [
        {"name": "@timestamp", "dtype": "i8"},
        {"name": "@airport", "dtype": "i4", "dictionary": "@airport"},
        {"name": "@route", "dtype": "i4", "dictionary": "@route"},
        {"name": "delay", "dtype": "f8"},
        {"name": "seats", "dtype": "f8"},
        {"name": "carrier", "dtype": "i4", "dictionary": "departures.carrier"},
    ],
}


def statistical(name: str, aggregation: str, field: str | None, window: int, **more: Any) -> PlanFeature:
    feature: Any = {
        "name": name,
        "type": "statistical",
        "output": "float64",
        "source": "departures",
        "aggregation": aggregation,
        "window": {"time": window},
        **more,
    }
    if field is not None:
        feature["field"] = field
    typed: PlanFeature = feature
    return typed


def slope(name: str, field: str, window: int) -> PlanFeature:
    return {
        "name": name,
        "type": "time_series",
        "output": "float64",
        "source": "departures",
        "field": field,
        "function": "linear_regression",
        "window": {"time": window},
    }


def expression(name: str, tree: Any) -> PlanFeature:
    return {"name": name, "type": "expression", "output": "float64", "expression": tree}


def plan(features: Sequence[PlanFeature], entity: str = "airport", retention: int = RETENTION) -> Plan:
    return {
        "entity": entity,
        "sources": [
            {
                "name": "departures",
                "template": ["", "origin", ""],
                "timestamp": "date",
                "fields": [
                    {"name": "delay", "type": "float"},
                    {"name": "seats", "type": "int"},
                    {"name": "carrier", "type": "category"},
                ],
                "retention": retention,
            }
        ],
        "features": list(features),
        "order": list(range(len(features))),
    }


def every_feature(windows: Sequence[int] = WINDOWS) -> list[PlanFeature]:
    """Every function over two fields and several windows."""
    features: list[PlanFeature] = []
    for i, window in enumerate(windows):
        features.append(statistical(f"rows_{i}", "count", None, window, output="int64"))
        for field in ("delay", "seats"):
            for aggregation in ("count", "sum", "mean", "std", "min", "max", "median", "last"):
                features.append(statistical(f"{field}_{aggregation}_{i}", aggregation, field, window))
            for q in (0.0, 0.1, 0.9, 1.0):
                features.append(statistical(f"{field}_q{q}_{i}", "quantile", field, window, q=q))
            features.append(slope(f"{field}_slope_{i}", field, window))
    features.append(statistical("latest", "last", "delay", RETENTION))
    features.append(statistical("ever", "count", None, RETENTION, output="int64"))
    features.append(
        expression(
            "z", ["/", ["-", ["ref", "delay_last_0"], ["ref", "delay_mean_1"]], ["ref", "delay_std_1"]]
        )
    )
    features.append(expression("shape", ["exp", ["neg", ["log", ["abs", ["ref", "delay_mean_0"]]]]]))
    return features


class Events:
    """Events in position order, with the columns of ``SCHEMA``."""

    def __init__(
        self,
        times: Any,
        airports: Any,
        delays: Any,
        *,
        seats: Any = None,
        carriers: Any = None,
        late: Any = None,
        first: int = 1,
    ) -> None:
        self.times = np.asarray(times, np.int64)
        n = len(self.times)
        self.airports = np.asarray(airports, np.int32)
        self.delays = np.asarray(delays, np.float64)
        self.seats = np.full(n, np.nan) if seats is None else np.asarray(seats, np.float64)
        self.carriers = np.full(n, -1, np.int32) if carriers is None else np.asarray(carriers, np.int32)
        self.late = np.zeros(n, np.bool_) if late is None else np.asarray(late, np.bool_)
        self.positions = np.arange(first, first + n)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, chosen: slice) -> "Events":
        part = Events(
            self.times[chosen],
            self.airports[chosen],
            self.delays[chosen],
            seats=self.seats[chosen],
            carriers=self.carriers[chosen],
            late=self.late[chosen],
        )
        part.positions = self.positions[chosen]
        return part

    @property
    def routes(self) -> NDArray[np.int32]:
        """Routes go by another code, so that the two kinds fall into different shards."""
        return self.airports + 1

    @property
    def columns(self) -> list[NDArray[Any]]:
        return [self.times, self.airports, self.routes, self.delays, self.seats, self.carriers]

    @property
    def block(self) -> bytes:
        dtypes: list[Any] = [column["dtype"] for column in SCHEMA["columns"]]
        return encode_columns(zip(dtypes, self.columns, strict=True))

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "position": self.positions,
                "time": self.times,
                "airport": self.airports,
                "delay": self.delays,
                "seats": self.seats,
                "late": self.late,
            }
        )

    def append_to(self, shards: Shards) -> None:
        shards.append(SCHEMA, self.columns, self.positions, ~self.late if self.late.any() else None)


def random_events(
    rng: np.random.Generator, n: int, entities: int = 5, span: int = 600, nulls: float = 0.1
) -> Events:
    """Events mostly in order, with ties, nulls and stragglers."""
    times = np.sort(rng.integers(0, span, n)) * SECOND
    times = times - rng.choice([0, 0, 0, 20 * SECOND], n)
    delays = rng.normal(size=n) * 10.0 ** rng.integers(-3, 4, n)
    delays[rng.random(n) < nulls] = np.nan
    seats = rng.integers(-5, 200, n).astype(float)
    seats[rng.random(n) < nulls] = np.nan
    return Events(times, rng.integers(0, entities, n), delays, seats=seats, carriers=rng.integers(-1, 3, n))


class Oracle:
    """The same values by plain pandas, an entity and a feature at a time."""

    def __init__(self, events: Events, retention: int = RETENTION) -> None:
        self._frame = events.frame
        self._retention = retention
        self._windows: dict[tuple[int, int, int, int], pd.DataFrame] = {}

    def known(self, entity: int, position: int) -> pd.DataFrame:
        frame = self._frame
        frame = frame[(frame.airport == entity) & (frame.position <= position) & ~frame.late]
        return frame.sort_values(["time", "position"])

    def rows(self, entity: int, as_of: int, window: int, position: int) -> pd.DataFrame:
        key = (entity, as_of, window, position)
        if key not in self._windows:
            frame = self.known(entity, position)
            after = as_of - min(window, self._retention)
            self._windows[key] = frame[(frame.time <= as_of) & (frame.time > after)]
        return self._windows[key]

    def value(self, feature: PlanFeature, entity: int, as_of: int, position: int) -> float:
        rows = self.rows(entity, as_of, feature["window"]["time"], position)
        if "field" not in feature:
            return float(len(rows))
        column = rows[feature["field"]]
        known = column.dropna()
        if feature["type"] == "time_series":
            if len(known) < 2:
                return float("nan")
            x = np.arange(len(known)) - (len(known) - 1) / 2
            return float(np.polyfit(x, known.to_numpy(), 1)[0])
        aggregation = feature["aggregation"]
        if aggregation == "quantile":
            return float(column.quantile(feature["q"]))
        if aggregation == "last":
            return float(known.iloc[-1]) if len(known) else float("nan")
        return float(getattr(column, aggregation)())

    def valid_until(self, windows: Sequence[int], entity: int, as_of: int, position: int) -> float:
        instants = []
        for window in windows:
            rows = self.rows(entity, as_of, window, position)
            if len(rows):
                instants.append(rows.time.min() + min(window, self._retention))
        known = self.known(entity, position)
        later = known[known.time > as_of]
        if len(later):
            instants.append(later.time.min())
        return min(instants) if instants else float("nan")

    def event_time(self, windows: Sequence[int], entity: int, as_of: int, position: int) -> float:
        rows = self.rows(entity, as_of, max(windows), position)
        return float(rows.time.max())


def create_log(path: Path) -> None:
    """Make an empty log as the engine does."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
            CREATE TABLE schemas (id INTEGER PRIMARY KEY, spec TEXT NOT NULL UNIQUE);
            CREATE TABLE dictionary (
              name TEXT NOT NULL, code INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name, code)
            );
            CREATE TABLE log (
              position INTEGER PRIMARY KEY, first INTEGER NOT NULL,
              schema INTEGER NOT NULL, n INTEGER NOT NULL,
              ts_min INTEGER NOT NULL, ts_max INTEGER NOT NULL, clock INTEGER NOT NULL,
              late BLOB, columns BLOB NOT NULL, positions BLOB, clocks BLOB
            );
            PRAGMA user_version = 1;
            """
        )
        database.execute("INSERT INTO schemas VALUES (1, ?)", (json.dumps(SCHEMA),))


def write_log(path: Path, events: Events, schema: int = 1) -> None:
    """Add one row; positions with holes are written as those of merged rows are."""
    late = None
    if events.late.any():
        late = np.packbits(events.late, bitorder="little").tobytes()
    first, last = int(events.positions[0]), int(events.positions[-1])
    merged = None if last - first + 1 == len(events) else events.positions.astype("<i8").tobytes()
    low, high = int(events.times.min()), int(events.times.max())
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (last, first, schema, len(events), low, high, high, late, events.block, merged),
        )


def write_dictionary(path: Path, name: str, texts: Sequence[str], first: int = 0) -> None:
    """Add texts to a dictionary."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "INSERT INTO dictionary VALUES (?, ?, ?)",
            [(name, code, text) for code, text in enumerate(texts, first)],
        )


def read_vectors(name: str) -> Any:
    """Read golden vectors that both languages share."""
    return json.loads((Path(__file__).parents[2] / "test" / "vectors" / name).read_text())


def vector_values(column: dict[str, Any]) -> Any:
    """Return a golden column's values as Python has them."""
    dtype = column["dtype"]
    if dtype == "str":
        return column["values"]
    nulls = {"f8": math.nan, "i8": NULL_I8, "i4": -1}
    values = [nulls[dtype] if value is None else value for value in column["values"]]
    return np.array([float(value) for value in values] if dtype == "f8" else values, dtype)

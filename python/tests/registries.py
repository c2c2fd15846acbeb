"""Random plans over two sources of one entity, and random events for them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from headrace.memory.shards import Shards
from headrace.wire.frames import SchemaSpec
from headrace.wire.plan import Expression, Field, Plan, PlanFeature, Window

SECOND = 1_000_000
RETENTION = 400 * SECOND
"""Of what is random here."""

KEPT = 10**12
"""Retention of the sources."""
SPAN = 600 * SECOND
"""All events lie in the span from 0 to here."""

ENTITY = "airport"
SOURCES = ("departures", "arrivals")
FIELDS: list[Field] = [
    {"name": "delay", "type": "float"},
    {"name": "seats", "type": "int"},
    {"name": "carrier", "type": "category"},
    {"name": "cancelled", "type": "bool"},
    {"name": "planned", "type": "timestamp"},
]
TEXTS = ["UA", "AA", "WN", "DL"]

OUTPUTS = {"float": "float64", "int": "int64", "category": "string", "bool": "bool", "timestamp": "timestamp"}

NUMBERS = ("delay", "seats")
"""Fields that anything can be made of."""

ANY_FIELD = ("first", "last", "count", "missing_share", "nunique", "mode", "entropy", "top_share")
"""Aggregations of any field."""

ANY_NUMBER = (
    *("sum", "mean", "std", "var", "min", "max", "skew", "kurtosis", "median", "quantile"),
    *("median_approximate", "quantile_approximate"),
)
"""Aggregations of numbers alone."""

ANY_ROWS = ("rows", "share_where")
"""Aggregations without a field."""

AGGREGATIONS = (*ANY_FIELD, *ANY_NUMBER, *ANY_ROWS)

OF_VALUES = (
    *("linear_regression", "ewma", "velocity", "acceleration", "autocorrelation", "anomaly_score"),
    *("decayed_sum", "rate"),
)
OF_TIMES = ("decayed_sum", "rate", "time_since_last", "time_since_first", "duration", "mean_gap", "burst")
"""Functions that need no field; with one, its nulls are skipped."""

FUNCTIONS = tuple(dict.fromkeys((*OF_VALUES, *OF_TIMES)))


def random_plan(rng: np.random.Generator, size: int) -> Plan:
    """A plan of any features but Python's."""
    features: list[PlanFeature] = []
    for i in range(size):
        kind = rng.random()
        if kind < 0.5:
            feature: PlanFeature = statistical(rng, str(rng.choice(AGGREGATIONS)), f"f{i}")
        elif kind < 0.9 or not features:
            feature = time_series(rng, str(rng.choice(FUNCTIONS)), f"f{i}")
        else:
            feature = _expression(rng, f"f{i}", [f"f{j}" for j in range(i)])
        features.append(feature)
    return plan_of(features)


def plan_of(features: Sequence[PlanFeature]) -> Plan:
    """A plan of some features, in which expressions refer to earlier ones only."""
    return {
        "entity": ENTITY,
        "sources": [
            {
                "name": name,
                "template": ["", "airport", ""],
                "timestamp": "at",
                "fields": FIELDS,
                "retention": KEPT,
            }
            for name in SOURCES
        ],
        "features": list(features),
        "order": list(range(len(features))),
    }


def statistical(rng: np.random.Generator, aggregation: str, name: str) -> PlanFeature:
    """A feature of an aggregation, over any field that it can take and any window."""
    feature: Any = _base(rng, "statistical", name)
    field: str | None = None
    if aggregation in ANY_NUMBER:
        field = str(rng.choice(NUMBERS))
    elif aggregation in ANY_FIELD:
        field = FIELDS[rng.integers(len(FIELDS))]["name"]
    if field is not None:
        feature["field"] = field
    if aggregation == "share_where":
        feature["where"] = _where(rng)
    if aggregation.startswith("quantile"):
        feature["q"] = float(rng.choice([0.0, 0.1, 0.5, 0.99, 1.0]))
    if aggregation == "top_share":
        feature["rank"] = int(rng.integers(1, 4))
    if aggregation.endswith("_approximate"):
        feature["approximate"] = 0.02
    plain = aggregation.removesuffix("_approximate")
    feature["aggregation"] = "count" if plain == "rows" else plain
    if feature["aggregation"] in ("first", "last", "min", "max", "mode"):
        type_ = next(item["type"] for item in FIELDS if item["name"] == field)
        feature["output"] = OUTPUTS[type_]
    elif feature["aggregation"] in ("count", "nunique"):
        feature["output"] = "int64"
    made: PlanFeature = feature
    return made


def time_series(rng: np.random.Generator, function: str, name: str) -> PlanFeature:
    """A feature of a function, with or without a field where both will do, over any window."""
    feature: Any = _base(rng, "time_series", name)
    feature["function"] = function
    if function not in OF_TIMES or rng.random() < 0.5:
        feature["field"] = str(rng.choice(NUMBERS))
    if function in ("ewma", "decayed_sum"):
        feature["half_life"] = int(rng.integers(1, 100 * SECOND))
    if function in ("decayed_sum", "time_since_last", "time_since_first"):
        feature["step"] = int(rng.choice([1, SECOND, 7 * SECOND]))
    if function == "autocorrelation":
        feature["lag"] = int(rng.integers(1, 4))
    if function == "burst":
        feature["recent"] = int(rng.integers(1, feature["window"]["time"]))
    if function == "linear_regression":
        result = str(rng.choice(["slope", "intercept", "r2"]))
        if result != "slope":
            feature["result"] = result
        if rng.random() < 0.5:
            feature["per"] = 60 * SECOND
    elif rng.random() < 0.5 and function in ("rate", "velocity", "acceleration"):
        feature["per"] = 60 * SECOND
    made: PlanFeature = feature
    return made


def _base(rng: np.random.Generator, type_: str, name: str) -> dict[str, Any]:
    feature: dict[str, Any] = {
        "name": name,
        "type": type_,
        "output": "float64",
        "source": str(rng.choice(SOURCES)),
        "window": random_window(rng),
    }
    if rng.random() < 0.4:
        feature["where"] = _where(rng)
    return feature


def random_window(rng: np.random.Generator) -> Window:
    """Any window that the retention allows."""
    times = [20 * SECOND, 100 * SECOND + 1, 300 * SECOND, RETENTION, int(rng.integers(2, RETENTION))]
    time = times[rng.integers(len(times))]
    window: Window = {"time": time}
    if rng.random() < 0.3:
        window["rows"] = int(rng.integers(1, 40))
    if rng.random() < 0.3:
        window["gap"] = int(rng.integers(1, 40 * SECOND))
    if rng.random() < 0.4:
        closed: Any = rng.choice(["left", "both", "neither"])
        window["closed"] = str(closed)  # type: ignore[typeddict-item]
    if rng.random() < 0.3:
        window["offset"] = int(rng.integers(0, RETENTION - time + 1))
    return window


def _where(rng: np.random.Generator) -> Expression:
    """A filter over the fields of either source."""
    one: list[Expression] = [
        [">", ["field", "delay"], float(rng.normal())],
        ["==", ["field", "carrier"], ["text", str(rng.choice([*TEXTS, "XX"]))]],
        ["!=", ["field", "carrier"], ["text", "AA"]],
        ["not", ["field", "cancelled"]],
        ["<", ["field", "seats"], 100],
    ]
    left, right = rng.choice(len(one), 2)
    return one[left] if rng.random() < 0.7 else ["and" if rng.random() < 0.5 else "or", one[left], one[right]]


def _expression(rng: np.random.Generator, name: str, names: list[str]) -> PlanFeature:
    left, right = (["ref", str(rng.choice(names))] for _ in range(2))
    trees: list[Expression] = [
        ["/", ["-", left, right], right],
        ["coalesce", left, 0],
        ["log", ["abs", left]],
        ["where", [">", left, right], ["exp", ["neg", ["abs", left]]], right],
    ]
    tree = trees[rng.integers(len(trees))]
    return {"name": name, "type": "expression", "output": "float64", "expression": tree}


class Stream:
    """Events of both sources in order of arrival, with the columns of ``schema``."""

    def __init__(self, sources: Any, times: Any, airports: Any, fields: Any) -> None:
        self.sources = np.asarray(sources, np.int64)
        self.times = np.asarray(times, np.int64)
        self.airports = np.asarray(airports, np.int32)
        self.fields = np.asarray(fields, np.float64)
        """Shape ``(fields, n)``: NaN is null, a category its code."""

    def __len__(self) -> int:
        return len(self.times)

    def taken(self, order: Any) -> "Stream":
        """The events in another order of arrival."""
        return Stream(self.sources[order], self.times[order], self.airports[order], self.fields[:, order])

    def append_to(self, shards: Shards, low: int, high: int, after: int = 0) -> None:
        """Add the events that arrive from one to another; the first has the position after some."""
        for source, name in enumerate(SOURCES):
            own = low + np.flatnonzero(self.sources[low:high] == source)
            if not len(own):
                continue
            columns: list[Any] = [self.times[own], self.airports[own]]
            for field, values in zip(FIELDS, self.fields[:, own], strict=True):
                category = field["type"] == "category"
                columns.append(
                    np.where(values == values, values, -1).astype(np.int32) if category else values
                )
            shards.append(schema(name), columns, after + own + 1, None)


def schema(source: str) -> SchemaSpec:
    """The columns of a source's events."""
    columns: list[Any] = [
        {"name": "@timestamp", "dtype": "i8"},
        {"name": f"@{ENTITY}", "dtype": "i4", "dictionary": f"@{ENTITY}"},
    ]
    for field in FIELDS:
        if field["type"] == "category":
            dictionary = f"{source}.{field['name']}"
            columns.append({"name": field["name"], "dtype": "i4", "dictionary": dictionary})
        else:
            columns.append({"name": field["name"], "dtype": "f8"})
    return {"source": source, "columns": columns}


def random_stream(rng: np.random.Generator, n: int, entities: int, nulls: float = 0.1) -> Stream:
    """Events at distinct times, mostly in order, with ties and nulls among the values."""
    times = rng.choice(SPAN, n, replace=False)
    if rng.random() < 0.5:
        times = times // SECOND * SECOND + rng.permutation(n)
    # Out of order, but never by much.
    times = times[np.argsort(times + rng.integers(0, 60 * SECOND, n))]
    delays = rng.normal(size=n) * 10.0 ** rng.integers(-3, 4, n)
    ties = rng.random(n) < 0.3
    delays[ties] = np.round(delays[ties])
    fields = np.stack(
        [
            delays,
            rng.integers(-5, 200, n).astype(float),
            rng.integers(0, len(TEXTS), n).astype(float),
            rng.integers(0, 2, n).astype(float),
            rng.integers(0, 10**15, n).astype(float),
        ]
    )
    fields[rng.random(fields.shape) < nulls] = np.nan
    return Stream(rng.integers(0, 2, n), times, rng.integers(0, entities, n), fields)

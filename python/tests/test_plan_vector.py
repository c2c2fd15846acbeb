"""The plan with every aggregation and function; the registry's tests hold it to what they compile."""

from typing import Any

import numpy as np
from headrace.compute import CompiledPlan, compute
from headrace.kernels.orders import ORDERS
from headrace.kernels.series import SERIES
from headrace.kernels.statistics import DERIVED, DIRECT
from headrace.memory.shards import Needs, Shards
from headrace.wire.frames import SchemaSpec
from headrace.wire.plan import Plan
from material import SECOND, read_vectors

PLAN: Plan = read_vectors("plan.json")["plan"]

SCHEMA: SchemaSpec = {
    "source": "departures",
    "columns": [
        {"name": "@timestamp", "dtype": "i8"},
        {"name": "@airport", "dtype": "i4", "dictionary": "@airport"},
        {"name": "delay", "dtype": "f8"},
        {"name": "seats", "dtype": "f8"},
        {"name": "cancelled", "dtype": "f8"},
        {"name": "carrier", "dtype": "i4", "dictionary": "departures.carrier"},
        {"name": "landed", "dtype": "i8"},
    ],
}

SHARES = {"missing_share", "share_where"}
"""Means of truths, which are no functions of their own."""


def words(key: str) -> set[str]:
    features: Any = PLAN["features"]
    return {feature[key] for feature in features if key in feature}


def test_the_registry_and_the_workers_know_the_same_words() -> None:
    of_lines = {name for name in DERIVED if name.startswith(("row_", "time_"))}
    assert words("aggregation") == DIRECT.keys() | DERIVED.keys() - of_lines | set(ORDERS) | SHARES
    assert words("function") == SERIES.keys() | {"linear_regression"}
    assert of_lines == {f"{x}_{result}" for x in ("row", "time") for result in ("slope", "intercept", "r2")}


def test_every_feature_of_it_is_computed() -> None:
    needs = Needs([PLAN])
    shards = Shards(needs, 1)
    shards.own({0: 1})
    rng = np.random.default_rng(5)
    n = 60
    times = np.cumsum(rng.integers(1, 5, n)) * SECOND
    columns: list[Any] = [
        times,
        np.zeros(n, np.int32),
        rng.normal(10, 20, n),
        rng.integers(50, 200, n).astype(np.float64),
        rng.integers(0, 2, n).astype(np.float64),
        rng.integers(0, 3, n).astype(np.int32),
        times + 900 * SECOND,
    ]
    shards.append(SCHEMA, columns, np.arange(1, n + 1), None)
    plan = CompiledPlan(PLAN, needs, lambda _name, _size: ["AA", "DL", "UA"])
    values = compute(plan, shards, np.zeros(1, np.int32), int(times[-1]) + SECOND)
    null = [
        feature["name"]
        for feature, value in zip(PLAN["features"], values.features[:, 0], strict=True)
        if not np.isfinite(value)
    ]
    assert null == []

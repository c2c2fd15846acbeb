"""Tiles that several plans share."""

from typing import Any

import numpy as np
from headrace.compute import CompiledPlan, compute
from headrace.memory.shards import Needs, Shards
from headrace.wire.plan import Plan

DAY = 86_400_000_000
ROWS = 20_000


def plan_of(*features: Any) -> Plan:
    """Return a plan over a month of readings."""
    source: Any = {
        "name": "readings",
        "template": [],
        "timestamp": "time",
        "fields": [{"name": "value", "type": "float"}],
        "retention": 30 * DAY,
    }
    return {
        "entity": "meter",
        "sources": [source],
        "features": [
            {"type": "statistical", "output": "float64", "source": "readings", "window": {"time": 30 * DAY}}
            | one
            for one in features
        ],
        "order": list(range(len(features))),
    }


def test_a_plan_renews_the_tiles_whose_filter_only_another_knows() -> None:
    """A share is kept beside a sum; the plan of the sum alone comes first after a late event."""
    shares = plan_of(
        {"name": "sum", "aggregation": "sum", "field": "value"},
        {"name": "share", "aggregation": "share_where", "where": [">", ["field", "value"], 0.5]},
    )
    sums = plan_of({"name": "sum", "aggregation": "sum", "field": "value"})
    needs = Needs([shares, sums])
    schema: Any = {
        "source": "readings",
        "columns": [
            {"name": "@timestamp", "dtype": "i8"},
            {"name": "@meter", "dtype": "i4"},
            {"name": "value", "dtype": "f8"},
        ],
    }
    rng = np.random.default_rng(5)
    times, values = np.sort(rng.integers(0, 30 * DAY, ROWS)), rng.random(ROWS)
    codes = np.zeros(1, np.int32)
    events: Any = [times, np.zeros(ROWS, np.int32), values]
    late: Any = [np.array([15 * DAY]), codes, np.array([1.0])]

    def loaded(*batches: Any) -> Shards:
        shards = Shards(needs, 1)
        shards.own({0: 1})
        first = 1
        for batch in batches:
            shards.append(schema, batch, np.arange(first, first + len(batch[0])), None)
            first += len(batch[0])
        return shards

    shards = loaded(events)
    compute(CompiledPlan(shares, needs), shards, codes, 30 * DAY)
    shards.append(schema, late, np.array([ROWS + 1]), None)
    alone = compute(CompiledPlan(sums, needs), shards, codes, 30 * DAY).features[0, 0]
    both = compute(CompiledPlan(shares, needs), shards, codes, 30 * DAY).features[:, 0]

    fresh = compute(CompiledPlan(shares, needs), loaded(events, late), codes, 30 * DAY).features[:, 0]
    assert alone == both[0] == fresh[0]
    assert both[1] == fresh[1]

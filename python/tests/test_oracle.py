"""Whole plans against plain pandas: which rows each window selects, values, and when they change."""

import json
import math
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from headrace.compute import CompiledPlan, Values, compute
from headrace.kernels import tiles
from headrace.memory.shards import Needs, Shards
from headrace.selection import gather
from headrace.wire.columns import NULL_I8
from headrace.wire.plan import Expression, Plan, PlanFeature
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import statistic, terms, terms_of_time, time_series
from registries import (
    AGGREGATIONS,
    FIELDS,
    FUNCTIONS,
    SOURCES,
    SPAN,
    TEXTS,
    Stream,
    plan_of,
    random_plan,
    random_stream,
    statistical,
)
from registries import time_series as random_series
from stretches import close

SEEDS = st.integers(0, 2**32 - 1)

Column = Any
"""A pandas Series."""


def frame_of(stream: Stream, source: str, entity: int) -> pd.DataFrame:
    """The events of one entity, sorted by time."""
    frame = pd.DataFrame({field["name"]: row for field, row in zip(FIELDS, stream.fields, strict=True)})
    frame.insert(0, "time", stream.times)
    own = frame[(stream.sources == SOURCES.index(source)) & (stream.airports == entity)]
    rows: pd.DataFrame = own.sort_values("time", ignore_index=True)
    return rows


def true(where: Expression, frame: pd.DataFrame) -> Column:
    """Where a filter is true: a comparison with null is not."""

    def value(tree: Expression) -> Column:
        if not isinstance(tree, list):
            return pd.Series(float(tree), frame.index)
        operator, *arguments = tree
        if operator == "field":
            return frame[arguments[0]]
        if operator == "text":
            code = TEXTS.index(arguments[0]) if arguments[0] in TEXTS else -1
            return pd.Series(float(code), frame.index)
        parts = [value(argument) for argument in arguments]
        null = pd.concat(parts, axis=1).isna().any(axis=1)
        if operator == "not":
            result = parts[0] == 0
        elif operator in ("and", "or"):
            one, other = (part != 0 for part in parts)
            result = one & other if operator == "and" else one | other
        else:
            names = {">": "gt", "<": "lt", "==": "eq", "!=": "ne"}
            result = getattr(parts[0], names[operator])(parts[1])
        return result.astype(float).mask(null)

    return value(where) == 1.0


def selected(feature: PlanFeature, frame: pd.DataFrame, as_of: int) -> pd.DataFrame:
    """The rows that a feature sees at a moment."""
    window = feature["window"]
    end, closed = as_of - window.get("offset", 0), window.get("closed", "right")
    low = end - window["time"] + (0 if closed in ("both", "left") else 1)
    high = end - (1 if closed in ("left", "neither") else 0)
    rows = frame[(frame["time"] >= low) & (frame["time"] <= high)]
    if "where" in feature and feature.get("aggregation") != "share_where":
        rows = rows[true(feature["where"], rows)]
    if "rows" in window:
        rows = rows.tail(window["rows"])
    if "gap" in window and len(rows):
        if end - rows["time"].iloc[-1] >= window["gap"]:
            return rows.iloc[:0]
        sessions = (rows["time"].diff() >= window["gap"]).cumsum()
        rows = rows[sessions == sessions.iloc[-1]]
    return rows


def moments(feature: PlanFeature, frame: pd.DataFrame, as_of: int) -> list[int]:
    """Moments at which what a feature sees may change, of rows."""
    window = feature["window"]
    offset = window.get("offset", 0)
    entered = frame["time"] + offset
    left = entered + window["time"]
    every = {*entered, *(entered + 1), *left, *(left + 1)}
    if "gap" in window:
        every |= {*(entered + window["gap"])}
    return sorted(moment for moment in every if moment > as_of)


def next_change(feature: PlanFeature, frame: pd.DataFrame, as_of: int) -> float:
    """The first moment at which a row enters or leaves, or at which the value moves on by itself."""
    now = selected(feature, frame, as_of)
    changes = (
        moment
        for moment in moments(feature, frame, as_of)
        if list(selected(feature, frame, moment).index) != list(now.index)
    )
    first = next(changes, math.inf)
    offset = feature["window"].get("offset", 0)
    end = as_of - offset
    if feature["type"] != "time_series":
        return first
    known = now.dropna(subset=[feature["field"]]) if "field" in feature else now
    if not len(known):
        return first
    function, times = feature["function"], known["time"]
    if function == "decayed_sum":
        return min(first, (end // feature["step"] + 1) * feature["step"] + offset)
    if function in ("time_since_last", "time_since_first"):
        time = int(times.iloc[-1 if function == "time_since_last" else 0])
        steps = (end - time) // feature["step"] + 1
        return min(first, time + steps * feature["step"] + offset)
    if function == "burst":
        recent = times[times > end - feature["recent"]]
        return min([first, *(int(time) + feature["recent"] + offset for time in recent)])
    return first


def wanted_value(feature: PlanFeature, rows: pd.DataFrame, as_of: int) -> tuple[float, float]:
    """A feature's value, and what its error is relative to."""
    if feature["type"] == "statistical":
        column = rows[feature.get("field", "time")].reset_index(drop=True)
        if feature["aggregation"] == "mode" and feature["output"] == "string":
            known = column.dropna()
            texts = known.astype(int).map(TEXTS.__getitem__).mode()
            return (float(TEXTS.index(min(texts))) if len(texts) else math.nan), 0.0
        truth = true(feature["where"], rows) if "where" in feature else rows["time"] == 0
        return statistic(feature, column, truth), terms(feature, column)
    named = rows.rename(columns={feature.get("field", "delay"): "value"})[["time", "value"]]
    if "field" in feature:
        named = named.dropna()
    named = named.reset_index(drop=True)
    end = as_of - feature["window"].get("offset", 0)
    return time_series(feature, named, end), terms_of_time(feature, named)


def ask(plan: Plan, stream: Stream, codes: list[int], as_of: int) -> Values:
    needs = Needs([plan])
    shards = Shards(needs, 2)
    shards.own({0: 1, 1: 1})
    stream.append_to(shards, 0, len(stream))
    compiled = CompiledPlan(plan, needs, dictionary=lambda name, size: TEXTS)
    return compute(compiled, shards, np.array(codes, np.int32), as_of)


def random_moment(rng: np.random.Generator, stream: Stream) -> int:
    if rng.random() < 0.7:
        return int(rng.integers(0, SPAN + SPAN // 3))
    return int(rng.choice(stream.times)) + int(rng.choice([-1, 0, 1]))


def assert_equal(plan: Plan, stream: Stream, entities: int, as_of: int) -> None:
    values = ask(plan, stream, list(range(entities)), as_of)
    for entity in range(entities):
        for row, feature in enumerate(plan["features"]):
            rows = selected(feature, frame_of(stream, feature["source"], entity), as_of)
            wanted, scale = wanted_value(feature, rows, as_of)
            found = float(values.features[row, entity])
            if "approximate" in feature:
                error = abs(found - wanted)
                assert close(found, wanted) or error <= scale * feature["approximate"] * (1 + 1e-9)
            else:
                assert close(found, wanted, scale), (json.dumps(feature), found, wanted)


@pytest.mark.parametrize("tiled", [False, True])
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, n=st.sampled_from([1, 30, 200]), nulls=st.sampled_from([0.0, 0.1, 0.8]))
@pytest.mark.parametrize("what", [*AGGREGATIONS, *FUNCTIONS])
def test_equals_pandas_and_scipy(what: str, tiled: bool, seed: int, n: int, nulls: float) -> None:
    rng = np.random.default_rng(seed)
    make = random_series if what in FUNCTIONS else statistical
    plan = plan_of([make(rng, what, f"f{i}") for i in range(4)])
    stream = random_stream(rng, n, 3, nulls)
    rows, parts = (10, 4) if tiled else (gather.TILED, tiles.PER_WINDOW)
    with patch.object(gather, "TILED", rows), patch.object(tiles, "PER_WINDOW", parts):
        assert_equal(plan, stream, 3, random_moment(rng, stream))


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, n=st.sampled_from([1, 3, 12, 30]), size=st.integers(1, 4))
def test_valid_until_is_the_first_moment_at_which_something_changes(seed: int, n: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    plan, stream = random_plan(rng, size), random_stream(rng, n, 2)
    for _ in range(3):
        as_of = random_moment(rng, stream)
        values = ask(plan, stream, [0, 1], as_of)
        for entity in range(2):
            features = [feature for feature in plan["features"] if feature["type"] != "expression"]
            frames = [frame_of(stream, feature["source"], entity) for feature in features]
            both = list(zip(features, frames, strict=True))
            until = min(next_change(*one, as_of) for one in both)
            assert values.valid_until[entity] == (NULL_I8 if math.isinf(until) else until)
            newest = [selected(*one, as_of)["time"].max() for one in both]
            known = [int(time) for time in newest if time == time]
            assert values.event_time[entity] == max(known, default=NULL_I8)

"""Values against pandas, and the same bits whatever the batch, the order of arrival or the parts."""

import math
from typing import Any

import numpy as np
import pytest
from headrace.compute import CompiledPlan, Values, compute
from headrace.memory.rows import FAR
from headrace.memory.shards import Needs, Shards
from headrace.wire.columns import NULL_I8
from headrace.wire.plan import Plan
from hypothesis import given, settings
from hypothesis import strategies as st
from material import (
    RETENTION,
    SECOND,
    WINDOWS,
    Events,
    Oracle,
    every_feature,
    expression,
    plan,
    random_events,
    slope,
    statistical,
)


def own_all(of: Plan, shard_count: int = 2) -> Shards:
    shards = Shards(Needs([of]), shard_count)
    shards.own(dict.fromkeys(range(shard_count), 1))
    return shards


def ask(shards: Shards, of: Plan, codes: Any, as_of: int, fence: int = FAR) -> Values:
    return compute(CompiledPlan(of, shards.needs), shards, np.asarray(codes, np.int32), as_of, fence)


def same_bits(one: Values, other: Values) -> bool:
    return (
        one.features.tobytes() == other.features.tobytes()
        and one.valid_until.tobytes() == other.valid_until.tobytes()
        and one.event_time.tobytes() == other.event_time.tobytes()
    )


def close(value: float, wanted: float, scale: float) -> bool:
    if math.isnan(wanted):
        return math.isnan(value)
    return abs(value - wanted) <= 1e-9 * max(abs(wanted), scale)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 300),
    nulls=st.sampled_from([0.0, 0.1, 0.9]),
    split=st.floats(0, 1),
    moment=st.integers(-10, 700),
    known=st.floats(0, 1),
)
def test_equals_pandas(seed: int, n: int, nulls: float, split: float, moment: int, known: float) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng, n, entities=3, nulls=nulls)
    events.late = rng.random(n) < 0.05
    features = every_feature()
    of = plan(features)
    shards = own_all(of)
    cut = int(split * n)
    events[:cut].append_to(shards)
    for i in range(cut, n):
        events[i : i + 1].append_to(shards)
    as_of = moment * SECOND
    position = round(known * n)
    codes = [0, 1, 2, 77, -1]
    values = ask(shards, of, codes, as_of, position if position < n else FAR)
    oracle = Oracle(events)
    for column, code in enumerate(codes):
        newest = oracle.event_time((RETENTION,), code, as_of, position)
        assert values.event_time[column] == (NULL_I8 if math.isnan(newest) else newest)
        until = oracle.valid_until((*WINDOWS, RETENTION), code, as_of, position)
        assert values.valid_until[column] == (NULL_I8 if math.isnan(until) else until)
        for row, feature in enumerate(features):
            if feature["type"] == "expression":
                continue
            wanted = oracle.value(feature, code, as_of, position)
            # Where terms cancel, the error is relative to the terms, not to what is left of them.
            rows = oracle.rows(code, as_of, feature["window"]["time"], position)
            terms = rows[feature["field"]].abs().max() if "field" in feature and len(rows) else 0.0
            scale = 0.0 if math.isnan(terms) else float(terms)
            assert close(values.features[row, column], wanted, scale), (feature["name"], code)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 3000), nulls=st.sampled_from([0.0, 0.2]))
def test_alone_and_among_many_have_the_same_bits(seed: int, n: int, nulls: float) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng, n, entities=4, nulls=nulls)
    of = plan(every_feature())
    shards = own_all(of)
    events.append_to(shards)
    as_of = int(rng.integers(0, 650)) * SECOND
    codes = rng.permutation(np.array([0, 1, 2, 3, 9, -1], np.int32))
    many = ask(shards, of, codes, as_of)
    for column, code in enumerate(codes):
        one = ask(shards, of, [code], as_of)
        picked = Values(
            many.features[:, column : column + 1].copy(),
            many.valid_until[column : column + 1],
            many.event_time[column : column + 1],
        )
        assert same_bits(one, picked)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 1500), pieces=st.integers(1, 40))
def test_base_tail_and_pending_give_the_same_bits(seed: int, n: int, pieces: int) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng, n)
    of = plan(every_feature())
    codes = [0, 1, 2, 3, 4]
    as_of = int(rng.integers(0, 650)) * SECOND
    whole = own_all(of, 3)
    events.append_to(whole)
    wanted = ask(whole, of, codes, as_of)
    parts = own_all(of, 3)
    cuts = np.sort(rng.integers(0, n + 1, pieces)).tolist()
    for low, high in zip([0, *cuts], [*cuts, n], strict=True):
        if rng.random() < 0.5:
            for i in range(low, high):
                events[i : i + 1].append_to(parts)
        elif low < high:
            events[low:high].append_to(parts)
        if rng.random() < 0.3:
            ask(parts, of, codes, as_of)
    assert same_bits(ask(parts, of, codes, as_of), wanted)
    for rows in parts.all_rows():
        rows.settle()
    assert same_bits(ask(parts, of, codes, as_of), wanted)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 800))
def test_order_of_arrival_changes_no_bits(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng, n)
    # Equal timestamps of an entity keep their order of arrival, so there must be none.
    events.times = np.sort(rng.choice(650 * SECOND, n, replace=False))
    of = plan(every_feature())
    codes = [0, 1, 2, 3, 4]
    straight, shuffled = own_all(of), own_all(of)
    events.append_to(straight)
    order = rng.permutation(n)
    moved = Events(
        events.times[order],
        events.airports[order],
        events.delays[order],
        seats=events.seats[order],
        carriers=events.carriers[order],
    )
    for i in range(n):
        moved[i : i + 1].append_to(shuffled)
    as_of = 600 * SECOND
    assert same_bits(ask(straight, of, codes, as_of), ask(shuffled, of, codes, as_of))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 800))
def test_a_fence_hides_what_came_later(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng, n)
    of = plan(every_feature())
    codes = [0, 1, 2, 3, 4]
    position = int(rng.integers(0, n + 1))
    as_of = int(rng.integers(0, 650)) * SECOND
    then, now = own_all(of), own_all(of)
    events[:position].append_to(then)
    events.append_to(now)
    assert same_bits(ask(now, of, codes, as_of, position), ask(then, of, codes, as_of))


def test_windows_are_right_closed() -> None:
    events = Events([0, 50 * SECOND, 50 * SECOND + 1], [0, 0, 0], [1.0, 2.0, 4.0])
    of = plan([statistical("sum", "sum", "delay", 50 * SECOND)])
    shards = own_all(of)
    events.append_to(shards)
    values = ask(shards, of, [0], 50 * SECOND)
    assert values.features.tolist() == [[2.0]]
    assert values.event_time.tolist() == [50 * SECOND]
    assert values.valid_until.tolist() == [50 * SECOND + 1]


def test_no_rows() -> None:
    features = [
        *(
            statistical(name, name, "delay", SECOND)
            for name in ("count", "sum", "mean", "std", "min", "last", "median")
        ),
        statistical("q", "quantile", "delay", SECOND, q=0.9),
        slope("slope", "delay", SECOND),
    ]
    of = plan(features)
    shards = own_all(of)
    for codes in ([0], [0, 1], []):
        values = ask(shards, of, codes, 0)
        assert values.features.shape == (len(features), len(codes))
        assert (values.features[:2] == 0).all()
        assert np.isnan(values.features[2:]).all()
        assert values.valid_until.tolist() == [NULL_I8] * len(codes)
        assert values.event_time.tolist() == [NULL_I8] * len(codes)


def test_what_is_not_finite_is_null() -> None:
    events = Events([0, 0], [0, 0], [1.7e308, 1.7e308])
    of = plan([statistical("sum", "sum", "delay", SECOND), statistical("std", "std", "delay", SECOND)])
    shards = own_all(of)
    events.append_to(shards)
    assert np.isnan(ask(shards, of, [0], 0).features).all()


def test_signed_zeros_do_not_show() -> None:
    names = ("min", "max", "median", "last", "sum")
    of = plan([statistical(name, name, "delay", SECOND) for name in names])
    shards = own_all(of)
    Events([0, 0, 0], [0, 0, 0], [0.0, -0.0, -0.0]).append_to(shards)
    assert ask(shards, of, [0], 0).features.tobytes() == bytes(8 * len(names))


def test_a_field_of_few_windows_beside_one_of_many() -> None:
    features = [
        statistical("short", "sum", "delay", WINDOWS[2]),
        statistical("long", "sum", "delay", WINDOWS[1]),
        statistical("middle", "sum", "seats", WINDOWS[0]),
        statistical("rows", "count", None, WINDOWS[0]),
    ]
    of = plan(features)
    shards = own_all(of)
    events = random_events(np.random.default_rng(1), 300)
    events.append_to(shards)
    values = ask(shards, of, [0, 1], 500 * SECOND)
    oracle = Oracle(events)
    for column in range(2):
        for row, feature in enumerate(features):
            wanted = oracle.value(feature, column, 500 * SECOND, 300)
            assert values.features[row, column] == pytest.approx(wanted, rel=1e-9)


def test_expressions_see_features() -> None:
    features = [
        statistical("last", "last", "delay", WINDOWS[0]),
        statistical("mean", "mean", "delay", WINDOWS[0]),
        expression("over", ["-", ["ref", "last"], ["ref", "mean"]]),
        expression("twice", ["*", 2, ["ref", "over"]]),
    ]
    of = plan(features)
    of["order"] = [0, 1, 2, 3]
    shards = own_all(of)
    Events([0, 1], [0, 0], [1.0, 4.0]).append_to(shards)
    assert ask(shards, of, [0], 1).features[:, 0].tolist() == [4.0, 2.5, 1.5, 3.0]


def test_unknown_functions_are_named() -> None:
    of = plan([statistical("odd", "oddness", "delay", SECOND)])
    with pytest.raises(ValueError, match="'oddness'"):
        CompiledPlan(of, Needs([of]))

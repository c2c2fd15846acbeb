"""Rows gathered for many entities at once: what each has alone."""

from unittest.mock import patch

import numpy as np
from headrace.compute import CompiledPlan, compute
from headrace.memory.rows import FAR
from headrace.memory.shards import Needs, Shards
from headrace.selection import gather, gather_many
from headrace.wire.columns import NULL_I8
from headrace.wire.plan import Plan, PlanFeature
from hypothesis import given, settings
from hypothesis import strategies as st
from material import SECOND, Events, plan, statistical

ENTITIES = 45


def features() -> Plan:
    made: list[PlanFeature] = []
    for i, time in enumerate((60 * SECOND, 200 * SECOND)):
        for name in ("count", "sum", "std", "median", "first", "last"):
            made.append(statistical(f"{name}_{i}", name, "delay", time))
        made.append(statistical(f"rows_{i}", "count", None, time))
    before: PlanFeature = {**statistical("before", "mean", "seats", 60 * SECOND)}
    before["window"] = {"time": 60 * SECOND, "offset": 30 * SECOND, "closed": "both"}
    return plan([*made, before])


def random_shards(rng: np.random.Generator, of: Plan, n: int) -> Shards:
    """Rows in bases and tails, late ones among them, and equal timestamps."""
    shards = Shards(Needs([of]), 3)
    shards.own({0: 1, 2: 1})  # entities of shard 1 have none
    times = np.sort(rng.integers(0, 300, n)) * SECOND
    late = rng.random(n) < 0.1
    times[late] -= 50 * SECOND
    delays = rng.normal(size=n)
    delays[rng.random(n) < 0.1] = np.nan
    events = Events(times, rng.integers(0, ENTITIES - 5, n), delays, seats=rng.normal(size=n))
    settled = int(rng.integers(0, n + 1))
    if settled:
        events[:settled].append_to(shards)
        for rows in shards.all_rows():
            rows.settle()
    for i in range(settled, n):
        events[i : i + 1].append_to(shards)
    return shards


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 700), most=st.sampled_from([8, 4096]))
def test_many_have_the_bits_of_each_alone(seed: int, n: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    of = features()
    shards = random_shards(rng, of, n)
    compiled = CompiledPlan(of, shards.needs)
    codes = rng.permutation(np.arange(-1, ENTITIES)).astype(np.int32)
    as_of = int(rng.integers(0, 400)) * SECOND + int(rng.integers(0, 2))
    fence = int(rng.integers(0, n + 1)) if rng.random() < 0.4 else FAR
    with patch.object(gather, "TILED", most):
        many = compute(compiled, shards, codes, as_of, fence)
        for i in range(len(codes)):
            alone = compute(compiled, shards, codes[i : i + 1], as_of, fence)
            assert alone.features.tobytes() == many.features[:, i].tobytes()
            assert alone.valid_until.tolist() == [many.valid_until[i]]
            assert alone.event_time.tolist() == [many.event_time[i]]


def test_rows_beyond_the_windows_are_foreseen() -> None:
    """An entity whose only row is yet to come, among many without any."""
    of = features()
    shards = Shards(Needs([of]), 3)
    shards.own(dict.fromkeys(range(3), 1))
    Events([500 * SECOND], [7], [1.0], seats=[1.0]).append_to(shards)
    codes = np.arange(gather_many.MANY, dtype=np.int32)
    values = compute(CompiledPlan(of, shards.needs), shards, codes, 100 * SECOND)
    assert values.valid_until.tolist() == [500 * SECOND if code == 7 else NULL_I8 for code in codes]
    assert set(values.event_time.tolist()) == {NULL_I8}

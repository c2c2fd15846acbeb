"""Online equals offline, bit for bit: random plans, streams and moments.

Online, events arrive one by one, are asked about in between, and owners are lost, so that others start from
all events so far. Offline, all events are there at once, and moment and position say what is known."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pytest
from headrace.compute import CompiledPlan, Values, compute
from headrace.kernels import tiles
from headrace.memory.rows import FAR
from headrace.memory.shards import Needs, Shards
from headrace.selection import gather
from headrace.wire.columns import NULL_I8
from headrace.wire.plan import Plan
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from registries import (
    SECOND,
    SOURCES,
    SPAN,
    TEXTS,
    Stream,
    plan_of,
    random_plan,
    random_stream,
    statistical,
)

SHARDS = 3
SEEDS = st.integers(0, 2**32 - 1)

TILES = pytest.mark.parametrize("numbers", [(12, 4), (12, 256), (gather.TILED, tiles.PER_WINDOW)], ids=str)
"""How many rows a window has before it is put together from tiles, and from how many."""


@contextmanager
def tiled(numbers: tuple[int, int]) -> Iterator[None]:
    """Tiles of windows that are short enough for a test."""
    with patch.object(gather, "TILED", numbers[0]), patch.object(tiles, "PER_WINDOW", numbers[1]):
        yield


class Owner:
    """A worker's rows and plan."""

    def __init__(self, plan: Plan) -> None:
        needs = Needs([plan])
        self.plan = CompiledPlan(plan, needs, dictionary=lambda name, size: TEXTS)
        self.shards = Shards(needs, SHARDS)
        self.shards.own(dict.fromkeys(range(SHARDS), 1))

    def ask(self, codes: NDArray[np.int32], as_of: int, fence: int = FAR) -> Values:
        return compute(self.plan, self.shards, codes, as_of, fence)


@dataclass
class Answer:
    """What was asked online, and what came of it."""

    codes: NDArray[np.int32]
    as_of: int
    position: int
    values: Values


def load(rng: np.random.Generator, plan: Plan, stream: Stream, n: int) -> Owner:
    """A new owner, which reads the first events in pieces."""
    owner = Owner(plan)
    cuts = np.sort(rng.integers(0, n + 1, rng.integers(0, 4))).tolist()
    for low, high in zip([0, *cuts], [*cuts, n], strict=True):
        stream.append_to(owner.shards, low, high)
    return owner


def random_codes(rng: np.random.Generator, entities: int) -> NDArray[np.int32]:
    codes = rng.permutation(np.arange(-1, entities + 1)).astype(np.int32)
    return codes[: rng.integers(1, len(codes) + 1)]


def random_moment(rng: np.random.Generator, stream: Stream) -> int:
    """A moment; often one at which something happens, or just before."""
    if rng.random() < 0.5:
        return int(rng.integers(-10 * SECOND, SPAN + SPAN // 2))
    return int(rng.choice(stream.times)) + int(rng.choice([-1, 0, 1, 20 * SECOND, 400 * SECOND]))


def online(rng: np.random.Generator, plan: Plan, stream: Stream, entities: int) -> list[Answer]:
    owner = Owner(plan)
    answers = []
    every = max(len(stream) // 12, 1)
    for i in range(len(stream)):
        stream.append_to(owner.shards, i, i + 1)
        if rng.random() < 3 / len(stream):
            owner = load(rng, plan, stream, i + 1)
        if rng.random() < 1 / every or i == len(stream) - 1:
            codes, as_of = random_codes(rng, entities), random_moment(rng, stream)
            answers.append(Answer(codes, as_of, i + 1, owner.ask(codes, as_of)))
    return answers


def assert_same(plan: Plan, one: Values, other: Values) -> None:
    for row, feature in enumerate(plan["features"]):
        assert one.features[row].tobytes() == other.features[row].tobytes(), feature
    assert one.valid_until.tolist() == other.valid_until.tolist()
    assert one.event_time.tolist() == other.event_time.tolist()


@TILES
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.sampled_from([1, 20, 150, 500]), entities=st.integers(1, 4))
def test_online_equals_offline(numbers: tuple[int, int], seed: int, n: int, entities: int) -> None:
    rng = np.random.default_rng(seed)
    plan, stream = random_plan(rng, 12), random_stream(rng, n, entities)
    with tiled(numbers):
        answers = online(rng, plan, stream, entities)
        offline = load(rng, plan, stream, n)
        for answer in answers:
            values = offline.ask(answer.codes, answer.as_of, answer.position)
            assert_same(plan, answer.values, values)


@TILES
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, n=st.sampled_from([2, 40, 400]), entities=st.integers(1, 3))
def test_order_of_arrival_does_not_matter(numbers: tuple[int, int], seed: int, n: int, entities: int) -> None:
    rng = np.random.default_rng(seed)
    plan, stream = random_plan(rng, 12), random_stream(rng, n, entities)
    moved = stream.taken(rng.permutation(n))
    with tiled(numbers):
        one, other = load(rng, plan, stream, n), Owner(plan)
        for i in range(n):
            moved.append_to(other.shards, i, i + 1)
            if rng.random() < 2 / n:
                other.ask(random_codes(rng, entities), random_moment(rng, stream))
        codes, as_of = random_codes(rng, entities), random_moment(rng, stream)
        assert_same(plan, one.ask(codes, as_of), other.ask(codes, as_of))


@TILES
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.sampled_from([3, 40, 300]))
def test_nothing_changes_before_valid_until(numbers: tuple[int, int], seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    plan, stream = random_plan(rng, 8), random_stream(rng, n, 1)
    code = np.zeros(1, np.int32)
    with tiled(numbers):
        owner = load(rng, plan, stream, n)
        for _ in range(4):
            as_of = random_moment(rng, stream)
            now = owner.ask(code, as_of)
            until = int(now.valid_until[0])
            last = as_of + 2 * SPAN if until == NULL_I8 else until - 1
            assert last >= as_of
            for moment in (last, int(rng.integers(as_of, last + 1))):
                then = owner.ask(code, moment)
                assert_same(plan, then, now)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_rows_that_a_filter_leaves_out_change_no_bits_before_valid_until(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = [statistical(rng, name, name) for name in ("sum", "mean", "std", "skew")]
    for feature in features:
        feature["source"], feature["field"] = SOURCES[0], "delay"
        feature["where"] = ["==", ["field", "carrier"], ["text", "AA"]]
        feature["window"] = {"time": 100 * SECOND}
    plan, stream = plan_of(features), random_stream(rng, 60, 1)
    stream.sources[:] = 0
    code = np.zeros(1, np.int32)
    # From one form of a window's sums to the other: about every second window has more rows.
    with tiled((10, 4)):
        owner = load(rng, plan, stream, len(stream))
        as_of = 0
        while True:
            now = owner.ask(code, as_of)
            until = int(now.valid_until[0])
            if until == NULL_I8:
                return
            assert_same(plan, owner.ask(code, until - 1), now)
            as_of = until

"""Tiles: when they are used and dropped, and the same bits with them and without."""

from unittest.mock import patch

import numpy as np
import pytest
from headrace.compute import CompiledPlan, Values, compute
from headrace.kernels import tiles
from headrace.kernels.tiles import Grid
from headrace.memory.rows import FAR, Rows
from headrace.memory.shards import Needs, Shards
from headrace.selection import gather
from headrace.wire.plan import Plan, PlanFeature
from hypothesis import given, settings
from hypothesis import strategies as st
from material import SECOND, Events, plan, slope, statistical

LONG, SHORT = 400 * SECOND, 90 * SECOND
LATE = [">", ["field", "delay"], 0.25]
NAMES = ("sum", "mean", "std", "skew", "kurtosis", "min", "max", "first", "last", "missing_share", "count")
SEEDS = st.integers(0, 2**32 - 1)


def features() -> list[PlanFeature]:
    made: list[PlanFeature] = []
    for i, window in enumerate((LONG, SHORT)):
        made += [statistical(f"{name}_{i}", name, "delay", window) for name in NAMES]
        made += [statistical(f"late_{name}_{i}", name, "seats", window, where=LATE) for name in NAMES]
        made.append(statistical(f"share_{i}", "share_where", None, window, where=LATE))
        made.append(statistical(f"late_{i}", "count", None, window, where=LATE))
        made.append(slope(f"slope_{i}", "delay", window))
        made.append({**slope(f"by_time_{i}", "delay", window), "per": SECOND, "result": "r2"})
    made.append(statistical("middle", "median", "delay", LONG))
    return made


def owner(of: Plan) -> Shards:
    shards = Shards(Needs([of]), 2)
    shards.own({0: 1, 1: 1})
    return shards


def ask(of: Plan, shards: Shards, as_of: int, fence: int = FAR) -> Values:
    return compute(CompiledPlan(of, shards.needs), shards, np.arange(3, dtype=np.int32), as_of, fence)


def same_bits(one: Values, other: Values) -> bool:
    return (
        one.features.tobytes() == other.features.tobytes()
        and one.valid_until.tobytes() == other.valid_until.tobytes()
    )


def random_events(rng: np.random.Generator, n: int) -> Events:
    times = np.sort(rng.integers(0, 600 * SECOND, n)) - rng.choice([0, 0, 0, 30 * SECOND], n)
    delays = rng.normal(size=n)
    delays[rng.random(n) < 0.1] = np.nan
    return Events(times, rng.integers(0, 2, n), delays, seats=rng.normal(size=n))


def add(rng: np.random.Generator, shards: Shards, events: Events) -> None:
    """One by one or all at once."""
    if rng.random() < 0.5:
        events.append_to(shards)
    else:
        for i in range(len(events)):
            events[i : i + 1].append_to(shards)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 900), pieces=st.integers(1, 12))
def test_kept_and_fresh_tiles_have_the_same_bits(seed: int, n: int, pieces: int) -> None:
    rng = np.random.default_rng(seed)
    events, of = random_events(rng, n), plan(features())
    with patch.object(gather, "TILED", 20), patch.object(tiles, "PER_WINDOW", 16):
        kept = owner(of)
        cuts = np.sort(rng.integers(0, n + 1, pieces - 1)).tolist()
        for low, high in zip([0, *cuts], [*cuts, n], strict=True):
            if low < high:
                add(rng, kept, events[low:high])
            as_of = int(rng.integers(0, 700)) * SECOND
            fence = int(rng.integers(0, high + 1)) if rng.random() < 0.4 else FAR
            fresh = owner(of)
            events[: min(fence, high)].append_to(fresh)
            assert same_bits(ask(of, kept, as_of, fence), ask(of, fresh, as_of))


def kept_grids(shards: Shards) -> list[Grid]:
    rows: list[Rows] = shards.all_rows()
    grids = [grid for part in rows for own in part.grids.values() for grid in own.values()]
    assert all(isinstance(grid, Grid) for grid in grids)
    return grids  # type: ignore[return-value]


@pytest.mark.parametrize("bulk", [False, True])
def test_an_event_spoils_its_own_tile_only(bulk: bool) -> None:
    of = plan([statistical("sum", "sum", "delay", LONG)])
    shards = owner(of)
    n = 10_000
    rng = np.random.default_rng(1)
    times = np.sort(rng.integers(0, LONG, n))
    Events(times, [0] * n, rng.normal(size=n)).append_to(shards)
    ask(of, shards, LONG)
    (grid,) = kept_grids(shards)
    assert grid.fresh.all()
    stale = 5 * (1 << grid.shift) + 3 + (grid.first << grid.shift)
    late = Events([stale, stale + 1], [0, 0], [1.0, 2.0], first=n + 1)
    if bulk:
        late.append_to(shards)
    else:
        late[:1].append_to(shards)
        late[1:].append_to(shards)
    assert np.flatnonzero(~grid.fresh).tolist() == [5]
    ask(of, shards, LONG)
    assert grid.fresh.all()


def test_tiles_take_no_more_room_than_rows() -> None:
    times = range(LONG - 4 * SECOND, LONG, SECOND)
    of = plan([statistical(f"mean_{i}", "mean", "delay", window) for i, window in enumerate(times)])
    with patch.object(gather, "TILED", 20), patch.object(tiles, "PER_WINDOW", 64):
        shards = owner(of)
        rng = np.random.default_rng(2)
        n = 6000
        events = Events(np.sort(rng.integers(0, LONG, n)), rng.integers(0, 300, n), rng.normal(size=n))
        events.append_to(shards)
        codes = np.arange(300, dtype=np.int32)
        compute(CompiledPlan(of, shards.needs), shards, codes, LONG)
        for rows in shards.all_rows():
            used = sum(grid.size for own in rows.grids.values() for grid in own.values())
            most = max(sum(grid.size for grid in own.values()) for own in rows.grids.values())
            assert used <= 5 * len(rows) + most + 10_000


def test_a_window_far_from_the_kept_tiles_does_not_make_them_span_all_between() -> None:
    of = plan([statistical("sum", "sum", "delay", LONG)], retention=10**15)
    shards = owner(of)
    n = 10_000
    rng = np.random.default_rng(3)
    times = np.sort(rng.integers(0, LONG, n))
    far = 10_000 * LONG
    Events(times, [0] * n, rng.normal(size=n)).append_to(shards)
    Events(times + far, [0] * n, rng.normal(size=n), first=n + 1).append_to(shards)
    first = ask(of, shards, LONG)
    ask(of, shards, LONG + far)
    (grid,) = kept_grids(shards)
    assert len(grid.fresh) < 3 * tiles.PER_WINDOW
    assert same_bits(ask(of, shards, LONG), first)

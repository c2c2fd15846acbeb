"""Sketches of long windows: the bits of the sketch of all rows, however these came and whatever is kept."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from headrace.compute import CompiledPlan, Values, compute
from headrace.kernels import sketch_tiles
from headrace.kernels.sketch import Sketch
from headrace.kernels.sketch_tiles import SketchTiles
from headrace.memory.rows import FAR
from headrace.memory.shards import Needs, Shards
from headrace.selection import gather
from headrace.wire.plan import Plan
from hypothesis import given, settings
from hypothesis import strategies as st
from material import SECOND, Events, plan, statistical

LONG, SHORT = 400 * SECOND, 90 * SECOND
LATE = [">", ["field", "delay"], 0.25]


def features() -> Plan:
    """Approximate quantiles alone in their windows, filtered, and beside what tiles and rows serve."""
    made = []
    for i, window in enumerate((LONG, SHORT)):
        for name, more in (("", {}), ("late_", {"where": LATE})):
            made += [
                statistical(f"{name}half_{i}", "median", "delay", window, approximate=0.01, **more),
                statistical(f"{name}most_{i}", "quantile", "delay", window, approximate=0.01, q=0.9, **more),
                statistical(f"{name}seats_{i}", "median", "seats", window, approximate=0.1, **more),
            ]
        made.append({**statistical(f"before_{i}", "median", "delay", SHORT, approximate=0.01)})
        made[-1]["window"] = {"time": SHORT, "offset": LONG - SHORT}
    made.append(statistical("greatest", "max", "delay", SHORT))
    made.append(statistical("late_rows", "count", None, LONG, where=LATE))
    return plan(made)


def owner(of: Plan) -> Shards:
    shards = Shards(Needs([of]), 2)
    shards.own({0: 1, 1: 1})
    return shards


def ask(of: Plan, shards: Shards, as_of: int, fence: int = FAR) -> Values:
    return compute(CompiledPlan(of, shards.needs), shards, np.arange(3, dtype=np.int32), as_of, fence)


def random_events(rng: np.random.Generator, n: int) -> Events:
    times = np.sort(rng.integers(0, 600 * SECOND, n)) - rng.choice([0, 0, 0, 30 * SECOND], n)
    delays = rng.normal(size=n) * rng.choice([0.0, 1.0, 1e6], n)
    delays[rng.random(n) < 0.1] = np.nan
    return Events(times, rng.integers(0, 2, n), delays, seats=rng.normal(size=n))


def add(rng: np.random.Generator, shards: Shards, events: Events) -> None:
    """One by one or all at once."""
    if rng.random() < 0.5:
        events.append_to(shards)
    else:
        for i in range(len(events)):
            events[i : i + 1].append_to(shards)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 900), pieces=st.integers(1, 12))
def test_tiles_give_the_bits_of_the_sketch_of_all_rows(seed: int, n: int, pieces: int) -> None:
    rng = np.random.default_rng(seed)
    events, of = random_events(rng, n), features()
    kept = owner(of)
    cuts = np.sort(rng.integers(0, n + 1, pieces - 1)).tolist()
    for low, high in zip([0, *cuts], [*cuts, n], strict=True):
        if low < high:
            add(rng, kept, events[low:high])
        as_of = int(rng.integers(0, 700)) * SECOND
        fence = int(rng.integers(0, high + 1)) if rng.random() < 0.4 else FAR
        with patch.object(gather, "TILED", 20), patch.object(sketch_tiles, "PER_SKETCH", 16):
            found = ask(of, kept, as_of, fence)
        fresh = owner(of)
        events[: min(fence, high)].append_to(fresh)
        wanted = ask(of, fresh, as_of)
        assert found.features.tobytes() == wanted.features.tobytes()
        assert found.valid_until.tobytes() == wanted.valid_until.tobytes()
        assert found.event_time.tobytes() == wanted.event_time.tobytes()


def kept_tiles(shards: Shards) -> list[SketchTiles]:
    grids = [grid for part in shards.all_rows() for own in part.grids.values() for grid in own.values()]
    return [grid for grid in grids if isinstance(grid, SketchTiles)]


MEDIAN = plan([statistical("half", "median", "delay", LONG, approximate=0.01)])
ROWS = 10_000


def filled() -> Shards:
    shards = owner(MEDIAN)
    rng = np.random.default_rng(1)
    Events(np.sort(rng.integers(0, LONG, ROWS)), [0] * ROWS, rng.normal(size=ROWS)).append_to(shards)
    return shards


def counted() -> Any:
    """Note the numbers of values that are put into sketches."""
    sizes: list[int] = []
    whole, many = Sketch.from_values, Sketch.from_stretches

    def from_values(values: Any, accuracy: float) -> Sketch:
        sizes.append(len(values))
        return whole(values, accuracy)

    def from_stretches(values: Any, limits: Any, accuracy: float) -> list[Sketch]:
        sizes.append(len(values))
        return many(values, limits, accuracy)

    return sizes, patch.multiple(Sketch, from_values=from_values, from_stretches=from_stretches)


@pytest.mark.parametrize("bulk", [False, True])
def test_an_event_costs_its_tile_and_the_ends_only(bulk: bool) -> None:
    shards = filled()
    ask(MEDIAN, shards, LONG)
    (tiles,) = kept_tiles(shards)
    assert tiles.fresh.all()
    assert int(tiles.total.counts.sum()) > 0.99 * ROWS
    late = (5 << tiles.shift) + 3 + (tiles.first << tiles.shift)
    events = Events([late, late + 1], [0, 0], [1.0, 2.0], first=ROWS + 1)
    for event in [events] if bulk else [events[:1], events[1:]]:
        event.append_to(shards)
    assert np.flatnonzero(~tiles.fresh).tolist() == [5]
    sizes, counting = counted()
    with counting:
        ask(MEDIAN, shards, LONG + SECOND)
    assert sum(sizes) < 0.02 * ROWS
    (renewed,) = kept_tiles(shards)
    assert renewed.fresh.all()


def test_a_fence_that_hides_rows_of_tiles_leaves_them_alone() -> None:
    shards = filled()
    now = ask(MEDIAN, shards, LONG)
    (tiles,) = kept_tiles(shards)
    total = tiles.total
    before = ask(MEDIAN, shards, LONG, ROWS // 2)
    wanted = owner(MEDIAN)
    rng = np.random.default_rng(1)
    times = np.sort(rng.integers(0, LONG, ROWS))
    Events(times, [0] * ROWS, rng.normal(size=ROWS))[: ROWS // 2].append_to(wanted)
    assert before.features.tobytes() == ask(MEDIAN, wanted, LONG).features.tobytes()
    assert kept_tiles(shards) == [tiles]
    assert tiles.total is total
    assert ask(MEDIAN, shards, LONG).features.tobytes() == now.features.tobytes()


def test_tiles_take_no_more_room_than_rows() -> None:
    with patch.object(gather, "TILED", 20), patch.object(sketch_tiles, "PER_SKETCH", 64):
        shards = owner(MEDIAN)
        rng = np.random.default_rng(2)
        n = 9000
        Events(np.sort(rng.integers(0, LONG, n)), rng.integers(0, 300, n), rng.normal(size=n)).append_to(
            shards
        )
        compute(CompiledPlan(MEDIAN, shards.needs), shards, np.arange(300, dtype=np.int32), LONG)
        for rows in shards.all_rows():
            used = sum(grid.size for own in rows.grids.values() for grid in own.values())
            most = max(sum(grid.size for grid in own.values()) for own in rows.grids.values())
            assert used <= 6 * len(rows) + most


def test_a_window_that_moves_far_leaves_no_tiles_behind() -> None:
    shards = filled()
    first = ask(MEDIAN, shards, LONG)
    rng = np.random.default_rng(1)
    far = 100 * LONG
    times = np.sort(rng.integers(0, LONG, ROWS)) + far
    Events(times, [0] * ROWS, rng.normal(size=ROWS), first=ROWS + 1).append_to(shards)
    there = ask(MEDIAN, shards, LONG + far)
    assert there.features[0, 0] == first.features[0, 0]
    (tiles,) = kept_tiles(shards)
    assert int(tiles.total.counts.sum()) <= ROWS
    assert len(tiles.fresh) <= 2 * sketch_tiles.PER_SKETCH

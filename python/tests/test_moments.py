"""Mergeable statistics: merged and direct, huge offsets, long windows, what is not finite."""

import math
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from headrace.compute import CompiledPlan, compute
from headrace.kernels import tiles
from headrace.kernels.moments import ALL, CENTRE, REST, SUM, N, Need, describe, describe_one, merge
from headrace.kernels.segments import Floats, Indexes
from headrace.memory.shards import Needs, Shards
from headrace.selection import gather
from headrace.wire.plan import PlanFeature
from hypothesis import given, settings
from hypothesis import strategies as st
from material import SECOND, Events, plan, slope, statistical
from scipy import stats

DAY = 86_400 * SECOND
SEEDS = st.integers(0, 2**32 - 1)
AGGREGATIONS = ("sum", "mean", "std", "var", "skew", "kurtosis", "min", "max", "first", "last", "count")


def line(rng: np.random.Generator, n: int) -> tuple[Floats, Indexes]:
    """Values of mixed sizes and their times, with a stop each."""
    values = rng.normal(size=n + 1) * 10.0 ** rng.integers(-2, 3, n + 1)
    return values, np.append(np.sort(rng.integers(0, DAY, n)), 0)


def cut(rng: np.random.Generator, n: int, parts: int) -> Indexes:
    return np.sort(np.concatenate(([0, n], rng.integers(0, n + 1, parts - 1))))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 2000), parts=st.integers(1, 60))
def test_parts_merge_to_the_whole(seed: int, n: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    values, times = line(rng, n)
    limits = cut(rng, n, parts)
    with np.errstate(all="ignore"):
        whole = describe(values, times, np.array([0]), np.array([n]), [ALL])[:, 0]
        pieces = describe(values, times, limits[:-1], limits[1:], [ALL])
        pieces = pieces[:, pieces[N] > 0]
        merged = merge(pieces, np.array([pieces.shape[1]]), ALL)[:, 0]
    # The mean and what it is off by may be split in another way; the other sums cancel down to their terms.
    assert merged[CENTRE] + merged[REST] == pytest.approx(whole[CENTRE] + whole[REST], rel=1e-12, abs=1e-12)
    sizes = np.abs(values[:-1])
    x = np.arange(n) - (n - 1) / 2
    along = times[:-1] - times[:-1].mean()
    terms = {
        "sum": (SUM, sizes.sum()),
        **{f"m{power}": (power + 2, (sizes**power).sum()) for power in (2, 3, 4)},
        "sxy": (11, np.abs(x) @ sizes),
        "sxx": (15, along @ along),
        "sxt": (16, np.abs(along) @ sizes),
    }
    for name, (row, scale) in terms.items():
        assert merged[row] == pytest.approx(whole[row], rel=1e-9, abs=1e-11 * scale), name
    assert merged[7:11].tolist() == whole[7:11].tolist()
    assert merged[N] == n


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(0, 6000), windows=st.integers(1, 5))
def test_one_entity_has_the_bits_of_many(seed: int, n: int, windows: int) -> None:
    rng = np.random.default_rng(seed)
    values, times = line(rng, n)
    lows = rng.integers(0, n + 1, windows)
    highs = np.minimum(n, lows + rng.integers(0, n + 1, windows))
    needs = [Need(*(rng.random(6) < 0.5).tolist()) for _ in range(windows)]
    with np.errstate(all="ignore"):
        table = describe(values, times, lows, highs, needs)
        columns = describe_one(
            values, lambda: times, lows.tolist(), highs.tolist(), needs, any(need.extremes for need in needs)
        )
    for i, need in enumerate(needs):
        rows = [N, SUM, CENTRE]
        rows += [7, 8] if need.extremes else []
        rows += [9, 10] if need.ends else []
        if need.centred:
            rows += [3, 4] + ([5, 6] if need.powers else []) + ([11] if need.numbers else [])
            rows += [*range(12, 17)] if need.times else []
        assert np.array(columns[i])[rows].tobytes() == table[rows, i].tobytes()


def owned(features: list[PlanFeature], events: Events) -> tuple[CompiledPlan, Shards]:
    of = plan(features, retention=10**12)
    shards = Shards(Needs([of]), 1)
    shards.own({0: 1})
    events.append_to(shards)
    return CompiledPlan(of, shards.needs), shards


def values_of(features: list[PlanFeature], events: Events, as_of: int) -> dict[str, float]:
    compiled, shards = owned(features, events)
    values = compute(compiled, shards, np.zeros(1, np.int32), as_of).features[:, 0].tolist()
    return dict(zip((feature["name"] for feature in features), values, strict=True))


@pytest.mark.parametrize("tiled", [False, True])
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, n=st.sampled_from([5, 100, 3000]), offset=st.sampled_from([1e9, -1e9, 2.0**40]))
def test_a_huge_offset_costs_no_digits(tiled: bool, seed: int, n: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    values = offset + rng.uniform(-0.1, 0.1, n)
    small = pd.Series(values - offset)  # exact
    times = np.sort(rng.choice(DAY, n, replace=False))
    features = [statistical(name, name, "delay", DAY) for name in ("std", "var", "skew", "kurtosis", "mean")]
    line_of = slope("slope", "delay", DAY)
    by_time: PlanFeature = {**line_of, "name": "by_time", "per": DAY}
    r2: PlanFeature = {**by_time, "name": "r2", "result": "r2"}
    rows, parts = (4, 8) if tiled else (gather.TILED, tiles.PER_WINDOW)
    with patch.object(gather, "TILED", rows), patch.object(tiles, "PER_WINDOW", parts):
        found = values_of([*features, line_of, by_time, r2], Events(times, [0] * n, values), DAY - 1)
    exact = stats.linregress((times - times[0]) / DAY, small)
    assert found["mean"] == pytest.approx(values.mean(), rel=1e-15)
    assert found["std"] == pytest.approx(float(small.std()), rel=1e-9)
    assert found["var"] == pytest.approx(float(np.var(small, ddof=1)), rel=1e-9)
    assert found["skew"] == pytest.approx(float(stats.skew(small, bias=False)), rel=1e-9, abs=1e-9)
    assert found["kurtosis"] == pytest.approx(float(stats.kurtosis(small, bias=False)), rel=1e-9, abs=1e-9)
    by_row = stats.linregress(np.arange(n), small)
    assert found["slope"] == pytest.approx(by_row.slope, rel=1e-9, abs=1e-9 * by_row.stderr)
    assert found["by_time"] == pytest.approx(exact.slope, rel=1e-9, abs=1e-9 * exact.stderr)
    assert found["r2"] == pytest.approx(exact.rvalue**2, rel=1e-9, abs=1e-12)


def test_a_window_of_a_million_rows() -> None:
    rng = np.random.default_rng(5)
    n = 1_000_000
    values = 1e6 + rng.gamma(2.0, size=n)
    times = np.sort(rng.integers(0, 30 * DAY, n))
    features = [statistical(name, name, "delay", 30 * DAY) for name in AGGREGATIONS]
    features += [slope("slope", "delay", 30 * DAY), statistical("rows", "count", None, 30 * DAY)]
    found = values_of(features, Events(times, np.zeros(n), values), 30 * DAY - 1)
    small = pd.Series(values - 1e6)
    assert found["rows"] == found["count"] == n
    assert found["sum"] == pytest.approx(math.fsum(values), rel=1e-12)
    assert found["mean"] == pytest.approx(math.fsum(values) / n, rel=1e-12)
    for name, wanted in {
        "std": float(small.std()),
        "var": float(np.var(small, ddof=1)),
        "skew": float(stats.skew(small, bias=False)),
        "kurtosis": float(stats.kurtosis(small, bias=False)),
        "slope": float(stats.linregress(np.arange(n), small).slope),
    }.items():
        assert found[name] == pytest.approx(wanted, rel=1e-9), name
    assert (found["min"], found["max"]) == (values.min(), values.max())
    assert (found["first"], found["last"]) == (values[0], values[-1])


def test_ten_million_rows_in_one_stretch() -> None:
    n = 10_000_000
    values = np.empty(n + 1)
    np.random.default_rng(6).random(out=values)
    values += 1e9
    need = Need(centred=True)
    table = describe(values, np.zeros(1, np.int64), np.array([0]), np.array([n]), [need])[:, 0]
    values -= 1e9
    exact = values[:-1]
    deviation = math.sqrt(table[4] / (n - 1))
    assert deviation == pytest.approx(float(np.std(exact, ddof=1)), rel=1e-9)
    assert table[CENTRE] + table[REST] - 1e9 == pytest.approx(float(exact.mean()), abs=2e-7)


@pytest.mark.parametrize("values", [[math.inf, 1.0], [-math.inf, math.inf, 2.0, 3.0], [1e308, 1e308, -1e308]])
def test_what_overflows_is_null(values: list[float]) -> None:
    n = len(values)
    features = [statistical(name, name, "delay", DAY) for name in AGGREGATIONS]
    found = values_of(features, Events(np.arange(n), [0] * n, values), n)
    assert found["count"] == n
    for name in ("std", "var", "skew", "kurtosis"):
        assert math.isnan(found[name]), name
    if math.inf in values:
        assert math.isnan(found["sum"])
        assert math.isnan(found["max"])
    assert found["last"] == values[-1]


def test_equal_values_vary_by_nothing() -> None:
    names = ("var", "std", "skew", "kurtosis")
    features: list[PlanFeature] = [statistical(name, name, "delay", DAY) for name in names]
    features += [slope("slope", "delay", DAY), {**slope("r2", "delay", DAY), "result": "r2"}]
    found = values_of(features, Events(np.arange(7), [0] * 7, [0.1] * 7), 7)
    assert [found[name] for name in ("skew", "kurtosis")] == [0.0, 0.0]
    assert found["std"] == pytest.approx(0.0, abs=1e-16)
    assert found["slope"] == pytest.approx(0.0, abs=1e-16)
    assert math.isnan(found["r2"])

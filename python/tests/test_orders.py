"""Order statistics against pandas and SciPy, and the same bits alone and among many."""

import numpy as np
import pytest
from headrace.kernels.orders import ORDERS, SORTED_MAX, OrderPlan, compute_orders
from headrace.kernels.segments import Floats, Segments
from headrace.wire.plan import PlanFeature
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import order_statistic
from stretches import asked, close, random_stretches

FEATURES: list[PlanFeature] = [
    asked(aggregation="median"),
    *(asked(aggregation="quantile", q=q) for q in (0.0, 0.05, 0.5, 0.9, 0.999, 1.0)),
    asked(aggregation="nunique"),
    asked(aggregation="mode"),
    asked(aggregation="entropy"),
    *(asked(aggregation="top_share", rank=rank) for rank in (1, 2, 3, 10)),
    asked(aggregation="median", approximate=0.01),
    asked(aggregation="quantile", q=0.99, approximate=0.05),
]


def run(segments: Segments, features: list[PlanFeature] = FEATURES, windows: int = 2) -> Floats:
    wanted = [
        (row * windows + window, feature, window)
        for row, feature in enumerate(features)
        for window in range(windows)
    ]
    out = np.full((len(wanted), segments.lows.shape[1]), np.nan)
    compute_orders(OrderPlan(wanted), segments, out, None)
    return out


def line(*values: float) -> Segments:
    times = np.arange(len(values) + 1)
    return Segments(np.array([*values, np.nan]), times, np.array([[0]]), np.array([[len(values)]]))


def test_every_aggregation_is_asked() -> None:
    assert {feature["aggregation"] for feature in FEATURES} == set(ORDERS)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), entities=st.integers(1, 6), rows=st.sampled_from([0, 3, 40, 900]))
def test_equal_pandas_and_scipy(seed: int, entities: int, rows: int) -> None:
    stretched = random_stretches(np.random.default_rng(seed), entities, rows)
    out = run(stretched.segments)
    for row, feature in enumerate(FEATURES):
        if "approximate" in feature:
            continue
        for window in range(2):
            for entity in range(entities):
                values = stretched.frame(window, entity)["value"]
                wanted = order_statistic(feature, values)
                scale = float(values.abs().max()) if feature["aggregation"] in ("median", "quantile") else 0.0
                assert close(out[row * 2 + window, entity], wanted, scale), feature


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), entities=st.integers(2, 6), rows=st.sampled_from([3, 40, 900]))
def test_alone_and_among_many_have_the_same_bits(seed: int, entities: int, rows: int) -> None:
    stretched = random_stretches(np.random.default_rng(seed), entities, rows)
    many = run(stretched.segments)
    for entity in range(entities):
        alone = run(stretched.alone(entity))
        assert alone.tobytes() == many[:, entity].tobytes()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_long_stretch_is_only_partitioned_for_quantiles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=SORTED_MAX + int(rng.integers(1, 2000)))
    quantiles = [feature for feature in FEATURES if feature["aggregation"] == "quantile"]
    together = run(line(*values), [*quantiles, asked(aggregation="nunique")], 1)
    assert run(line(*values), quantiles, 1).tobytes() == together[:-1].tobytes()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), entities=st.integers(1, 5))
def test_of_several_categories_the_one_with_the_least_text_is_the_mode(seed: int, entities: int) -> None:
    rng = np.random.default_rng(seed)
    texts = ["pear", "fig", "apple", "Quince", "äpple", "kiwi"]
    stretched = random_stretches(rng, entities, 12)
    segments = stretched.segments
    segments.values[:] = rng.integers(0, len(texts), len(segments.values))
    out = np.full((1, entities), np.nan)
    compute_orders(OrderPlan([(0, asked(aggregation="mode"), 0)]), segments, out, texts.__getitem__)
    for entity in range(entities):
        codes = stretched.frame(0, entity)["value"].astype(int)
        modes = codes.map(texts.__getitem__).mode()
        found = out[0, entity]
        assert (texts[int(found)] == min(modes)) if len(modes) else np.isnan(found)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_shares_do_not_depend_on_the_codes_that_texts_happen_to_have(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 9, 200) * rng.integers(0, 2, 200)
    wanted = [asked(aggregation="entropy"), asked(aggregation="top_share", rank=2)]
    others = rng.permutation(9)[codes]
    assert run(line(*codes), wanted, 1).tobytes() == run(line(*others), wanted, 1).tobytes()


def test_values_are_left_as_they_are() -> None:
    segments = line(3.0, 1.0, 2.0, 1.0)
    before = segments.values.tobytes()
    run(segments, windows=1)
    assert segments.values.tobytes() == before


def test_infinite_values_are_counted_and_do_not_spoil_the_quantiles_beside_them() -> None:
    segments = line(np.inf, 1.0, 2.0, np.inf, -np.inf)
    wanted = [asked(aggregation=name) for name in ("median", "nunique", "mode")]
    assert run(segments, wanted, 1)[:, 0].tolist() == [2.0, 4.0, np.inf]
    approximate = asked(aggregation="median", approximate=0.01)
    assert run(segments, [approximate], 1)[0, 0] == pytest.approx(2.0, rel=0.01)


def test_zeros_of_either_sign_are_one_value() -> None:
    wanted = [asked(aggregation="nunique"), asked(aggregation="mode"), asked(aggregation="top_share", rank=1)]
    assert run(line(0.0, -0.0, 5.0, 5.0, -0.0), wanted, 1)[:, 0].tolist() == [2.0, 0.0, 0.6]

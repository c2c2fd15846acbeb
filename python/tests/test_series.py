"""Functions of time against pandas, the same bits alone and among many, and when they move on."""

import math

import numpy as np
import pandas as pd
import pytest
from headrace.kernels.segments import Floats, Indexes, Segments
from headrace.kernels.series import SERIES, SeriesPlan, compute_series
from headrace.memory.rows import FAR
from headrace.wire.plan import PlanFeature
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import terms_of_time, time_series
from stretches import SECOND, Stretched, asked, close, random_stretches

WINDOW = {"time": 1000 * SECOND}
BACK = 70 * SECOND
"""Offset of some of the features."""


def series(function: str, **keys: object) -> PlanFeature:
    return asked(type="time_series", function=function, window=WINDOW, **keys)


FEATURES: list[PlanFeature] = [
    series("ewma", field="value", half_life=40 * SECOND),
    series("ewma", field="value", half_life=SECOND // 7),
    series("decayed_sum", field="value", half_life=100 * SECOND, step=30 * SECOND),
    series("decayed_sum", half_life=33 * SECOND, step=7),
    series("rate"),
    series("rate", field="value", per=60 * SECOND),
    series("velocity", field="value"),
    series("velocity", field="value", per=3600 * SECOND),
    series("acceleration", field="value", per=60 * SECOND),
    series("autocorrelation", field="value", lag=1),
    series("autocorrelation", field="value", lag=5),
    series("time_since_last", step=SECOND),
    series("time_since_last", step=13 * SECOND, field="value"),
    series("time_since_first", step=60 * SECOND),
    series("duration"),
    series("mean_gap"),
    series("burst", recent=200 * SECOND),
    series("anomaly_score", field="value"),
]


def run(
    segments: Segments, end: int, features: list[PlanFeature] = FEATURES, windows: int = 2
) -> tuple[Floats, Indexes]:
    wanted = [
        (row * windows + window, feature, window)
        for row, feature in enumerate(features)
        for window in range(windows)
    ]
    n = segments.lows.shape[1]
    out = np.full((len(wanted), n), np.nan)
    valid_until = np.full(n, FAR)
    with np.errstate(all="ignore"):
        compute_series(SeriesPlan(wanted), segments, np.full(windows, end), out, valid_until)
    return out, valid_until


def test_every_function_is_asked() -> None:
    assert {feature["function"] for feature in FEATURES} == set(SERIES)


def test_a_function_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="'tides'"):
        SeriesPlan([(0, series("tides"), 0)])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), entities=st.integers(1, 5), rows=st.sampled_from([0, 3, 10, 300]))
def test_equal_pandas(seed: int, entities: int, rows: int) -> None:
    stretched = random_stretches(np.random.default_rng(seed), entities, rows)
    out, _ = run(stretched.segments, stretched.end)
    for row, feature in enumerate(FEATURES):
        for window in range(2):
            for entity in range(entities):
                frame = stretched.frame(window, entity)
                wanted = time_series(feature, frame, stretched.end)
                found = out[row * 2 + window, entity]
                assert close(found, wanted, terms_of_time(feature, frame)), (feature, found, wanted)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), entities=st.integers(2, 6), rows=st.sampled_from([3, 10, 300]))
def test_alone_and_among_many_have_the_same_bits(seed: int, entities: int, rows: int) -> None:
    stretched = random_stretches(np.random.default_rng(seed), entities, rows)
    many, untils = run(stretched.segments, stretched.end)
    for entity in range(entities):
        alone, until = run(stretched.alone(entity), stretched.end)
        assert alone.tobytes() == many[:, entity].tobytes()
        assert until[0] == untils[entity]


MOVING = [
    feature
    for feature in FEATURES
    if feature["function"] in ("decayed_sum", "time_since_last", "time_since_first", "burst")
]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(0, 6), offset=st.sampled_from([0, BACK]))
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: str(feature["function"]))
def test_nothing_changes_before_valid_until(feature: PlanFeature, seed: int, rows: int, offset: int) -> None:
    rng = np.random.default_rng(seed)
    stretched = random_stretches(rng, 1, rows)
    late: PlanFeature = {**feature, "window": {**WINDOW, "offset": offset}}  # type: ignore[typeddict-item]
    now, until = run(stretched.segments, stretched.end, [late], 1)
    as_of = stretched.end + offset
    if feature not in MOVING or not len(stretched.frame(0, 0)):
        assert until[0] == FAR
        return
    if feature["function"] == "burst" and until[0] == FAR:
        assert (stretched.frame(0, 0)["time"] <= stretched.end - feature["recent"]).all()
        return
    assert as_of < until[0] < FAR
    for moment in (int(rng.integers(as_of, until[0])), int(until[0]) - 1):
        then, _ = run(stretched.segments, moment - offset, [late], 1)
        assert then.tobytes() == now.tobytes()
    then, after = run(stretched.segments, int(until[0]) - offset, [late], 1)
    assert after[0] > until[0]
    if feature["function"] in ("time_since_last", "time_since_first"):
        assert then[0, 0] > now[0, 0]
    if feature["function"] == "burst" and math.isfinite(now[0, 0]):
        assert then[0, 0] < now[0, 0]


def segments(times: list[int], values: list[float]) -> Stretched:
    made = Segments(
        np.array([*values, np.nan]),
        np.array([*times, 0]),
        np.array([[0]]),
        np.array([[len(times)]]),
    )
    return Stretched(made, max(times, default=0), 0)


def test_equal_times_have_no_velocity() -> None:
    two = segments([SECOND, SECOND], [1.0, 2.0])
    out, _ = run(two.segments, two.end, [series("velocity", field="value")], 1)
    assert not np.isfinite(out).any()


def test_equal_values_have_no_autocorrelation_and_no_anomaly_score() -> None:
    # The mean of three of these is not exactly their value.
    equal = segments([1, 2, 3, 4], [0.1] * 4)
    wanted = [series("autocorrelation", field="value", lag=1), series("anomaly_score", field="value")]
    out, _ = run(equal.segments, equal.end, wanted, 1)
    assert not np.isfinite(out).any()


def test_an_offset_as_great_as_the_values_differ_little() -> None:
    values = [1e9 + 0.1, 1e9 - 0.1, 1e9 + 0.1, 1e9 + 0.05]
    great = segments([SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND], values)
    wanted = [series("autocorrelation", field="value", lag=1), series("velocity", field="value")]
    out, _ = run(great.segments, great.end, wanted, 1)
    assert out[0, 0] == pytest.approx(pd.Series(values).autocorr(1), rel=1e-7)
    assert out[1, 0] == values[-1] - values[-2]


def test_whole_numbers_about_2_to_the_52_correlate_like_small_ones() -> None:
    # Half a unit, which their mean is off by, is not little beside what they differ by.
    small = [3.0, -7.0, 11.0, 2.0, -5.0, 8.0, -1.0]
    wanted = [series("autocorrelation", field="value", lag=2)]
    great = segments(list(range(7)), [2.0**52 + value for value in small])
    out, _ = run(great.segments, great.end, wanted, 1)
    assert out[0, 0] == pytest.approx(pd.Series(small).autocorr(2), rel=1e-12)


def test_infinite_values_give_nothing_finite() -> None:
    infinite = segments([1, 2, 3], [1.0, np.inf, -np.inf])
    wanted = [
        series(name, field="value", half_life=SECOND, step=SECOND, lag=1)
        for name in (
            "ewma",
            "decayed_sum",
            "rate",
            "velocity",
            "acceleration",
            "autocorrelation",
            "anomaly_score",
        )
    ]
    out, _ = run(infinite.segments, infinite.end, wanted, 1)
    assert not np.isfinite(out).any()

"""What a quantile sketch promises: its accuracy, and one result however the values came."""

import math

import numpy as np
import pytest
from headrace.kernels.sketch import Sketch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

ACCURACIES = st.sampled_from([0.001, 0.01, 0.1, 0.5])
VALUES = arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(st.floats(-1e3, 1e3), st.floats(allow_nan=False, allow_infinity=False)),
)


def same(one: Sketch, other: Sketch) -> bool:
    return bool(np.array_equal(one.buckets, other.buckets) and np.array_equal(one.counts, other.counts))


@settings(max_examples=300, deadline=None)
@given(values=VALUES, accuracy=ACCURACIES, share=st.floats(0, 1))
def test_quantiles_are_as_accurate_as_promised(values: np.ndarray, accuracy: float, share: float) -> None:
    ordered = np.sort(values)
    place = (len(ordered) - 1) * share
    below, above = float(ordered[math.floor(place)]), float(ordered[math.ceil(place)])
    found = Sketch.from_values(values, accuracy).quantile(share)
    if place == math.floor(place) or below * above >= 0:
        part = place - math.floor(place)
        wanted = below * (1 - part) + above * part
        error = accuracy * abs(wanted)
    else:
        wanted = below + (above / 2 - below / 2) * 2 * (place - math.floor(place))
        error = accuracy * max(abs(below), abs(above))
    if math.isfinite(found):
        assert abs(found - wanted) <= error * (1 + 1e-9) + 2.3e-308
    else:
        # What lies between is not finite where the distance of the two is not.
        assert not math.isfinite((above - below) * (1 + accuracy))


@settings(max_examples=100, deadline=None)
@given(values=VALUES, accuracy=ACCURACIES, seed=st.integers(0, 2**32 - 1))
def test_order_and_parts_do_not_matter(values: np.ndarray, accuracy: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = Sketch.from_values(values, accuracy)
    moved = rng.permutation(values)
    cuts = np.sort(rng.integers(0, len(values) + 1, 3))
    parts = [Sketch.from_values(part, accuracy) for part in np.split(moved, cuts)]
    assert same(Sketch.merge(parts), whole)
    assert same(Sketch.merge([Sketch.merge(parts[:2]), Sketch.merge(parts[2:])]), whole)


def test_a_sketch_is_small() -> None:
    values = np.random.default_rng(1).lognormal(size=100_000)
    assert len(Sketch.from_values(values, 0.01).buckets) < 500


def test_extremes() -> None:
    nothing = Sketch.from_values(np.empty(0), 0.01)
    assert math.isnan(nothing.quantile(0.5))
    assert same(Sketch.merge([nothing, nothing]), nothing)
    values = np.array([-np.inf, -1.0, -0.0, 0.0, 5e-324, 1.0, np.inf])
    sketch = Sketch.from_values(values, 0.01)
    assert sketch.quantile(0.0) == -math.inf
    assert sketch.quantile(1.0) == math.inf
    assert sketch.counts.tolist() == [1, 1, 3, 1, 1]
    assert [sketch.quantile(rank / 6) for rank in (2, 3, 4)] == [0.0, 0.0, 0.0]
    greatest = float(np.finfo(np.float64).max)
    assert Sketch.from_values(np.array([greatest]), 0.01).quantile(0.5) == pytest.approx(greatest, rel=0.01)

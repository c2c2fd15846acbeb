import math
from typing import Any

import numpy as np
import pytest
from headrace.expressions.operators import compile_expression, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

NAN = math.nan
LEAVES = rows_of({"a": 0, "b": 1, "c": 2})
A: Any = ["ref", "a"]
B: Any = ["ref", "b"]
C: Any = ["ref", "c"]


def evaluate(tree: Any, *rows: Any) -> list[float]:
    values = np.array(rows, np.float64)
    out = np.empty(values.shape[1])
    with np.errstate(all="ignore"):
        out[:] = compile_expression(tree, LEAVES)(values)
    return out.tolist()


@pytest.mark.parametrize(
    ("tree", "a", "b", "wanted"),
    [
        (7, 0, 0, 7),
        (A, 3, 0, 3),
        (["neg", A], 3, 0, -3),
        (["+", A, B], 1, 2, 3),
        (["-", A, B], 1, 2, -1),
        (["*", A, B], 3, 2, 6),
        (["/", A, B], 3, 2, 1.5),
        (["/", A, B], 3, 0, NAN),
        (["/", A, B], 0, 0, NAN),
        (["/", 1, ["/", A, B]], 1, 0, NAN),
        (["*", A, A], 1e200, 0, NAN),
        (["<", A, B], 1, 2, 1),
        (["<=", A, B], 2, 2, 1),
        ([">", A, B], 1, 2, 0),
        ([">=", A, B], 1, 2, 0),
        (["==", A, B], 2, 2, 1),
        (["!=", A, B], 2, 2, 0),
        (["<", A, B], NAN, 2, NAN),
        (["!=", A, B], NAN, NAN, NAN),
        (["and", A, B], 1, 1, 1),
        (["and", A, B], 0, NAN, NAN),
        (["or", A, B], 0, 1, 1),
        (["or", A, B], 1, NAN, NAN),
        (["not", A], 1, 0, 0),
        (["not", A], NAN, 0, NAN),
        (["min", A, B, 1], 3, 2, 1),
        (["max", A, B, 1], 3, 2, 3),
        (["min", A, B], NAN, 2, NAN),
        (["abs", A], -3, 0, 3),
        (["log", A], 1, 0, 0),
        (["log", A], 0, 0, NAN),
        (["log", A], -1, 0, NAN),
        (["exp", A], 0, 0, 1),
        (["exp", A], 1000, 0, NAN),
        (["sqrt", A], 9, 0, 3),
        (["sqrt", A], -9, 0, NAN),
        (["where", [">", A, B], 10, 20], 3, 2, 10),
        (["where", [">", A, B], 10, 20], 1, 2, 20),
        (["where", [">", A, B], 10, 20], NAN, 2, NAN),
        (["where", ["<", B, 3], 10, A], NAN, 2, 10),
        (["coalesce", A, B, 9], NAN, NAN, 9),
        (["coalesce", A, B, 9], NAN, 2, 2),
        (["coalesce", ["/", A, B], 5], 1, 0, 5),
        (["+", A, B], NAN, 2, NAN),
    ],
)
def test_operators(tree: Any, a: float, b: float, wanted: float) -> None:
    assert evaluate(tree, [a], [b], [0]) == pytest.approx([wanted], nan_ok=True)


def test_each_entity_by_itself() -> None:
    tree = ["/", ["-", A, B], C]
    assert evaluate(tree, [1, 2, NAN], [1, 1, 1], [1, 0, 1]) == pytest.approx([0, NAN, NAN], nan_ok=True)


def test_unknown_operators_are_named() -> None:
    with pytest.raises(ValueError, match="'pow'"):
        compile_expression(["pow", A, 2], LEAVES)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-700, 700), min_size=1, max_size=40))
def test_the_batch_changes_no_bits(numbers: list[float]) -> None:
    tree = ["+", ["exp", A], ["+", ["log", ["abs", A]], ["sqrt", ["abs", A]]]]
    many = evaluate(tree, numbers)
    one = [evaluate(tree, [number])[0] for number in numbers]
    assert np.array(many).tobytes() == np.array(one).tobytes()

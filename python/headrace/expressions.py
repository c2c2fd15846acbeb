"""Expressions over the features of a view.

An expression is a checked tree in prefix form (``Expression`` in ``src/registry/view.ts``). It is made into a
function of the matrix of feature values once, and then evaluated for all entities at once.

Null is NaN. An operator with a null argument gives null, and so does a result that is not finite, at every
step: ``1 / (1 / 0)`` is null, not 0. Only two look past nulls: ``coalesce`` takes its first argument that is
not null, ``where`` cares about the branch that it takes. Truth is 1 and 0; any number but 0 counts as true.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.plan import Expression

Values: TypeAlias = NDArray[np.float64]
Evaluate: TypeAlias = Callable[[Values], Any]
"""From the matrix of feature values, shape ``(features, n)``, to values of shape ``(n,)`` or a scalar."""


def compile_expression(tree: Expression, index: Mapping[str, int]) -> Evaluate:
    """Make a function of an expression.

    Parameters
    ----------
    tree
        The checked tree.
    index
        The rows of the features in the matrix, by name.

    Raises
    ------
    ValueError
        Where the tree has an operator that this worker does not know.
    """
    if isinstance(tree, bool | int | float):
        number = np.float64(tree)
        return lambda _: number
    operator, *arguments = tree
    if operator == "ref":
        row = index[arguments[0]]
        return lambda values: values[row]
    function = _OPERATORS.get(operator)
    if function is None:
        raise ValueError(f"the expression has the operator {operator!r}, which this worker does not know")
    parts = [compile_expression(argument, index) for argument in arguments]
    if len(parts) == 1:
        (only,) = parts
        return lambda values: function(only(values))
    if len(parts) == 2:
        left, right = parts
        return lambda values: function(left(values), right(values))
    return lambda values: function(*(part(values) for part in parts))


def _finite(function: Callable[..., Any]) -> Callable[..., Any]:
    """Null what is not finite."""

    def evaluate(*arguments: Any) -> Any:
        result = function(*arguments)
        return result + (result - result)  # adds 0 to what is finite, and NaN to what is not

    return evaluate


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """Null a truth value that has a null among its arguments."""

    def evaluate(*arguments: Any) -> Any:
        nothing = sum(argument - argument for argument in arguments)  # 0, or NaN where one is null
        return function(*arguments) + nothing

    return evaluate


def _fold(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Make a function of two arguments one of two or more."""
    return lambda *arguments: reduce(function, arguments)


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    chosen = np.where(condition != 0, then, otherwise)
    return np.where(condition == condition, chosen, np.nan)


def _coalesce(*arguments: Any) -> Any:
    return reduce(lambda first, second: np.where(first == first, first, second), arguments)


def _negative(value: Any) -> Any:
    # Not np.negative: -0.0 must not come from 0.
    return 0.0 - value


_OPERATORS: Final[Mapping[str, Callable[..., Any]]] = {
    "neg": _negative,
    "+": _finite(np.add),
    "-": _finite(np.subtract),
    "*": _finite(np.multiply),
    "/": _finite(np.divide),
    "<": _strict(np.less),
    "<=": _strict(np.less_equal),
    ">": _strict(np.greater),
    ">=": _strict(np.greater_equal),
    "==": _strict(np.equal),
    "!=": _strict(np.not_equal),
    "and": _strict(np.logical_and),
    "or": _strict(np.logical_or),
    "not": _strict(np.logical_not),
    "min": _fold(np.minimum),
    "max": _fold(np.maximum),
    "abs": np.abs,
    "log": _finite(np.log),
    "exp": _finite(np.exp),
    "sqrt": _finite(np.sqrt),
    "where": _where,
    "coalesce": _coalesce,
}

"""Expressions over features, fields of events, and requests.

An expression is a checked tree in prefix form (``Expression`` in ``src/registry/view.ts``). It is made into a
function once, and then evaluated for all entities, events or requests at once.

Null is NaN. An operator with a null argument gives null, and so does a result that is not finite, at every
step: ``1 / (1 / 0)`` is null, not 0. Only two look past nulls: ``coalesce`` takes its first argument that is
not null, ``where`` cares about the branch that it takes. Truth is 1 and 0; any number but 0 counts as true.
Times are microseconds. A column of texts is an array of objects, and its null is ``None``.

``src/serve/expressions.ts`` is the twin for what is evaluated on the engine's main thread, and
``test/vectors/request.json`` holds both to the same bits.
"""

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final, TypeAlias

import numpy as np

from headrace.expressions.calendars import calendar
from headrace.wire.plan import Expression

Evaluate: TypeAlias = Callable[[Any], Any]
"""From whatever the leaves read (the matrix of feature values, the columns of events, …) to values of shape
``(n,)`` or a scalar."""

Leaves: TypeAlias = Mapping[str, Callable[..., Evaluate]]
"""By leaf (``ref``, ``input``, ``now``, ``field``, ``time``), what makes a function of its arguments.

``text``, where given, is called with the text and with the tree that it is compared with, so that a text can
be made the code that stands for it there; else a text is itself."""

_CALENDAR: Final = ("hour_of_day", "day_of_week", "is_weekend", "day_of_month", "month")


def rows_of(index: Mapping[str, int]) -> Leaves:
    """Return the leaves of an expression over the matrix of feature values, shape ``(features, n)``.

    Parameters
    ----------
    index
        The rows of the features in the matrix, by name.
    """

    def ref(name: str) -> Evaluate:
        row = index[name]
        return lambda values: values[row]

    return {"ref": ref}


def compile_expression(tree: Expression, leaves: Leaves) -> Evaluate:
    """Make a function of an expression.

    Parameters
    ----------
    tree
        The checked tree.
    leaves
        What its leaves read.

    Raises
    ------
    ValueError
        Where the tree has a leaf or an operator that is not known here.

    Examples
    --------
    >>> ratio = compile_expression(["/", ["ref", "a"], ["ref", "b"]], rows_of({"a": 0, "b": 1}))
    >>> with np.errstate(all="ignore"):
    ...     ratio(np.array([[1.0, 1.0], [4.0, 0.0]]))
    array([0.25,  nan])
    """
    if isinstance(tree, bool | int | float):
        number = np.float64(tree)
        return lambda _: number
    name, *arguments = tree
    if name in leaves:
        return leaves[name](*arguments)
    if name in _CALENDAR:
        zone, time = arguments
        return _applied(calendar(name, zone), [compile_expression(time, leaves)])
    if name == "time_since":
        operands = [compile_expression(tree, leaves) for tree in (["now"], *arguments)]
        return _applied(_OPERATORS["time_since"], operands)
    function = _OPERATORS.get(name)
    if function is None:
        raise ValueError(f"the expression has the operator {name!r}, which this worker does not know")
    return _applied(function, [_operand(argument, arguments, leaves) for argument in arguments])


def _operand(tree: Expression, operands: list[Expression], leaves: Leaves) -> Evaluate:
    if isinstance(tree, list | tuple) and tree[0] == "text":
        text = tree[1]
        if "text" in leaves:
            beside = next((other for other in operands if other is not tree), tree)
            return leaves["text"](text, beside)
        return lambda _: text
    return compile_expression(tree, leaves)


def _applied(function: Callable[..., Any], parts: list[Evaluate]) -> Evaluate:
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


def _equal(left: Any, right: Any) -> Any:
    return _same_text(left, right) if _is_text(left) or _is_text(right) else _number_equal(left, right)


def _not_equal(left: Any, right: Any) -> Any:
    return 1.0 - _equal(left, right)


def _is_text(values: Any) -> bool:
    return isinstance(values, str) or (isinstance(values, np.ndarray) and values.dtype == np.object_)


def _same_text(left: Any, right: Any) -> Any:
    pairs = np.broadcast(np.asarray(left, np.object_), np.asarray(right, np.object_))
    same = [np.nan if a is None or b is None else float(a == b) for a, b in pairs]
    return np.array(same, np.float64).reshape(pairs.shape)


_number_equal: Final = _strict(np.equal)


_OPERATORS: Final[Mapping[str, Callable[..., Any]]] = {
    "neg": _negative,
    "+": _finite(operator.add),
    "-": _finite(operator.sub),
    "*": _finite(operator.mul),
    "/": _finite(operator.truediv),
    "<": _strict(np.less),
    "<=": _strict(np.less_equal),
    ">": _strict(np.greater),
    ">=": _strict(np.greater_equal),
    "==": _equal,
    "!=": _not_equal,
    "and": _strict(np.logical_and),
    "or": _strict(np.logical_or),
    "not": _strict(np.logical_not),
    "min": _fold(np.minimum),
    "max": _fold(np.maximum),
    "abs": np.abs,
    "log": _finite(np.log),
    "exp": _finite(np.exp),
    "sqrt": _finite(np.sqrt),
    "time_since": _finite(lambda now, time: (now - time) / 1e6),
    "where": _where,
    "coalesce": _coalesce,
}

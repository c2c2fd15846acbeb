"""Features of a request: what is made of the values of a plan, the inputs of requests and their time.

Most are evaluated by the engine (``src/serve/request-features.ts``, the twin); a worker evaluates them where
one has an operator whose bits differ between the two (``runs: fleet``)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.expressions.operators import Evaluate, compile_expression
from headrace.wire.columns import Dtype, decode_columns, encode_columns
from headrace.wire.plan import Plan

Columns = dict[str, Any]
"""By name a column of shape ``(n,)``: floats with NaN for null, or texts with None."""


class CompiledRequest:
    """The features of a plan that depend on the request, made ready to evaluate."""

    def __init__(self, plan: Plan) -> None:
        """Make the expressions ready.

        Parameters
        ----------
        plan
            A plan with a `request`.

        Raises
        ------
        ValueError
            Where an expression has an operator that this worker does not know.
        """
        request = plan["request"]
        self._inputs = [(field["name"], field["type"] == "category") for field in request["inputs"]]
        self._features = [
            (feature["name"], feature["output"], compile_expression(feature["expression"], _LEAVES))
            for feature in request["features"]
        ]

    def evaluate(self, stored: Columns, block: bytes | memoryview, n: int) -> bytes:
        """Evaluate all features and write their columns as those of a plan are.

        Parameters
        ----------
        stored
            The values of the plan's features by name.
        block
            The requests' times and inputs (``GroupHeader.request`` in ``src/wire/frames.ts``).
        n
            Number of rows.
        """
        scope = _Scope(dict(stored), self._decode(block, n))
        parts: list[tuple[Dtype, Any]] = []
        with np.errstate(all="ignore"):
            for name, output, evaluate in self._features:
                values = evaluate(scope)
                if output == "string":
                    scope.values[name] = values
                    parts += [("str", values), ("u1", [text is not None for text in values])]
                    continue
                column = np.empty(n)
                column[:] = values
                column += 0.0
                scope.values[name] = column
                parts += _written(column, output)
        return encode_columns(parts)

    def _decode(self, block: bytes | memoryview, n: int) -> Columns:
        dtypes: list[Dtype] = ["i8"]
        for _, is_text in self._inputs:
            dtypes += ["str", "u1"] if is_text else ["f8"]
        read, _ = decode_columns(block, dtypes, n)
        rest = iter(read)
        columns: Columns = {"@now": next(rest).astype(np.float64)}
        for name, is_text in self._inputs:
            if is_text:
                columns[name] = texts_column(next(rest), next(rest))
            else:
                columns[name] = next(rest) + 0.0  # no sum tells -0.0 from 0.0, and no result may
        return columns


def texts_column(
    texts: Sequence[str | None], valid: Sequence[Any] | NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return texts as a column that expressions take.

    Parameters
    ----------
    texts
        The texts, None for null.
    valid
        Where given, which of them are there; the others are null.
    """
    column = np.empty(len(texts), np.object_)
    for i, text in enumerate(texts):
        column[i] = text if valid is None or valid[i] else None
    return column


class _Scope:
    """What the leaves read."""

    def __init__(self, values: Columns, inputs: Columns) -> None:
        self.values = values
        self.inputs = inputs


def _ref(name: str) -> Evaluate:
    return lambda scope: scope.values[name]


def _input(name: str) -> Evaluate:
    return lambda scope: scope.inputs[name]


def _now() -> Evaluate:
    return lambda scope: scope.inputs["@now"]


_LEAVES: Final[Mapping[str, Callable[..., Evaluate]]] = {"ref": _ref, "input": _input, "now": _now}


def _written(column: NDArray[np.float64], output: str) -> list[tuple[Dtype, Any]]:
    """Return a feature's values and their validity as an answer has them."""
    valid = np.isfinite(column)
    numbers = np.where(valid, column, 0.0)
    if output == "bool":
        return [("u1", numbers != 0.0), ("u1", valid)]
    if output == "float64":
        return [("f8", column), ("u1", valid)]
    return [("i8", numbers), ("u1", valid)]

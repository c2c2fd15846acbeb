"""Filters: which events a `where` is true for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.expressions.operators import Evaluate, compile_expression
from headrace.memory.rows import TIME, Words
from headrace.wire.plan import Expression

Dictionary: TypeAlias = Callable[[str, int], Sequence[str]]
"""From the name of a dictionary and a number to its texts, at least so many; a text's index is its code."""

Truth: TypeAlias = Callable[[Words], NDArray[np.bool_]]
"""From events, shape ``(columns, n)``, to whether each is taken, shape ``(n,)``."""

_UNKNOWN: Final = -1.0


def compile_predicate(
    where: Expression, source: str, columns: Mapping[str, int], dictionary: Dictionary
) -> Truth:
    """Make a function of a filter.

    Parameters
    ----------
    where
        The checked tree.
    source
        The events' source.
    columns
        The rows of its fields in a matrix of words.
    dictionary
        Gives the texts of categories. A text that no event has had yet is looked for again each time.

    Raises
    ------
    ValueError
        Where the tree has an operator that this worker does not know.
    """

    def field(name: str) -> Evaluate:
        row = columns[name]
        return lambda words: words[row].view(np.float64)

    def time() -> Evaluate:
        return lambda words: words[TIME].astype(np.float64)

    def text(value: str, beside: Expression) -> Evaluate:
        return _Code(value, f"{source}.{beside[1]}", dictionary)

    evaluate = compile_expression(where, {"field": field, "time": time, "text": text})

    def truth(words: Words) -> NDArray[np.bool_]:
        values: Any = evaluate(words)
        taken: NDArray[np.bool_] = (values == values) & (values != 0.0)
        # A filter that reads no field has one value for all rows.
        return taken if taken.ndim else np.full(words.shape[1], taken)

    return truth


class _Code:
    """The code of a text, once an event has had it."""

    def __init__(self, text: str, name: str, dictionary: Dictionary) -> None:
        self._text = text
        self._name = name
        self._dictionary = dictionary
        self._code = _UNKNOWN
        self._seen = 0

    def __call__(self, _: Words) -> np.float64:
        if self._code == _UNKNOWN:
            texts = self._dictionary(self._name, 0)
            for code in range(self._seen, len(texts)):
                if texts[code] == self._text:
                    self._code = float(code)
                    break
            self._seen = len(texts)
        return np.float64(self._code)

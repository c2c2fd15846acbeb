"""A user's function as a subject of the contract checks."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from headrace.checks.contract import AS_OF, TEXTS, BrokenError, Result, Rows
from headrace.functions.calls import FunctionCall, Selected
from headrace.functions.compute import compute_functions
from headrace.functions.feature import Feature
from headrace.functions.loader import Modules
from headrace.memory.rows import FIELDS
from headrace.wire.plan import Field, OutputType


class FunctionSubject:
    """A function, called as the workers call it.

    Examples
    --------
    >>> from headrace import feature
    >>> from headrace.checks.contract import check
    >>> from headrace.functions.window_frame import Column
    >>> @feature
    ... def worst(window, as_of) -> float:
    ...     return window["delay"].iloc[0]
    >>> call = FunctionCall("delays:worst", worst, "flights", {"time": 1}, None,
    ...                     [Column("delay", "float", 2, "")], 0.1, [(0, None, "float64")])
    >>> [finding.name for finding in check(FunctionSubject(call)) if not finding.passed]
    ['empty_window']
    """

    def __init__(self, call: FunctionCall, modules: Modules | None = None) -> None:
        """Take a function as a plan calls it.

        Parameters
        ----------
        call
            The call; its window and filter are not looked at.
        modules
            Tells where in the user's source an error arose.
        """
        self.name = call.function
        self.fields: Sequence[Field] = [{"name": column.name, "type": column.type} for column in call.columns]
        self.outputs: Sequence[OutputType] = [output for _, _, output in call.members]
        self._call = call
        self._modules = modules

    def load(self, entities: Sequence[Rows]) -> "LoadedFunction":
        """Give it the rows of some entities."""
        columns = [column._replace(row=FIELDS + i) for i, column in enumerate(self._call.columns)]
        members = [(row, result, output) for row, (_, result, output) in enumerate(self._call.members)]
        call = dataclasses.replace(self._call, columns=columns, members=members)
        return LoadedFunction(call, self._modules, entities)


class LoadedFunction:
    """A function that has got rows."""

    def __init__(self, call: FunctionCall, modules: Modules | None, entities: Sequence[Rows]) -> None:
        """Lay out the rows, and watch the function's hands."""
        sizes = [len(rows.times) for rows in entities]
        self._highs = np.cumsum(sizes, dtype=np.int64)
        self._lows = self._highs - sizes
        self._words = np.concatenate([rows.words() for rows in entities], axis=1)
        self._modules = modules
        self._changed = False
        self._call = call
        self._watched = call
        if isinstance(call.loaded, Feature):
            batch = call.loaded.batch_function
            watched = Feature(
                self._watch(call.loaded.function), call.loaded.outputs, batch and self._watch(batch)
            )
            self._watched = dataclasses.replace(call, loaded=watched)

    def values(self, entities: Sequence[int]) -> list[Result]:
        """Return the values of some of the entities, computed together."""
        return self._compute(self._call, entities)

    def changed(self) -> bool:
        """Tell whether a call changed the DataFrame that it was given."""
        everyone = range(len(self._lows))
        self._compute(self._watched, everyone)
        for entity in everyone:
            self._compute(self._watched, [entity])
        return self._changed

    def _compute(self, call: FunctionCall, entities: Sequence[int]) -> list[Result]:
        chosen = list(entities)
        features = np.full((len(call.members), len(chosen)), np.nan)
        selected = Selected(self._words, self._lows[chosen], self._highs[chosen])
        called = compute_functions(
            [call], lambda _: selected, AS_OF, lambda name, size: TEXTS, features, self._modules
        )
        if called.failures:
            raise BrokenError(called.failures[0]["message"])
        columns: list[list[Any]] = [
            [None if value != value else value for value in values] for values in features.tolist()
        ]
        for row, texts in called.texts.items():
            columns[row] = list(texts)
        return list(zip(*columns, strict=True))

    def _watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(frame: Any, as_of: Any) -> Any:
            before = frame.copy(deep=True)
            returned = function(frame, as_of)
            if not frame.equals(before) or list(frame.columns) != list(before.columns):
                self._changed = True
            return returned

        return watched

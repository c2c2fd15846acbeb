"""Calling functions before anyone waits for their values.

pandas loads and prepares many of its parts when they are first used, which takes longer than a feature may.
So a new function is called with made-up events, and what comes of it is forgotten."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from headrace.calls import Failure, FunctionCall, Selected
from headrace.functions import Feature
from headrace.limits import Budget
from headrace.loader import Modules
from headrace.rows import FIELDS, TIME, Words
from headrace.runs import Run

AS_OF: Final = 1_704_067_200_000_000
"""The moment of the made-up values, microseconds."""

ROWS: Final = 3
"""How many events each of the two made-up entities has."""


def warm(calls: Iterable[FunctionCall], modules: Modules, budget: Budget) -> None:
    """Call functions, in their single and in their batch form, with made-up events.

    Parameters
    ----------
    calls
        What to call.
    modules
        The registry's modules.
    budget
        How long all may take.

    Examples
    --------
    >>> from headrace import feature
    >>> @feature
    ... def rows(window, as_of) -> int:
    ...     print(len(window), "rows")
    ...     return len(window)
    >>> call = FunctionCall("sizes:rows", rows, "flights", {"time": 1}, None, [], 0.1)
    >>> warm([call], Modules("."), Budget(5.0))
    3 rows
    3 rows
    3 rows
    """
    for call in calls:
        if not isinstance(call.loaded, Feature):
            continue
        columns = [column._replace(row=FIELDS + i) for i, column in enumerate(call.columns)]
        words = _words(len(columns))
        made_up = dataclasses.replace(call, columns=columns)
        run = Run(made_up, call.loaded, AS_OF, _texts, modules, budget, _forget)
        for entities in (1, 2):
            highs = ROWS * np.arange(1, entities + 1)
            for outcome in run.all(Selected(words, highs - ROWS, highs)):
                if isinstance(outcome, Failure) and outcome.reason == "timed_out":
                    call.cold = made_up.cold  # it has had its longer time


def _words(fields: int) -> Words:
    """Make up events of two entities, a second apart, of rising values."""
    words: Words = np.zeros((FIELDS + fields, 2 * ROWS + 1), np.int64)
    at = np.arange(2 * ROWS + 1) % ROWS
    words[TIME] = AS_OF + (at - ROWS) * 1_000_000
    words[FIELDS:].view(np.float64)[:] = at
    return words


def _texts(_name: str, size: int) -> Sequence[str]:
    return [str(code) for code in range(size)]


def _forget(_: Failure) -> None:
    """Say nothing: what fails here fails again where it matters."""

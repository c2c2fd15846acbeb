"""The values of the Python features of a plan.

What goes wrong in a call makes its features null in that row and no others, and is told
(``FeatureFailure``)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.functions.calls import Failure, FunctionCall, Reason, Selected
from headrace.functions.feature import Feature, WrongOutput, checked
from headrace.functions.limits import Budget
from headrace.functions.loader import Modules
from headrace.functions.runs import Run
from headrace.functions.window_frame import Texts
from headrace.wire.frames import FeatureFailure

AGAIN_US: Final = 1_000_000
"""A row in which a call took too long, or could not be made, is good for so long, microseconds: another try
may do better."""


@dataclass(slots=True)
class Called:
    """What the calls gave beside the numbers."""

    texts: dict[int, list[str | None]] = field(default_factory=dict)
    """By row of the result, the values of features whose output is a text."""
    failures: list[FeatureFailure] = field(default_factory=list)
    timed_out: NDArray[np.bool_] | None = None
    """Rows in which a call took too long, or could not be made since its function could not be loaded, shape
    ``(n,)``; ``None`` where there is none."""


def compute_functions(
    calls: Sequence[FunctionCall],
    select: Callable[[FunctionCall], Selected],
    as_of: int,
    texts: Texts,
    features: NDArray[np.float64],
    modules: Modules | None = None,
    budget: Budget | None = None,
) -> Called:
    """Compute the Python features of a plan.

    Parameters
    ----------
    calls
        What to call.
    select
        Gives the rows of a call's window.
    as_of
        The moment, microseconds.
    texts
        Gives the texts of a category's dictionary.
    features
        Where the values go, shape ``(features, n)``; null is NaN.
    modules
        Tells where in the user's source an error arose.
    budget
        How long all may take; ``None``: as long as their own limits allow.
    """
    called = Called()
    n = features.shape[1]
    for i, call in enumerate(calls):
        tally = _Tally(called, call)
        if isinstance(call.loaded, Failure):
            outcomes: Sequence[Any] = [call.loaded] * n
        else:
            # What is left is shared, so that a slow function takes no time from the others.
            share = None if budget is None else budget.share(len(calls) - i)
            run = Run(call, call.loaded, as_of, texts, modules, share, tally.note)
            outcomes = run.all(select(call))
        _store(call, outcomes, features, tally)
    return called


class _Tally:
    """Counts the failures of one call's features."""

    def __init__(self, called: Called, call: FunctionCall) -> None:
        self.called = called
        self._rows = [row for row, _, _ in call.members]
        self._known: dict[tuple[int, Reason], FeatureFailure] = {}

    def add(self, failure: Failure, rows: int = 1, of: int | None = None) -> None:
        """Count a failure for one feature, or for all of the call."""
        for row in self._rows if of is None else [of]:
            known = self._known.get((row, failure.reason))
            if known is None:
                known = {"feature": row, "rows": 0, "reason": failure.reason, "message": failure.message}
                self._known[row, failure.reason] = known
                self.called.failures.append(known)
            known["rows"] += rows

    def note(self, failure: Failure) -> None:
        """Tell of what spoiled no row."""
        self.add(failure, rows=0)

    def time_out(self, entity: int, n: int) -> None:
        if self.called.timed_out is None:
            self.called.timed_out = np.zeros(n, np.bool_)
        self.called.timed_out[entity] = True


def _store(call: FunctionCall, outcomes: Sequence[Any], features: NDArray[np.float64], tally: _Tally) -> None:
    """Check what a function returned for each entity, and write it."""
    for row, _, output in call.members:
        features[row] = np.nan
        if output == "string":
            tally.called.texts[row] = [None] * len(outcomes)
    for i, outcome in enumerate(outcomes):
        if isinstance(outcome, Failure):
            tally.add(outcome)
            if outcome.reason == "timed_out" or outcome is call.loaded:
                tally.time_out(i, len(outcomes))
            continue
        for row, result, output in call.members:
            try:
                value = checked(_output(outcome, result, call), output)
            except WrongOutput as error:
                tally.add(_wrong(call, result, error), of=row)
                continue
            if isinstance(value, str):
                tally.called.texts[row][i] = value
            elif value is not None:
                features[row, i] = value


def _output(outcome: Any, result: str | None, call: FunctionCall) -> Any:
    """Return one output of what a function returned."""
    if result is None:
        return outcome
    if outcome is None:
        return None
    assert isinstance(call.loaded, Feature)
    names = set(call.loaded.outputs)
    if not isinstance(outcome, dict):
        raise WrongOutput(f"it returned {type(outcome).__name__} where a dict of its outputs is expected")
    if set(outcome) != names:
        listed = ", ".join(sorted(map(str, names)))
        raise WrongOutput(
            f"it returned the outputs {', '.join(map(str, outcome)) or 'none'} where {listed} are expected"
        )
    return outcome[result]


def _wrong(call: FunctionCall, result: str | None, error: WrongOutput) -> Failure:
    assert isinstance(call.loaded, Feature)
    line = call.loaded.function.__code__.co_firstlineno
    of = "" if result is None else f" output {result}:"
    return Failure("wrong_output", f"{call.module}:{line}, {call.name}:{of} {error}")

"""From a plan and the rows in memory to feature values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headrace.expressions.operators import Evaluate, compile_expression, rows_of
from headrace.functions.calls import FunctionCall, compile_calls
from headrace.functions.calls import Selected as SelectedWindow
from headrace.functions.compute import AGAIN_US, Called, compute_functions
from headrace.functions.limits import Budget
from headrace.functions.loader import Modules
from headrace.kernels.source_plan import SourcePlan
from headrace.memory.rows import FAR
from headrace.memory.shards import Needs, Shards
from headrace.selection.gathered import Asked
from headrace.selection.predicates import Dictionary
from headrace.selection.selecting import Selected
from headrace.wire.columns import NULL_I8
from headrace.wire.frames import FeatureFailure
from headrace.wire.plan import Plan


@dataclass(slots=True)
class Values:
    """The values of one plan for `n` entities at one moment.

    Null is NaN in `features` and ``NULL_I8`` in the times.
    """

    features: NDArray[np.float64]
    """Shape ``(features, n)``, in plan order; a category is its code."""
    valid_until: NDArray[np.int64]
    """When a row that is known now next enters or leaves a window, or a value moves on by itself,
    microseconds, shape ``(n,)``."""
    event_time: NDArray[np.int64]
    """Newest timestamp inside any window, microseconds, shape ``(n,)``."""
    texts: dict[int, list[str | None]] = field(default_factory=dict)
    """By row, the values of Python features whose output is a text."""
    failures: list[FeatureFailure] = field(default_factory=list)
    """What went wrong in Python features."""


def _no_texts(_name: str, _size: int) -> Sequence[str]:
    return ()


class CompiledPlan:
    """A plan made ready to compute."""

    def __init__(
        self, plan: Plan, needs: Needs, dictionary: Dictionary = _no_texts, modules: Modules | None = None
    ) -> None:
        """Make a plan ready.

        Parameters
        ----------
        plan
            The plan.
        needs
            What the rows in memory hold; covers the plan.
        dictionary
            Gives the texts of categories.
        modules
            Gives the functions of Python features.

        Raises
        ------
        ValueError
            Where the plan has a function or operator that this worker does not know.
        """
        self.entity = plan["entity"]
        outputs = [feature["output"] for feature in plan["features"]]
        self.size = len(outputs)
        """Number of features."""
        self.whole = [row for row, output in enumerate(outputs) if output in ("int64", "timestamp")]
        """Features whose values are whole numbers."""
        self.narrow = [row for row, output in enumerate(outputs) if output in ("bool", "string")]
        """Features whose values are not written in 8 bytes."""
        self.dictionary = dictionary
        self.modules = modules
        self.calls = compile_calls(plan, needs.column, modules)
        """The calls of its Python features."""
        read = {feature.get("source") for feature in plan["features"]}
        self.sources: list[SourcePlan] = []
        self.source_of: dict[int, int] = {}
        """By the identity of a call, the index of the source that it reads."""
        for source in plan["sources"]:
            if source["name"] not in read:
                continue
            own = [call for call in self.calls if call.source == source["name"]]
            self.source_of.update((id(call), len(self.sources)) for call in own)
            self.sources.append(SourcePlan(plan, source, needs, dictionary, own))
        index = {feature["name"]: row for row, feature in enumerate(plan["features"])}
        self.expressions: list[tuple[int, Evaluate]] = [
            (row, compile_expression(plan["features"][row]["expression"], rows_of(index)))
            for row in map(int, plan["order"])
            if plan["features"][row]["type"] == "expression"
        ]
        self.dictionaries: dict[int, str] = {
            row: f"{feature['source']}.{feature['field']}"
            for row, feature in enumerate(plan["features"])
            if feature["output"] == "string" and feature["type"] != "python"
        }
        """Names of the dictionaries of the features whose value is a text, by row."""


def compute(
    plan: CompiledPlan,
    shards: Shards,
    codes: NDArray[np.int32],
    as_of: int,
    fence: int = FAR,
    budget: Budget | None = None,
) -> Values:
    """Compute all features of a plan for some entities at one moment.

    Parameters
    ----------
    plan
        What to compute.
    shards
        The rows. Entities of shards that are not owned, and code -1, come out as entities without events.
    codes
        The entities, shape ``(n,)``.
    as_of
        The moment, microseconds.
    fence
        Events with a greater position are not known.
    budget
        How long Python features may take; ``None``: as long as their own limits allow.
    """
    n = len(codes)
    features = np.empty((plan.size, n))
    features.fill(np.nan)
    valid_until = np.empty(n, np.int64)
    valid_until.fill(FAR)
    event_time = np.empty(n, np.int64)
    event_time.fill(-FAR)
    called: Called | None = None
    if n:
        asked = Asked(shards, codes, as_of, fence)
        with np.errstate(all="ignore"):
            selected = [source.compute(asked, features, valid_until, event_time) for source in plan.sources]
            _tidy(features)
            if plan.calls:
                called = _call(plan, asked, selected, features, valid_until, budget)
            # Of one entity plain numbers, which are faster than arrays of one.
            values = features[:, 0] if n == 1 else features
            for row, evaluate in plan.expressions:
                values[row] = evaluate(values)
            if plan.expressions:
                features += 0.0
    if n != 1 or valid_until.item() == FAR:
        valid_until[valid_until == FAR] = NULL_I8
    if n != 1 or event_time.item() == -FAR:
        event_time[event_time == -FAR] = NULL_I8
    if called is None:
        return Values(features, valid_until, event_time)
    return Values(features, valid_until, event_time, called.texts, called.failures)


def _call(
    plan: CompiledPlan,
    asked: Asked,
    selected: list[list[Selected]],
    features: NDArray[np.float64],
    valid_until: NDArray[np.int64],
    budget: Budget | None,
) -> Called:
    """Compute the Python features."""

    def select(call: FunctionCall) -> SelectedWindow:
        at = plan.source_of[id(call)]
        return plan.sources[at].window_of(call, selected[at])

    with np.errstate(all="warn"):
        called = compute_functions(
            plan.calls, select, asked.as_of, plan.dictionary, features, plan.modules, budget
        )
    if called.timed_out is not None:
        until = asked.as_of + AGAIN_US
        valid_until[called.timed_out] = np.minimum(valid_until[called.timed_out], until)
    return called


def _tidy(features: NDArray[np.float64]) -> None:
    """Make what is not finite null, and -0.0, which a sort may put on either side of 0.0, plain zero."""
    features[~np.isfinite(features)] = np.nan
    features += 0.0

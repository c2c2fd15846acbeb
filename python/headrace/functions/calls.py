"""Which functions a plan calls, and with what.

Features of one function over one window are computed by one call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.functions.feature import Feature, FeatureError
from headrace.functions.loader import Modules
from headrace.functions.window_frame import Column
from headrace.memory.rows import Words
from headrace.wire.plan import Expression, FieldType, OutputType, Plan, PlanFeature, Window

Reason: TypeAlias = Literal["raised", "timed_out", "wrong_output"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call gave nothing."""

    reason: Reason
    message: str


@dataclass(slots=True)
class FunctionCall:
    """The features of one plan that one call of a function computes."""

    function: str
    """``module:function``."""
    loaded: Feature | Failure
    source: str
    window: Window
    where: Expression
    """``None`` where there is none."""
    columns: list[Column]
    """Of the DataFrame, after `timestamp`."""
    timeout_s: float
    members: list[tuple[int, str | None, OutputType]] = field(default_factory=list)
    """Row of the result, name of the function's output, type."""
    cold: bool = True
    """It was not called yet."""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.rpartition(":")[2]

    @property
    def module(self) -> str:
        """The file, relative to the registry's folder, as far as the name tells."""
        return f"{self.function.rpartition(':')[0].replace('.', '/')}.py"


@dataclass(slots=True)
class Selected:
    """The rows of one window of `n` entities."""

    words: Words
    """As in :mod:`headrace.memory.rows`; columns beyond the windows may be there."""
    lows: NDArray[np.int64]
    """Where each entity's rows begin, shape ``(n,)``."""
    highs: NDArray[np.int64]
    """Where they end, shape ``(n,)``."""


def compile_calls(
    plan: Plan, column: Callable[[str, str], int], modules: Modules | None
) -> list[FunctionCall]:
    """Gather the Python features of a plan into calls, and load their functions.

    Parameters
    ----------
    plan
        The plan.
    column
        Row of a field, named by source and field, in a matrix of words.
    modules
        The registry's modules; ``None``: there are none, and every call fails.
    """
    types = {
        source["name"]: {item["name"]: item["type"] for item in source["fields"]}
        for source in plan["sources"]
    }
    calls: dict[str, FunctionCall] = {}
    for row, feature in enumerate(plan["features"]):
        if feature["type"] != "python":
            continue
        key = repr([feature.get(name) for name in _SHARED])
        call = calls.get(key)
        if call is None:
            call = calls[key] = _compile(feature, types[feature["source"]], column, modules)
        call.members.append((row, feature.get("result"), feature["output"]))
    for call in calls.values():
        _check_outputs(call)
    return list(calls.values())


_SHARED: Final = ("function", "digest", "source", "window", "where", "fields", "timeout_ms")


def _compile(
    feature: PlanFeature,
    types: Mapping[str, FieldType],
    column: Callable[[str, str], int],
    modules: Modules | None,
) -> FunctionCall:
    source = feature["source"]
    columns = [
        Column(name, types[name], column(source, name), f"{source}.{name}") for name in feature["fields"]
    ]
    loaded = _load(feature["function"], feature["digest"], modules)
    timeout_s = int(feature["timeout_ms"]) / 1000
    return FunctionCall(
        feature["function"], loaded, source, feature["window"], feature.get("where"), columns, timeout_s
    )


def _load(function: str, digest: str, modules: Modules | None) -> Feature | Failure:
    module, _, name = function.rpartition(":")
    if modules is None:
        return Failure("raised", f"{module}.py, {name}: no folder of modules is known")
    try:
        return modules.get(function, digest)
    except FeatureError as error:
        return Failure("raised", f"{error.file}{line_suffix(error.line)}, {name}: {error.message}")


def _check_outputs(call: FunctionCall) -> None:
    """Make a call fail whose function has other outputs than the plan was compiled with."""
    if isinstance(call.loaded, Feature):
        outputs = call.loaded.outputs
        if any(outputs.get(result) != output for _, result, output in call.members):
            message = (
                f"{call.module}, {call.name}: it has other outputs than the registry; reload the registry"
            )
            call.loaded = Failure("wrong_output", message)


def line_suffix(line: int | None) -> str:
    """Return a line as it follows the name of a file."""
    return "" if line is None else f":{line}"

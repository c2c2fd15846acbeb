"""The contract checks: every function that breaks one is found out, and why."""

import itertools
import math
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from headrace import feature
from headrace.checks.contract import AS_OF, CHECKS, SPAN, TEXTS, Result, Rows, check
from headrace.checks.function_subject import FunctionSubject
from headrace.compute import CompiledPlan, compute
from headrace.functions.calls import FunctionCall
from headrace.functions.feature import Feature
from headrace.functions.window_frame import Column
from headrace.memory.rows import FAR
from headrace.memory.shards import Needs, Shards
from headrace.wire.plan import Field, OutputType, Plan, PlanFeature
from registries import AGGREGATIONS, FIELDS, FUNCTIONS, SOURCES, Stream, plan_of, statistical, time_series

COLUMNS = [
    Column("carrier", "category", 9, "flights.carrier"),
    Column("delay", "float", 7, ""),
    Column("cancelled", "bool", 8, ""),
    Column("seats", "int", 3, ""),
    Column("planned", "timestamp", 4, ""),
]


def subject(function: Feature) -> FunctionSubject:
    members: list[Any] = [(5 + i, *output) for i, output in enumerate(function.outputs.items())]
    call = FunctionCall("delays:it", function, "flights", {"time": 1}, None, COLUMNS, 5.0, members)
    return FunctionSubject(call)


def failed(function: Feature) -> dict[str, str]:
    return {finding.name: finding.sentence for finding in check(subject(function)) if not finding.passed}


@feature
def mean(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
    return float(window["delay"].mean())


@feature
def newest(window: pd.DataFrame, as_of: pd.Timestamp) -> str | None:
    return window["carrier"].iloc[-1] if len(window) else None


@feature(outputs={"planned": datetime, "seats": int, "any": bool})
def several(window: pd.DataFrame, as_of: pd.Timestamp) -> Any:
    seats = window["seats"].max()
    return {"planned": window["planned"].max(), "seats": seats, "any": bool(window["cancelled"].any())}


@feature
def age(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
    return float((as_of - window["timestamp"]).dt.total_seconds().mean())


@feature
def per_second(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
    gaps = window["timestamp"].diff().dt.total_seconds()
    return float((window["delay"].diff() / gaps).iloc[-1]) if len(window) > 1 else math.nan


@pytest.mark.parametrize(
    "function", [mean, newest, several, age, per_second], ids=lambda it: str(it.__name__)
)
def test_sound_functions_pass(function: Feature) -> None:
    findings = check(subject(function))
    assert [finding.name for finding in findings] == list(CHECKS)
    assert all(finding.passed and not finding.sentence for finding in findings), findings


def test_an_empty_window_that_fails() -> None:
    @feature
    def first(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
        return float(window["delay"].iloc[0])

    found = failed(first)
    assert set(found) == {"empty_window"}
    assert "delays.py" in found["empty_window"]
    assert found["empty_window"].endswith("return None where the window is empty")


def test_one_row_that_fails() -> None:
    @feature
    def second(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
        return float(window["delay"].iloc[1]) if len(window) else math.nan

    assert set(failed(second)) == {"one_row"}


def test_ties_that_fail() -> None:
    @feature
    def span(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
        if len(window) < 2:
            return math.nan
        return int(window["delay"].sum()) // int(window["delay"].max() * 100 - window["delay"].min() * 100)

    assert "ties" in failed(span)


def test_nulls_that_fail() -> None:
    @feature
    def whole(window: pd.DataFrame, as_of: pd.Timestamp) -> int:
        return sum(int(delay) for delay in window["delay"])

    found = failed(whole)
    assert set(found) == {"nulls"}
    assert "dropna" in found["nulls"]


@pytest.mark.parametrize("ascending", [True, False])
def test_rows_of_one_time_that_are_sorted_again(ascending: bool) -> None:
    @feature
    def latest(window: pd.DataFrame, as_of: pd.Timestamp) -> float | None:
        if window.empty:
            return None
        window = window.sort_values("timestamp", ascending=ascending)
        return float(window["delay"].iloc[-1 if ascending else 0])

    found = failed(latest)
    assert set(found) <= {"equal_timestamps"}
    # Which order a sort that is not stable makes of equal keys is the machine's own affair.
    assert ascending or found


def test_a_batch_form_that_differs() -> None:
    @feature
    def total(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
        return float(window["delay"].sum())

    @total.batch
    def totals(windows: pd.DataFrame, as_of: pd.Timestamp) -> Any:
        return windows["delay"].groupby(windows["entity"]).sum() * 1.0000001

    assert "one_and_many" in failed(total)


def test_a_batch_form_that_fails() -> None:
    @feature
    def total(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
        return float(window["delay"].sum())

    @total.batch
    def totals(windows: pd.DataFrame, as_of: pd.Timestamp) -> Any:
        raise ValueError("the tide is out")

    assert "the tide is out" in failed(total)["one_and_many"]


def test_rows_that_are_changed() -> None:
    @feature
    def clipped(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
        window["delay"] = window["delay"].clip(lower=30.0)
        return float(window["delay"].mean())

    assert set(failed(clipped)) == {"no_mutation"}


def test_a_function_that_remembers() -> None:
    calls = itertools.count()

    @feature
    def counting(window: pd.DataFrame, as_of: pd.Timestamp) -> int:
        return next(calls)

    assert {"deterministic", "one_and_many"} <= set(failed(counting))


def test_another_type() -> None:
    @feature
    def share(window: pd.DataFrame, as_of: pd.Timestamp) -> int:
        return float(window["delay"].mean()) / 7 if len(window) else 0  # type: ignore[return-value]

    found = failed(share)
    assert "where an int is expected" in found["output_type"]


class KernelSubject:
    """One feature of a plan, computed as a worker does."""

    def __init__(self, feature: PlanFeature) -> None:
        self.name = feature["name"]
        self.fields: Sequence[Field] = FIELDS
        self.outputs: Sequence[OutputType] = [feature["output"]]
        self._plan = plan_of([feature])

    def load(self, entities: Sequence[Rows]) -> "LoadedKernel":
        return LoadedKernel(self._plan, entities)


class LoadedKernel:
    def __init__(self, plan: Plan, entities: Sequence[Rows]) -> None:
        needs = Needs([plan])
        self._plan = CompiledPlan(plan, needs, lambda name, size: TEXTS)
        self._text = plan["features"][0]["output"] == "string"
        self._shards = Shards(needs, 2)
        self._shards.own({0: 1, 1: 1})
        at = 0
        # Entity by entity, one row by one, then all at once: parts of every kind.
        for entity, rows in enumerate(entities):
            n = len(rows.times)
            stream = Stream(np.zeros(n), rows.times, np.full(n, entity), rows.columns)
            cut = min(n, 5)
            for low, high in [(0, n - cut), *((i, i + 1) for i in range(n - cut, n))]:
                stream.append_to(self._shards, low, high, at)
            at += n
        self._before = self._bytes()

    def values(self, entities: Sequence[int]) -> list[Result]:
        values = compute(self._plan, self._shards, np.array(entities, np.int32), AS_OF).features
        return [(self._value(value),) for value in values[0].tolist()]

    def _value(self, value: float) -> float | str | None:
        if math.isnan(value):
            return None
        return TEXTS[int(value)] if self._text else value

    def changed(self) -> bool:
        return self._bytes() != self._before

    def _bytes(self) -> list[bytes]:
        parts = [rows.parts(local, -FAR, FAR) for rows in self._shards.all_rows() for local in range(10)]
        return [words[:, low:high].tobytes() for part in parts for words, _, low, high in part]


def kernel(make: Any, what: str, seed: int) -> KernelSubject:
    """A feature whose window holds the rows of the checks."""
    feature: Any = make(np.random.default_rng(seed), what, f"{what}_{seed}")
    feature["source"] = SOURCES[0]
    feature["window"] = {**feature["window"], "time": 2 * SPAN, "closed": "both"}
    feature["window"].pop("offset", None)
    if seed == 0:
        feature["window"] = {"time": 2 * SPAN}
        if what != "share_where":
            feature.pop("where", None)
    if "recent" in feature:
        feature["recent"] = SPAN // 2
    return KernelSubject(feature)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("make", "what"),
    [(statistical, name) for name in AGGREGATIONS] + [(time_series, name) for name in FUNCTIONS],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_kernels_keep_the_contract(make: Any, what: str, seed: int) -> None:
    wrong = [finding for finding in check(kernel(make, what, seed)) if not finding.passed]
    assert not wrong


def test_every_aggregation_and_function_is_checked() -> None:
    plain = {name.removesuffix("_approximate") for name in AGGREGATIONS} - {"rows"}
    assert plain == set(view_words("Aggregation"))
    assert set(FUNCTIONS) == set(view_words("SeriesFunction"))


def view_words(name: str) -> list[str]:
    """The words of a type of the registry, of which each must have its kernel."""
    text = (Path(__file__).parents[2] / "src" / "registry" / "view.ts").read_text()
    (body,) = re.findall(rf"export type {name} =(.*?);", text, re.S)
    return re.findall(r"'(\w+)'", body)

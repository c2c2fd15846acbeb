"""The contract checks: every function that breaks one is found out, and why."""

import itertools
import math
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from headrace import feature
from headrace.calls import FunctionCall
from headrace.checks import CHECKS, check
from headrace.function_subject import FunctionSubject
from headrace.functions import Feature
from headrace.window_frame import Column

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

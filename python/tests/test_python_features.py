from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headrace.functions.calls import FunctionCall, Selected, compile_calls
from headrace.functions.compute import Called, compute_functions
from headrace.functions.limits import Budget
from headrace.functions.loader import Modules
from headrace.functions.runs import COLD_S
from headrace.memory.rows import FIELDS, POSITION, TIME, Words
from headrace.wire.plan import Plan, PlanFeature

SECOND = 1_000_000
AS_OF = 100 * SECOND
FIELD_TYPES = {
    "delay": "float",
    "seats": "int",
    "cancelled": "bool",
    "carrier": "category",
    "due": "timestamp",
}
CARRIERS = ["AA", "DL", "UA"]


class Lab:
    """Functions of a module over rows of some entities."""

    def __init__(self, folder: Path, source: str) -> None:
        self.modules = Modules(folder)
        (folder / "delays.py").write_text(
            f"import pandas as pd\nfrom datetime import datetime\nfrom headrace import feature\n{source}"
        )

    def plan(self, name: str, fields: Sequence[str] = ("delay",), timeout_ms: int = 1000) -> Plan:
        found, digest = self.modules.find(f"delays:{name}")
        features: list[PlanFeature] = [
            {
                "name": name if result is None else f"{name}_{result}",
                "type": "python",
                "output": output,
                "source": "departures",
                "window": {"time": 50 * SECOND},
                "function": f"delays:{name}",
                "result": result,
                "digest": digest,
                "fields": list(fields),
                "timeout_ms": timeout_ms,
            }
            for result, output in found.outputs.items()
        ]
        kinds: Any = [{"name": name, "type": FIELD_TYPES[name]} for name in FIELD_TYPES]
        return {
            "entity": "airport",
            "sources": [
                {
                    "name": "departures",
                    "template": [],
                    "timestamp": "at",
                    "fields": kinds,
                    "retention": 90 * SECOND,
                }
            ],
            "features": features,
            "order": list(range(len(features))),
        }

    def calls(self, plan: Plan) -> list[FunctionCall]:
        return compile_calls(plan, lambda _, name: FIELDS + list(FIELD_TYPES).index(name), self.modules)

    def compute(
        self,
        name: str,
        delays: Sequence[Sequence[float]],
        *,
        fields: Sequence[str] = ("delay",),
        timeout_ms: int = 1000,
        warm: bool = False,
        budget: Budget | None = None,
    ) -> tuple[list[list[float | None]], Called]:
        """Compute the outputs of a function for entities with these delays."""
        plan = self.plan(name, fields, timeout_ms)
        calls = self.calls(plan)
        for call in calls:
            call.cold = not warm
        features = np.zeros((len(plan["features"]), len(delays)))
        selected = rows_of(delays)
        called = compute_functions(
            calls, lambda _: selected, AS_OF, lambda *_: CARRIERS, features, self.modules, budget
        )
        return [[None if value != value else value for value in row] for row in features.tolist()], called


def rows_of(delays: Sequence[Sequence[float]]) -> Selected:
    """Rows of entities, a second apart, with a row of nobody before and after."""
    sizes = [len(own) for own in delays]
    total = sum(sizes) + 2
    words: Words = np.zeros((FIELDS + len(FIELD_TYPES), total), np.int64)
    words[TIME] = np.arange(total) * SECOND
    words[POSITION] = np.arange(total)
    values = words[FIELDS:].view(np.float64)
    values[0, 1:-1] = [delay for own in delays for delay in own]
    values[1] = np.arange(total) + 100
    values[2] = np.arange(total) % 2
    values[3] = np.arange(total) % 3
    values[4] = np.arange(total) * SECOND
    values[:, 2:3][1:] = np.nan
    highs = 1 + np.cumsum(np.array(sizes, np.int64))
    return Selected(words, highs - sizes, highs)


@pytest.fixture
def lab(tmp_path: Path) -> Callable[[str], Lab]:
    return lambda source: Lab(tmp_path, source)


def test_a_function_sees_the_rows_of_its_window(lab: Callable[[str], Lab]) -> None:
    source = """
@feature(outputs={"n": int, "mean": float, "first": datetime, "at": datetime, "index": int})
def seen(window, as_of):
    assert list(window.columns) == ["timestamp", "delay"]
    return {
        "n": len(window),
        "mean": window["delay"].mean(),
        "first": window["timestamp"].iloc[0] if len(window) else None,
        "at": as_of,
        "index": int(window.index.max()) if len(window) else None,
    }
"""
    values, called = lab(source).compute("seen", [[1.0, 5.0], [], [4.0]])
    assert values == [
        [2.0, 0.0, 1.0],
        [3.0, None, 4.0],
        [1.0 * SECOND, None, 3.0 * SECOND],
        [AS_OF] * 3,
        [1.0, None, 0.0],
    ]
    assert called.failures == []
    assert called.timed_out is None


def test_columns_have_the_types_of_their_fields(lab: Callable[[str], Lab]) -> None:
    source = """
@feature
def types(window, as_of) -> str:
    return "|".join(f"{name} {dtype}" for name, dtype in window.dtypes.items())

@feature
def nulls(window, as_of) -> str:
    return "|".join(str(null) for null in window.isna().iloc[1])

@feature
def texts(window, as_of) -> str:
    return "|".join(str(value) for value in window.iloc[0])
"""
    made = lab(source)
    names = list(FIELD_TYPES)
    assert made.compute("types", [[1.0, 2.0]], fields=names)[1].texts == {
        0: [
            "timestamp datetime64[us, UTC]|delay float64|seats float64|cancelled boolean|carrier str"
            "|due datetime64[us, UTC]"
        ]
    }
    assert made.compute("nulls", [[1.0, 2.0]], fields=names)[1].texts == {
        0: ["False|False|True|True|True|True"]
    }
    assert made.compute("texts", [[1.5, 2.0]], fields=names)[1].texts == {
        0: ["1970-01-01 00:00:01+00:00|1.5|101.0|True|DL|1970-01-01 00:00:01+00:00"]
    }


def test_an_exception_spoils_one_row_and_names_its_line(lab: Callable[[str], Lab]) -> None:
    source = """
@feature
def inverse(window, as_of) -> float:
    total = window["delay"].sum()
    if total == 0:
        raise ValueError("no delay\\nat all")
    return 1 / total
"""
    values, called = lab(source).compute("inverse", [[2.0], [0.0], [4.0], [0.0]])
    assert values == [[0.5, None, 0.25, None]]
    assert called.failures == [
        {
            "feature": 0,
            "rows": 2,
            "reason": "raised",
            "message": "delays.py:9, inverse: ValueError: no delay at all",
        }
    ]


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "asyncio.CancelledError", "GeneratorExit"])
def test_exceptions_of_no_exception_class_spoil_the_feature_alone(
    lab: Callable[[str], Lab], raised: str
) -> None:
    source = f"import asyncio\n@feature\ndef stops(window, as_of) -> float:\n    raise {raised}\n"
    values, called = lab(source).compute("stops", [[2.0]])
    assert values == [[None]]
    assert called.failures[0]["message"] == f"delays.py:7, stops: {raised.removeprefix('asyncio.')}"


def test_leaving_the_interpreter_spoils_the_feature_alone(lab: Callable[[str], Lab]) -> None:
    values, called = lab("""
import sys
@feature
def leaves(window, as_of) -> float:
    sys.exit(3)
""").compute("leaves", [[2.0]])
    assert values == [[None]]
    assert called.failures[0]["message"] == "delays.py:8, leaves: SystemExit: 3"


@pytest.mark.parametrize(
    ("output", "returned", "message"),
    [
        ("float", "'x'", "it returned 'x' where a float is expected"),
        ("float", "True", "it returned True where a float is expected"),
        ("float", "window['delay']", "it returned a Series where a float is expected"),
        ("int", "2.5", "it returned 2.5 where an int is expected"),
        (
            "int",
            "2**53 + 1",
            "it returned 9007199254740993, which is beyond 2^53; whole numbers are exact up to it",
        ),
        ("bool", "1", "it returned 1 where a bool is expected"),
        ("str", "1", "it returned 1 where a str is expected"),
        ("str", "chr(0xD800)", "it returned '\\ud800', which is no valid Unicode text"),
        ("str", "65_537 * 'x'", "it returned a text of 65537 characters; 65536 are the most"),
        ("datetime", "1", "it returned 1 where a datetime is expected"),
    ],
)
def test_a_wrong_output_is_refused(
    lab: Callable[[str], Lab], output: str, returned: str, message: str
) -> None:
    source = f"@feature\ndef wrong(window, as_of) -> {output}:\n    return {returned}\n"
    values, called = lab(source).compute("wrong", [[2.0]])
    assert values == [[None]]
    [failure] = called.failures
    assert failure["reason"] == "wrong_output"
    assert failure["message"] == f"delays.py:4, wrong: {message}"


@pytest.mark.parametrize(
    ("output", "returned", "value"),
    [
        ("float", "window['seats'].sum()", 101.0),
        ("float", "float('inf')", None),
        ("float", "pd.NA", None),
        ("float", "-0.0", 0.0),
        ("int", "window['seats'].sum()", 101.0),
        ("int", "window['delay'].sum(skipna=False) * float('nan')", None),
        ("bool", "(window['seats'] > 1).any()", 1.0),
        ("datetime", "window['timestamp'].max()", 1.0 * SECOND),
        ("datetime", "datetime(1970, 1, 1, 0, 0, 2)", 2.0 * SECOND),
        ("datetime", "window['timestamp'].max().to_datetime64()", 1.0 * SECOND),
        ("datetime", "pd.NaT", None),
    ],
)
def test_what_pandas_returns_is_taken(
    lab: Callable[[str], Lab], output: str, returned: str, value: float | None
) -> None:
    source = f"@feature\ndef right(window, as_of) -> {output}:\n    return {returned}\n"
    values, called = lab(source).compute("right", [[2.0]], fields=["delay", "seats"])
    assert called.failures == []
    assert values == [[value]]
    assert str(values) == str([[value]])


def test_one_wrong_output_spoils_no_other(lab: Callable[[str], Lab]) -> None:
    source = """
@feature(outputs={"a": float, "b": float})
def pair(window, as_of):
    return {"a": 1.0, "b": "x"}

@feature(outputs={"a": float, "b": float})
def lacking(window, as_of):
    return {"a": 1.0}
"""
    made = lab(source)
    values, called = made.compute("pair", [[2.0]])
    assert values == [[1.0], [None]]
    assert [(failure["feature"], failure["message"]) for failure in called.failures] == [
        (1, "delays.py:5, pair: output b: it returned 'x' where a float is expected")
    ]
    values, called = made.compute("lacking", [[2.0]])
    assert values == [[None], [None]]
    assert "it returned the outputs a where a, b are expected" in called.failures[0]["message"]


def test_a_call_that_takes_too_long_is_ended(lab: Callable[[str], Lab]) -> None:
    source = """
@feature
def endless(window, as_of) -> float:
    while window["delay"].sum() == 0:
        try:
            pass
        except Exception:
            pass
    return 1
"""
    values, called = lab(source).compute("endless", [[1.0], [0.0], [2.0]], timeout_ms=100, warm=True)
    assert values == [[1.0, None, 1.0]]
    assert called.timed_out is not None
    assert called.timed_out.tolist() == [False, True, False]
    [failure] = called.failures
    assert (failure["reason"], failure["rows"]) == ("timed_out", 1)
    assert failure["message"].startswith("delays.py:")
    assert failure["message"].endswith(", endless: took more than 100 ms")


def test_a_call_that_catches_everything_is_found_out(lab: Callable[[str], Lab]) -> None:
    source = """
import time
@feature
def stubborn(window, as_of) -> float:
    try:
        time.sleep(30)
    except BaseException:
        return 1
"""
    values, called = lab(source).compute("stubborn", [[1.0]], timeout_ms=50, warm=True)
    assert values == [[None]]
    assert called.failures[0]["reason"] == "timed_out"


def test_the_first_call_has_more_time(lab: Callable[[str], Lab]) -> None:
    source = """
import time
@feature
def slow(window, as_of) -> float:
    time.sleep(0.2)
    return 1
"""
    values, _ = lab(source).compute("slow", [[1.0], [2.0]], timeout_ms=100)
    assert COLD_S > 1
    assert values == [[1.0, None]]


def test_calls_end_with_the_budget(lab: Callable[[str], Lab]) -> None:
    source = "@feature\ndef one(window, as_of) -> float:\n    return 1\n"
    times = iter([0.0, 0.0, 0.0, 0.0, 9.0])
    budget = Budget(5.0, lambda: next(times))
    values, called = lab(source).compute("one", [[1.0], [2.0]], budget=budget)
    assert values == [[1.0, None]]
    assert called.failures[0]["message"] == (
        "delays.py:4, one: was not called, since the 5 s that were left for it had gone by"
    )


def test_a_slow_function_leaves_time_for_the_others(lab: Callable[[str], Lab]) -> None:
    made = lab("""
import time
@feature
def slow(window, as_of) -> float:
    time.sleep(30)

@feature
def one(window, as_of) -> float:
    return 1
""")
    calls = [*made.calls(made.plan("slow")), *made.calls(made.plan("one"))]
    calls[1].members = [(1, None, "float64")]
    features = np.zeros((2, 20))
    selected = rows_of([[1.0]] * 20)
    called = compute_functions(
        calls, lambda _: selected, AS_OF, lambda *_: [], features, made.modules, Budget(2.0)
    )
    assert np.isnan(features[0]).all()
    assert (features[1] == 1.0).all()
    assert {failure["feature"] for failure in called.failures} == {0}


def test_a_batch_form_has_the_time_of_its_entities(lab: Callable[[str], Lab]) -> None:
    source = """
import time
@feature
def one(window, as_of) -> float:
    return 1

@one.batch
def ones(windows, as_of):
    time.sleep(0.3)
    return pd.Series(2.0, index=windows["entity"].unique())
"""
    made = lab(source)
    assert made.compute("one", [[1.0]] * 20, timeout_ms=100, warm=True)[0] == [[2.0] * 20]
    # It leaves half of the time for the single form.
    values, called = made.compute("one", [[1.0]] * 20, timeout_ms=100, warm=True, budget=Budget(0.4))
    assert values == [[1.0] * 20]
    assert [failure["rows"] for failure in called.failures] == [0]


def test_a_call_that_catches_everything_and_goes_on_is_ended_again(lab: Callable[[str], Lab]) -> None:
    source = """
import time
@feature
def stubborn(window, as_of) -> float:
    for _ in range(3):
        try:
            time.sleep(30)
        except BaseException:
            pass
    return 1
"""
    values, called = lab(source).compute("stubborn", [[1.0]], timeout_ms=50, warm=True)
    assert values == [[None]]
    assert called.failures[0]["reason"] == "timed_out"


def _given(selected: Selected, _: FunctionCall) -> Selected:
    return selected


def test_a_function_cannot_change_what_others_see(lab: Callable[[str], Lab]) -> None:
    source = """
@feature
def spoils(window, as_of) -> float:
    window["delay"] = 0.0
    window.loc[:, "seats"] = -1.0
    return 1

@feature
def inside(window, as_of) -> float:
    try:
        window["delay"].to_numpy()[:] = 9.0
    except ValueError:
        pass
    return 1
"""
    made = lab(source)
    for name in ("spoils", "inside"):
        for delays in ([[1.0, 2.0]], [[1.0, 2.0], [3.0]]):
            selected = rows_of(delays)
            before = selected.words.copy()
            calls = made.calls(made.plan(name, ["delay", "seats"]))
            features = np.zeros((1, len(delays)))
            compute_functions(calls, partial(_given, selected), AS_OF, lambda *_: [], features)
            assert np.array_equal(selected.words, before)


BATCH = """
@feature
def mean(window, as_of) -> float:
    return window["delay"].mean() if len(window) else None

@mean.batch
def means(windows, as_of):
    assert list(windows.columns) == ["entity", "timestamp", "delay"]
    print("batch")
    return windows.groupby("entity")["delay"].mean()[::-1]
"""


def test_the_batch_form_serves_many_and_equals_the_single_one(
    lab: Callable[[str], Lab], capsys: pytest.CaptureFixture[str]
) -> None:
    made = lab(BATCH)
    many, called = made.compute("mean", [[1.0, 2.0], [], [5.0], [0.25, 0.5, 0.75]])
    assert called.failures == []
    assert capsys.readouterr().out == "batch\n"
    assert [
        made.compute("mean", [own])[0][0][0] for own in ([1.0, 2.0], [], [5.0], [0.25, 0.5, 0.75])
    ] == many[0]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("windows['delay'] / 0 + nothing", "NameError: name 'nothing' is not defined"),
        (
            "windows.groupby('entity')['delay'].mean()[1:]",
            "it returned 1 rows where one for each of 2 entities is",
        ),
        ("1.0", "it returned float where a Series by entity is expected"),
    ],
)
def test_where_the_batch_form_fails_the_single_one_is_used(
    lab: Callable[[str], Lab], returned: str, message: str
) -> None:
    source = f"""
@feature
def mean(window, as_of) -> float:
    return window["delay"].mean()
@mean.batch
def means(windows, as_of):
    return {returned}
"""
    values, called = lab(source).compute("mean", [[1.0], [5.0]])
    assert values == [[1.0, 5.0]]
    [failure] = called.failures
    assert failure["rows"] == 0
    assert message in failure["message"]
    assert "in the batch form" in failure["message"]


def test_outputs_of_one_function_share_a_call(
    lab: Callable[[str], Lab], capsys: pytest.CaptureFixture[str]
) -> None:
    source = """
@feature(outputs={"a": float, "b": str})
def both(window, as_of):
    print("called")
    return {"a": 1, "b": "x"}
@both.batch
def boths(windows, as_of):
    return pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
"""
    made = lab(source)
    values, called = made.compute("both", [[1.0]])
    assert values == [[1.0], [None]]
    assert called.texts == {1: ["x"]}
    assert capsys.readouterr().out == "called\n"
    values, called = made.compute("both", [[1.0], [2.0]])
    assert (values[0], called.texts, called.failures) == ([1.0, 2.0], {1: ["x", None]}, [])


def test_another_source_on_disk_is_told(lab: Callable[[str], Lab]) -> None:
    made = lab("@feature\ndef one(window, as_of) -> float:\n    return 1\n")
    plan = made.plan("one")
    lab("@feature\ndef one(window, as_of) -> float:\n    return 2\n")
    features = np.zeros((1, 2))
    # What is loaded still counts as what it was.
    compute_functions(
        made.calls(plan), lambda _: rows_of([[1.0], []]), AS_OF, lambda *_: [], features, made.modules
    )
    assert features.tolist() == [[1.0, 1.0]]
    fresh = Modules(made.modules.folder)
    calls = compile_calls(plan, lambda *_: FIELDS, fresh)
    called = compute_functions(calls, lambda _: rows_of([[1.0], []]), AS_OF, lambda *_: [], features, fresh)
    assert np.isnan(features).all()
    assert called.failures == [
        {
            "feature": 0,
            "rows": 2,
            "reason": "raised",
            "message": "delays.py, one: the source has changed; reload the registry",
        }
    ]

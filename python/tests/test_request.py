import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headrace.expressions.request import CompiledRequest, texts_column
from headrace.wire.columns import decode_columns, encode_columns
from headrace.wire.plan import Plan

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "test" / "vectors" / "request.json").read_text("utf-8")
)
INPUTS = VECTORS["inputs"]


def plan_of(features: list[tuple[str, str, Any]], inputs: Any = INPUTS) -> Plan:
    request: Any = {
        "inputs": inputs,
        "features": [
            {"name": name, "output": output, "expression": tree, "runs": "fleet"}
            for name, output, tree in features
        ],
    }
    return {"entity": "card", "sources": [], "features": [], "order": [], "request": request}


def block_of(now: list[int], inputs: list[dict[str, Any]]) -> bytes:
    """The block that `src/fleet/inputs.ts` writes."""
    columns: list[Any] = [("i8", now)]
    for field in INPUTS:
        given = [one.get(field["name"]) for one in inputs]
        if field["type"] == "category":
            columns += [("str", given), ("u1", [text is not None for text in given])]
        else:
            columns.append(("f8", [math.nan if value is None else float(value) for value in given]))
    return encode_columns(columns)


def stored_of(values: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        field["name"]: texts_column([one.get(field["name"]) for one in values])
        if field["output"] == "string"
        else np.array([float(one.get(field["name"], math.nan)) for one in values])
        for field in VECTORS["values"]
    }


def evaluate(tree: Any, cases: list[dict[str, Any]]) -> list[float | None]:
    n = len(cases)
    block = block_of([case["now"] for case in cases], [case["inputs"] for case in cases])
    stored = stored_of([case["values"] for case in cases])
    answer = CompiledRequest(plan_of([("result", "float64", tree)])).evaluate(stored, block, n)
    (values, valid), _ = decode_columns(answer, ("f8", "u1"), n)
    return [value if known else None for value, known in zip(values.tolist(), valid.tolist(), strict=True)]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["note"])
def test_cases(case: dict[str, Any]) -> None:
    (value,) = evaluate(case["tree"], [case])
    assert same(value, case["result"])


def test_drawn_expressions_give_the_bits_that_the_engine_gives() -> None:
    assert len(VECTORS["drawn"]) > 300
    for case in VECTORS["drawn"]:
        (value,) = evaluate(case["tree"], [case])
        assert same(value, case["result"]), case


def test_many_requests_at_once_are_each_by_itself() -> None:
    cases = VECTORS["drawn"]
    for tree in [case["tree"] for case in cases[:40]]:
        together = evaluate(tree, cases)
        alone = [evaluate(tree, [case])[0] for case in cases[:20]]
        assert all(same(a, b) for a, b in zip(together[:20], alone, strict=True)), tree


def same(value: float | None, wanted: float | None) -> bool:
    if value is None or wanted is None:
        return value is wanted
    return np.float64(value).tobytes() == np.float64(wanted).tobytes()


def test_outputs_are_written_as_those_of_a_plan() -> None:
    plan = plan_of(
        [
            ("hour", "int64", ["hour_of_day", "UTC", ["now"]]),
            ("channel", "string", ["input", "channel"]),
            ("is_web", "bool", ["==", ["ref", "channel"], ["text", "web"]]),
            ("at", "timestamp", ["input", "at"]),
            ("share", "float64", ["log", ["/", ["input", "amount"], ["ref", "a"]]]),
        ]
    )
    now = 993_340_860_000_000
    block = block_of([now, now], [{"amount": 8, "channel": "web", "at": now + 1}, {}])
    answer = CompiledRequest(plan).evaluate(stored_of([{"a": 2}, {"a": 2}]), block, 2)
    dtypes: Any = ("i8", "u1", "str", "u1", "u1", "u1", "i8", "u1", "f8", "u1")
    columns, end = decode_columns(answer, dtypes, 2)
    assert end == len(answer)
    hour, hour_valid, text, text_valid, web, web_valid, at, at_valid, share, share_valid = columns
    assert (hour.tolist(), hour_valid.tolist()) == ([0, 0], [1, 1])
    assert (text, text_valid.tolist()) == (["web", ""], [1, 0])
    assert (web.tolist(), web_valid.tolist()) == ([1, 0], [1, 0])
    assert (at.tolist(), at_valid.tolist()) == ([now + 1, 0], [1, 0])
    assert share_valid.tolist() == [1, 0]
    assert share[0] == np.log(4.0)

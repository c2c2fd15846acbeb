"""Python features in a worker: from the reload to the values frame."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import headrace.worker
import pytest
from exchange import assign_frame, group, read_values, reload_frame, work_frame
from headrace.functions.loader import Modules
from headrace.functions.runs import COLD_S
from headrace.wire.columns import NULL_I8
from headrace.wire.plan import Plan
from headrace.worker import Worker
from material import SECOND, Events, create_log, expression, plan, write_dictionary

W = 10 * SECOND

SOURCE = """
import time
from datetime import datetime
from headrace import feature

@feature(outputs={"share": float, "n": int, "any": bool, "carrier": str, "newest": datetime})
def late(window, as_of):
    delays = window["delay"]
    if (delays < 0).any():
        raise ValueError("a negative delay")
    if (delays > 1000).any():
        time.sleep(60)
    return {
        "share": (delays > 15).mean(),
        "n": len(window),
        "any": bool((delays > 15).any()),
        "carrier": window["carrier"].iloc[-1] if len(window) else None,
        "newest": window["timestamp"].max(),
    }
"""


def plan_of(folder: Path) -> Plan:
    found, digest = Modules(folder).find("delays:late")
    features: list[Any] = [
        {
            "name": f"late_{result}",
            "type": "python",
            "output": output,
            "source": "departures",
            "window": {"time": W},
            "function": "delays:late",
            "result": result,
            "digest": digest,
            "fields": ["delay", "carrier"],
            "timeout_ms": 100,
        }
        for result, output in found.outputs.items()
    ]
    return plan([*features, expression("double", ["*", ["ref", "late_n"], 2])])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    create_log(tmp_path / "log.db")
    return tmp_path / "log.db"


def start(folder: Path, log: Path, of: Plan) -> Worker:
    worker = Worker()
    assert list(worker.handle(reload_frame({"p": of}, folder=str(folder)))) == []
    list(worker.handle(assign_frame(log, 0, {0: 1, 1: 1, 2: 1, 3: 1})))
    return worker


def ask(worker: Worker, frame: bytes, of: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    (answer,) = worker.handle(frame)
    header, (block,) = read_values(answer, of)
    return header["groups"][0], block


def test_values_of_every_type_and_an_expression_over_one(tmp_path: Path, log: Path) -> None:
    (tmp_path / "delays.py").write_text(SOURCE)
    write_dictionary(log, "departures.carrier", ["AA", "Zürich"])
    of = plan_of(tmp_path)
    worker = start(tmp_path, log, of)
    events = Events([SECOND, 2 * SECOND, 3 * SECOND], [0, 0, 1], [20.0, 5.0, 1.0], carriers=[0, 1, -1])
    answered, block = ask(worker, work_frame(0, 3, [group("p", [0, 1, 2], 5 * SECOND)], [events]), of)
    assert "failures" not in answered
    wanted = {
        "late_share": [0.5, 0.0],
        "late_n": [2, 1, 0],
        "late_any": [1, 0, 0],
        "late_carrier": ["Zürich", "", ""],
        "late_carrier?": [1, 0, 0],
        "late_newest": [2 * SECOND, 3 * SECOND, 0],
        "late_newest?": [1, 1, 0],
        "late_share?": [1, 1, 0],
        "double": [4.0, 2.0, 0.0],
    }
    block["late_share"] = block["late_share"][:2]
    assert {name: block[name] for name in wanted} == wanted
    assert block["valid_until"] == [SECOND + W, 3 * SECOND + W, NULL_I8]


def test_failures_are_told_beside_the_values(tmp_path: Path, log: Path) -> None:
    (tmp_path / "delays.py").write_text(SOURCE)
    of = plan_of(tmp_path)
    worker = start(tmp_path, log, of)
    events = Events([SECOND, 2 * SECOND], [0, 1], [-1.0, 1.0], carriers=[-1, -1])
    answered, block = ask(worker, work_frame(0, 2, [group("p", [0, 1], 5 * SECOND)], [events]), of)
    assert block["late_n?"] == [0, 1]
    assert block["double?"] == [0, 1]
    assert block["valid_until"][0] == SECOND + W, "an exception is a pure function of the rows"
    assert [failure["feature"] for failure in answered["failures"]] == [0, 1, 2, 3, 4]
    assert answered["failures"][1] == {
        "feature": 1,
        "rows": 1,
        "reason": "raised",
        "message": "delays.py:10, late: ValueError: a negative delay",
    }


def test_a_row_that_timed_out_is_soon_computed_again(tmp_path: Path, log: Path) -> None:
    (tmp_path / "delays.py").write_text(SOURCE)
    of = plan_of(tmp_path)
    worker = start(tmp_path, log, of)
    events = Events([SECOND, 2 * SECOND], [0, 1], [1.0, 2000.0], carriers=[-1, -1])
    answered, block = ask(worker, work_frame(0, 2, [group("p", [0, 1], 5 * SECOND)], [events]), of)
    assert block["late_n?"] == [1, 0]
    assert block["valid_until"] == [SECOND + W, 6 * SECOND]
    assert {failure["reason"] for failure in answered["failures"]} == {"timed_out"}


def test_a_frame_ends_within_the_budget(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headrace.worker, "CALLS_S", 0.3)
    assert COLD_S > 0.3
    (tmp_path / "delays.py").write_text(SOURCE)
    of = plan_of(tmp_path)
    worker = start(tmp_path, log, of)
    slow = Events([SECOND] * 4, [0, 1, 2, 3], [2000.0] * 4, carriers=[-1] * 4)
    answered, block = ask(worker, work_frame(0, 4, [group("p", [0, 1, 2, 3], 5 * SECOND)], [slow]), of)
    assert block["late_n?"] == [0, 0, 0, 0]
    assert answered["failures"][0]["rows"] == 4
    fine = Events([2 * SECOND], [4], [1.0], carriers=[-1], first=5)
    _, block = ask(worker, work_frame(4, 5, [group("p", [4], 5 * SECOND)], [fine]), of)
    assert block["late_n"] == [1], "the next frame has its own"


def test_a_reload_brings_what_could_not_be_loaded(tmp_path: Path, log: Path) -> None:
    (tmp_path / "delays.py").write_text(SOURCE)
    of = plan_of(tmp_path)
    (tmp_path / "delays.py").write_text(SOURCE + "\n")
    worker = start(tmp_path, log, of)
    frame = work_frame(0, 0, [group("p", [0], 5 * SECOND)])
    answered, block = ask(worker, frame, of)
    assert answered["failures"][0]["message"] == (
        "delays.py, late: the source has changed; reload the registry"
    )
    assert block["valid_until"] == [6 * SECOND], "it is no value of the definition: another try may do better"
    (tmp_path / "delays.py").write_text(SOURCE)
    list(worker.handle(reload_frame({"p": of}, folder=str(tmp_path))))
    answered, block = ask(worker, frame, of)
    assert "failures" not in answered
    assert block["late_n"] == [0]


def test_a_slow_view_leaves_time_for_the_others_of_a_frame(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headrace.worker, "CALLS_S", 1.0)
    (tmp_path / "delays.py").write_text(SOURCE)
    of = plan_of(tmp_path)
    worker = start(tmp_path, log, of)
    events = Events([SECOND] * 3, [0, 1, 2], [2000.0, 2000.0, 1.0], carriers=[-1] * 3)
    groups = [group("p", [0, 1], 5 * SECOND), group("p", [2], 5 * SECOND)]
    (answer,) = worker.handle(work_frame(0, 3, groups, [events]))
    _, (slow, fine) = read_values(answer, of)
    assert slow["late_n?"] == [0, 0]
    assert fine["late_n"] == [1]


def test_a_worker_has_used_pandas_before_anyone_waits(tmp_path: Path, log: Path) -> None:
    (tmp_path / "delays.py").write_text(SOURCE)
    # pandas takes this part where it first uses Arrow.
    code = (
        "from headrace.worker import Worker; import sys; worker = Worker();"
        "list(worker.handle(sys.stdin.buffer.read())); print('pyarrow.pandas_compat' in sys.modules)"
    )
    frame = reload_frame({"p": plan_of(tmp_path)}, folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=frame,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert (done.stdout, done.stderr) == (b"True\n", b"")

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchange import assign_frame, group, read_values, reload_frame, work_frame
from headrace.wire import frames
from headrace.wire.columns import NULL_I8
from headrace.wire.frames import decode_frame, encode_frame
from headrace.worker import Worker
from material import (
    SECOND,
    WINDOWS,
    Events,
    create_log,
    every_feature,
    expression,
    plan,
    random_events,
    statistical,
    write_dictionary,
    write_log,
)

W = WINDOWS[0]
PLAN = plan([statistical("n", "count", None, W, output="int64"), statistical("sum", "sum", "delay", W)])
ALL = {0: 11, 1: 12, 2: 13, 3: 14}


def handle(worker: Worker, frame: bytes) -> list[bytes]:
    return list(worker.handle(frame))


def ask(worker: Worker, frame: bytes, of: Any = PLAN) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (answer,) = handle(worker, frame)
    return read_values(answer, of)


def delays(*values: float, first: int = 1) -> Events:
    """Events of airport 0, one a second from the position on."""
    return Events(np.arange(first, first + len(values)) * SECOND, [0] * len(values), values, first=first)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    create_log(path)
    return path


@pytest.fixture
def worker(log: Path) -> Worker:
    worker = Worker()
    assert handle(worker, reload_frame({"p": PLAN})) == []
    (ready,) = handle(worker, assign_frame(log, 0, ALL))
    assert decode_frame(ready).type == frames.READY
    return worker


def test_hello_names_the_versions() -> None:
    frame = decode_frame(Worker().hello())
    assert frame.type == frames.HELLO
    assert frame.header["numpy"] == np.__version__
    assert frame.header["pid"] > 0


def test_events_are_applied_before_computing(worker: Worker) -> None:
    header, (block,) = ask(worker, work_frame(0, 2, [group("p", [0, 5], 2 * SECOND)], [delays(1.5, 2.5)]))
    assert header["id"] == 7
    assert header["position"] == 2
    assert header["took_us"] >= 0
    assert header["groups"] == [{"hash": "p", "as_of": 2 * SECOND, "position": 2, "n": 2}]
    assert block == {
        "code": [0, 5],
        "lease": [11, 12],
        "valid_until": [SECOND + W, NULL_I8],
        "event_time": [2 * SECOND, NULL_I8],
        "n": [2, 0],
        "n?": [1, 1],
        "sum": [4.0, 0.0],
        "sum?": [1, 1],
    }


def test_late_events_are_left_out(worker: Worker) -> None:
    events = delays(1.0, 2.0, 4.0)
    events.late[1] = True
    _, (block,) = ask(worker, work_frame(0, 3, [group("p", [0], 3 * SECOND)], [events]))
    assert block["sum"] == [5.0]


def test_several_batches_and_groups(worker: Worker) -> None:
    groups = [
        group("p", [0], 3 * SECOND),
        group("p", [], 3 * SECOND),
        group("p", [0], 2 * SECOND, 2),
        group("p", [0, -1], SECOND),
    ]
    header, blocks = ask(worker, work_frame(0, 3, groups, [delays(1.0), delays(2.0, 4.0, first=2)]))
    assert [block["sum"] for block in blocks] == [[7.0], [], [3.0], [1.0, 0.0]]
    assert [answer["position"] for answer in header["groups"]] == [3, 3, 2, 3]


def test_old_batches_are_ignored(worker: Worker) -> None:
    handle(worker, work_frame(0, 3, [], [delays(1.0, 2.0, 4.0)]))
    again = [delays(1.0, 2.0), delays(4.0, first=3), delays(8.0, first=4)]
    header, (block,) = ask(worker, work_frame(0, 4, [group("p", [0], 9 * SECOND)], again))
    assert block["sum"] == [15.0]
    assert header["position"] == 4


def test_known_part_of_a_batch_is_ignored(worker: Worker) -> None:
    handle(worker, work_frame(0, 2, [], [delays(1.0, 2.0)]))
    _, (block,) = ask(
        worker, work_frame(1, 4, [group("p", [0], 9 * SECOND)], [delays(2.0, 4.0, 8.0, first=2)])
    )
    assert block["sum"] == [15.0]


def test_a_gap_is_read_from_the_log(worker: Worker, log: Path) -> None:
    events = delays(1.0, 2.0, 4.0, 8.0, 16.0)
    events.late[1] = True
    handle(worker, work_frame(0, 1, [], [events[:1]]))
    write_log(log, events[:3])
    write_log(log, events[3:])
    header, (block,) = ask(worker, work_frame(3, 4, [group("p", [0], 9 * SECOND)], [events[3:4]]))
    assert block["sum"] == [13.0]
    assert header["position"] == 4


def test_a_compute_may_show_a_gap(worker: Worker, log: Path) -> None:
    write_log(log, delays(1.0, 2.0))
    header, (block,) = ask(worker, work_frame(2, 2, [group("p", [0], 9 * SECOND)]))
    assert block["sum"] == [3.0]
    assert header["position"] == 2


def test_shards_not_owned_have_no_lease(log: Path) -> None:
    worker = Worker()
    handle(worker, reload_frame({"p": PLAN}))
    handle(worker, assign_frame(log, 0, {1: 5}))
    events = Events([SECOND, SECOND], [0, 1], [1.0, 2.0])
    _, (block,) = ask(worker, work_frame(0, 2, [group("p", [0, 1, -1], SECOND)], [events]))
    assert block["lease"] == [0, 5, 0]
    assert block["sum"] == [0.0, 2.0, 0.0]


def test_an_assignment_reads_what_is_new_and_drops_what_is_gone(log: Path) -> None:
    rng = np.random.default_rng(5)
    events = random_events(rng, 400, entities=12)
    write_log(log, events[:150])
    write_log(log, events[150:300])
    of = plan(every_feature())
    worker, fresh = Worker(), Worker()
    for one in (worker, fresh):
        handle(one, reload_frame({"p": of}))
    handle(worker, assign_frame(log, 150, {0: 1, 1: 1}))
    handle(worker, work_frame(150, 200, [], [events[150:200]]))
    (ready,) = handle(worker, assign_frame(log, 300, {1: 1, 2: 2, 3: 2}))
    assert decode_frame(ready).header["position"] == 300
    assert decode_frame(ready).header["rows"] == int(np.isin(events.airports[:300] % 4, [1, 2, 3]).sum())
    handle(fresh, assign_frame(log, 300, {1: 1, 2: 2, 3: 2}))
    question = work_frame(300, 400, [group("p", list(range(12)), 600 * SECOND)], [events[300:]])
    (mine,), (wanted,) = handle(worker, question), handle(fresh, question)
    assert mine[decode_frame(mine).body :] == wanted[decode_frame(wanted).body :]
    header, (block,) = read_values(mine, of)
    assert header["position"] == 400
    assert block["lease"] == [0, 1, 2, 2] * 3
    assert sum(block["rows_1"]) > 0


def test_a_restart_changes_no_bits(log: Path) -> None:
    events = random_events(np.random.default_rng(6), 500, entities=6)
    events.late[[3, 77]] = True
    of = plan(every_feature())
    live, restarted = Worker(), Worker()
    for one in (live, restarted):
        handle(one, reload_frame({"p": of}))
    handle(live, assign_frame(log, 0, ALL))
    for i in range(0, 500, 7):
        handle(live, work_frame(i, min(i + 7, 500), [], [events[i : i + 7]]))
        write_log(log, events[i : i + 7])
    handle(restarted, assign_frame(log, 500, ALL))
    for position in (None, 500, 250):
        question = work_frame(500, 500, [group("p", [0, 1, 2, 3, 4, 5], 500 * SECOND, position)])
        (mine,), (wanted,) = handle(live, question), handle(restarted, question)
        assert mine[decode_frame(mine).body :] == wanted[decode_frame(wanted).body :]


def test_an_assignment_behind_the_worker_does_not_set_it_back(worker: Worker, log: Path) -> None:
    events = delays(1.0, 2.0, 4.0)
    write_log(log, events)
    handle(worker, work_frame(0, 3, [], [events]))
    handle(worker, assign_frame(log, 1, {0: 11}))
    handle(worker, assign_frame(log, 1, ALL))
    _, (block,) = ask(worker, work_frame(3, 3, [group("p", [0], 9 * SECOND)]))
    assert block["sum"] == [7.0]


def test_another_number_of_shards_starts_anew(worker: Worker, log: Path) -> None:
    write_log(log, delays(1.0, 2.0))
    handle(worker, assign_frame(log, 2, {0: 1}, shard_count=1))
    _, (block,) = ask(worker, work_frame(2, 2, [group("p", [0, 3], 9 * SECOND)]))
    assert block["sum"] == [3.0, 0.0]
    assert block["lease"] == [1, 1]


def test_a_reload_with_new_needs_reads_the_log_again(worker: Worker, log: Path) -> None:
    events = delays(1.0, 2.0)
    events.seats[:] = [10, 20]
    write_log(log, events)
    handle(worker, work_frame(0, 2, [], [events]))
    wider = plan([statistical("seats", "sum", "seats", W)])
    wider["sources"][0]["fields"].append({"name": "gate", "type": "float"})
    by_route = plan([statistical("sum", "sum", "delay", W), statistical("gate", "count", "gate", W)], "route")
    by_route["sources"][0]["fields"].append({"name": "gate", "type": "float"})
    assert handle(worker, reload_frame({"p": PLAN, "wider": wider, "route": by_route})) == []
    _, (block,) = ask(worker, work_frame(2, 2, [group("wider", [0], 9 * SECOND)]), wider)
    assert block["seats"] == [30.0]
    _, (block,) = ask(worker, work_frame(2, 2, [group("route", [1], 9 * SECOND)]), by_route)
    assert block["sum"] == [3.0]
    assert block["gate"] == [0.0]
    _, (block,) = ask(worker, work_frame(2, 2, [group("p", [0], 9 * SECOND)]))
    assert block["sum"] == [3.0]


def test_a_reload_without_new_needs_keeps_the_rows(worker: Worker) -> None:
    handle(worker, work_frame(0, 1, [], [delays(1.0)]))
    other = plan([statistical("mean", "mean", "delay", W)])
    handle(worker, reload_frame({"q": other}))
    _, (block,) = ask(worker, work_frame(1, 1, [group("q", [0], 9 * SECOND)]), other)
    assert block["mean"] == [1.0]
    header, blocks = ask(worker, work_frame(1, 1, [group("p", [0], 9 * SECOND)]))
    assert blocks == []
    assert "no plan p" in header["groups"][0]["error"]["message"]


def test_a_group_that_fails_spoils_no_other(worker: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    bad = plan([expression("bad", ["pow", 1, 2])])
    handle(worker, reload_frame({"p": PLAN, "bad": bad}))
    groups = [group("p", [0], SECOND), group("bad", [0, 1], SECOND), group("p", [1], SECOND)]
    header, blocks = ask(worker, work_frame(0, 1, groups, [delays(1.0)]))
    assert [answer.get("error", {}).get("code") for answer in header["groups"]] == [None, "internal", None]
    assert "'pow'" in header["groups"][1]["error"]["message"]
    assert [block["sum"] for block in blocks] == [[1.0], [0.0]]
    assert "Traceback" in capsys.readouterr().err


def test_typed_outputs(log: Path) -> None:
    of = plan(
        [
            statistical("n", "count", None, W, output="int64"),
            statistical("carrier", "last", "carrier", W, output="string"),
            statistical("flown", "last", "seats", W, output="bool"),
            statistical("seen", "max", "seats", W, output="timestamp"),
            statistical("mean", "mean", "delay", W),
            statistical("carriers", "count", "carrier", W, output="int64"),
        ]
    )
    worker = Worker()
    handle(worker, reload_frame({"t": of}))
    handle(worker, assign_frame(log, 0, ALL))
    write_dictionary(log, "departures.carrier", ["AA", "Zürich"])
    events = Events(
        [SECOND] * 4,
        [0, 0, 1, 2],
        [1.0, np.nan, np.nan, 3.0],
        seats=[0, 1, np.nan, 0],
        carriers=[1, -1, -1, 0],
    )
    _, (block,) = ask(worker, work_frame(0, 4, [group("t", [0, 1, 2, 3], SECOND)], [events]), of)
    del block["code"], block["lease"], block["valid_until"], block["event_time"]
    mean = block.pop("mean")
    assert [mean[0], mean[2]] == [1.0, 3.0]
    assert block == {
        "n": [2, 1, 1, 0],
        "n?": [1, 1, 1, 1],
        "carrier": ["Zürich", "", "AA", ""],
        "carrier?": [1, 0, 1, 0],
        "flown": [1, 0, 0, 0],
        "flown?": [1, 0, 1, 0],
        "seen": [1, 0, 0, 0],
        "seen?": [1, 0, 1, 0],
        "mean?": [1, 0, 1, 0],
        "carriers": [1, 0, 1, 0],
        "carriers?": [1, 1, 1, 1],
    }


def test_dictionaries_grow(log: Path) -> None:
    of = plan([statistical("carrier", "last", "carrier", W, output="string")])
    worker = Worker()
    handle(worker, reload_frame({"t": of}))
    handle(worker, assign_frame(log, 0, ALL))
    write_dictionary(log, "departures.carrier", ["AA"])

    def carrier(position: int, code: int, **delta: Any) -> str:
        event = Events([position * SECOND], [0], [0.0], carriers=[code], first=position)
        dictionaries = [delta] if delta else []
        frame = work_frame(
            position - 1, position, [group("t", [0], position * SECOND)], [event], dictionaries
        )
        _, (block,) = ask(worker, frame, of)
        text: str = block["carrier"][0]
        return text

    early: dict[str, Any] = {"name": "departures.carrier", "from": 0, "values": ["AA"]}
    assert carrier(1, 0, **early) == "AA"
    new: dict[str, Any] = {"name": "departures.carrier", "from": 1, "values": ["UA", "DL"]}
    assert carrier(2, 2, **new) == "DL"
    assert carrier(3, 1, **new) == "UA"
    hole: dict[str, Any] = {"name": "departures.carrier", "from": 4, "values": ["WN"]}
    write_dictionary(log, "departures.carrier", ["UA", "DL", "B6", "WN"], first=1)
    assert carrier(4, 2, **hole) == "DL"
    assert carrier(5, 4) == "WN"


def test_a_filter_finds_a_text_as_soon_as_an_event_has_it(log: Path) -> None:
    where = ["==", ["field", "carrier"], ["text", "UA"]]
    of = plan([statistical("n", "count", None, W, output="int64", where=where)])
    worker = Worker()
    handle(worker, reload_frame({"t": of}))
    handle(worker, assign_frame(log, 0, ALL))
    write_dictionary(log, "departures.carrier", ["AA"])

    def count(position: int, code: int, *deltas: Any) -> int:
        event = Events([position * SECOND], [0], [0.0], carriers=[code], first=position)
        asked = [group("t", [0], position * SECOND)]
        _, (block,) = ask(worker, work_frame(position - 1, position, asked, [event], deltas), of)
        return int(block["n"][0])

    assert count(1, 0) == 0
    assert count(2, 1, {"name": "departures.carrier", "from": 1, "values": ["UA"]}) == 1
    assert count(3, 1) == 2


def test_a_filter_finds_a_text_that_came_while_nobody_listened(log: Path) -> None:
    where = ["!=", ["field", "carrier"], ["text", "UA"]]
    of = plan([statistical("n", "count", None, W, output="int64", where=where)])
    worker = Worker()
    handle(worker, reload_frame({"t": of}))
    handle(worker, assign_frame(log, 0, ALL))
    write_dictionary(log, "departures.carrier", ["AA"])
    _, (block,) = ask(worker, work_frame(0, 0, [group("t", [0], SECOND)]), of)
    assert block["n"] == [0]
    write_log(log, Events([SECOND, SECOND, SECOND], [0, 0, 0], [0.0] * 3, carriers=[0, 1, -1]))
    write_dictionary(log, "departures.carrier", ["UA"], first=1)
    _, (block,) = ask(worker, work_frame(3, 3, [group("t", [0], SECOND)]), of)
    assert block["n"] == [1]


def test_schemas_that_the_reload_lacks_are_in_the_log(log: Path) -> None:
    worker = Worker()
    handle(worker, reload_frame({"p": PLAN}, schemas=()))
    handle(worker, assign_frame(log, 0, ALL))
    _, (block,) = ask(worker, work_frame(0, 1, [group("p", [0], SECOND)], [delays(1.0)]))
    assert block["sum"] == [1.0]


def test_a_failed_apply_is_told_and_made_good(worker: Worker, log: Path) -> None:
    events = delays(1.0, 2.0, 4.0)
    handle(worker, work_frame(0, 1, [], [events[:1]]))
    write_log(log, events)
    header = decode_frame(work_frame(1, 3, [], [events[1:]])).header
    header["batches"][0]["n"] = 1_000_000
    (answer,) = handle(worker, encode_frame(frames.APPLY, header, events[1:].block))
    told = decode_frame(answer)
    assert told.type == frames.ERROR
    assert told.header["id"] == 7
    assert told.header["code"] == "internal"
    _, (block,) = ask(worker, work_frame(3, 3, [group("p", [0], 9 * SECOND)]))
    assert block["sum"] == [7.0]


@pytest.mark.parametrize("data", [b"", b"nonsense", encode_frame(99, {}), encode_frame(frames.HELLO, {})])
def test_frames_that_mean_nothing(worker: Worker, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = handle(worker, data)
    told = decode_frame(answer)
    assert (told.type, told.header["id"], told.header["code"]) == (frames.ERROR, 0, "internal")
    assert "ValueError" in capsys.readouterr().err
    assert not worker.draining


def test_loading_shows_progress(log: Path) -> None:
    events = random_events(np.random.default_rng(7), 300)
    for i in range(0, 300, 100):
        write_log(log, events[i : i + 100])
    ticks = iter(range(10_000))
    worker = Worker(monotonic=lambda: float(next(ticks)))
    handle(worker, reload_frame({"p": PLAN}))
    *beats, ready = map(decode_frame, handle(worker, assign_frame(log, 300, ALL)))
    assert ready.type == frames.READY
    assert beats
    assert {beat.type for beat in beats} == {frames.BEAT}
    assert beats[-1].header == {"loaded": 300, "total": 300}


def test_no_shards_no_work(log: Path) -> None:
    worker = Worker()
    handle(worker, reload_frame({}))
    (ready,) = handle(worker, assign_frame(log, 0, {}))
    assert decode_frame(ready).header["rows"] == 0
    header, _ = ask(worker, work_frame(5, 6, [], [delays(1.0, first=6)]))
    assert header["position"] == 6


def test_a_missing_log_ends_the_worker(tmp_path: Path) -> None:
    worker = Worker()
    handle(worker, reload_frame({"p": PLAN}))
    with pytest.raises(Exception, match="unable to open"):
        handle(worker, assign_frame(tmp_path / "none.db", 5, ALL))


def test_drain(worker: Worker) -> None:
    assert handle(worker, encode_frame(frames.DRAIN, {})) == []
    assert worker.draining

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from headrace.memory.log import CHUNK_ROWS, Log, LogBatch
from material import SCHEMA, SECOND, Events, create_log, random_events, write_dictionary, write_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a folder" / "log.db"
    path.parent.mkdir()
    create_log(path)
    return path


def read(path: Path, after: int, until: int) -> list[LogBatch]:
    return list(Log(str(path)).read(after, until))


def positions(batches: list[LogBatch]) -> list[int]:
    return [position for batch in batches for position in batch.positions.tolist()]


def test_rows_come_as_they_were_written(path: Path) -> None:
    events = random_events(np.random.default_rng(1), 57)
    events.late[[3, 8, 50]] = True
    for low, high in ((0, 1), (1, 2), (2, 3), (3, 20), (20, 57)):
        write_log(path, events[low:high])
    (batch,) = read(path, 0, 57)
    assert batch.schema == SCHEMA
    assert batch.positions.tolist() == list(range(1, 58))
    assert batch.keep is not None
    assert np.flatnonzero(~batch.keep).tolist() == [3, 8, 50]
    for got, wanted in zip(batch.columns, events.columns, strict=True):
        assert got.tobytes() == wanted.tobytes()


def test_part_of_a_row(path: Path) -> None:
    events = random_events(np.random.default_rng(2), 30)
    events.late[12] = True
    write_log(path, events[:10])
    write_log(path, events[10:20])
    write_log(path, events[20:])
    batches = read(path, 5, 17)
    assert positions(batches) == list(range(6, 18))
    assert np.concatenate([batch.columns[0] for batch in batches]).tolist() == events.times[5:17].tolist()
    keep = np.concatenate(
        [np.ones(len(batch.positions), np.bool_) if batch.keep is None else batch.keep for batch in batches]
    )
    assert np.flatnonzero(~keep).tolist() == [12 - 5]
    assert read(path, 30, 40) == []
    assert read(path, 7, 7) == []


def test_merged_rows_have_positions_with_holes(path: Path) -> None:
    events = random_events(np.random.default_rng(3), 4)
    events.positions = np.array([2, 5, 6, 9])
    write_log(path, events)
    assert positions(read(path, 0, 9)) == [2, 5, 6, 9]
    assert positions(read(path, 2, 6)) == [5, 6]
    assert positions(read(path, 2, 4)) == []


def test_sources_do_not_mix(path: Path) -> None:
    other = str(SCHEMA).replace("departures", "arrivals").replace("'", '"')
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO schemas VALUES (2, ?)", (other,))
    events = random_events(np.random.default_rng(4), 8)
    for i in range(8):
        write_log(path, events[i : i + 1], schema=1 + i % 2)
    batches = read(path, 0, 8)
    found = {batch.schema["source"]: batch.positions.tolist() for batch in batches}
    assert found == {"departures": [1, 3, 5, 7], "arrivals": [2, 4, 6, 8]}


def test_many_single_rows_are_joined(path: Path) -> None:
    n = 3000
    events = Events(np.arange(n) * SECOND, np.zeros(n), np.arange(n))
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "INSERT INTO log VALUES (?, ?, 1, 1, 0, 0, 0, NULL, ?, NULL, NULL)",
            [(i + 1, i + 1, events[i : i + 1].block) for i in range(n)],
        )
    (batch,) = read(path, 0, n)
    assert batch.columns[3].tolist() == list(range(n))


def test_large_rows_come_one_by_one(path: Path) -> None:
    n = CHUNK_ROWS
    events = Events(np.arange(2 * n), np.zeros(2 * n), np.zeros(2 * n))
    write_log(path, events[:n])
    write_log(path, events[n:])
    sizes = [len(batch.positions) for batch in read(path, 0, 2 * n)]
    assert sum(sizes) == 2 * n


def test_a_row_of_the_wrong_length_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO log VALUES (4, 3, 1, 2, 0, 0, 0, NULL, x'00', NULL, NULL)")
    with pytest.raises(ValueError, match="row at 3 has 1 bytes"):
        read(path, 0, 4)


def test_dictionaries(path: Path) -> None:
    write_dictionary(path, "departures.carrier", ["AA", "", "Zürich"])
    assert Log(str(path)).dictionary("departures.carrier") == ["AA", "", "Zürich"]
    assert Log(str(path)).dictionary("other") == []
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM dictionary WHERE code = 1")
    with pytest.raises(ValueError, match="lacks code 1"):
        Log(str(path)).dictionary("departures.carrier")


def test_the_log_is_never_written(path: Path) -> None:
    with (
        closing(Log(str(path))._connect()) as database,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        database.execute("DELETE FROM log")


def test_a_missing_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        read(tmp_path / "none.db", 0, 1)

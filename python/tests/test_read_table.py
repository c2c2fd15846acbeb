from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headrace import read_table
from headrace.table_files import micros_of, times_of
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2001, 1, 1, tzinfo=UTC)
START_US = 978_307_200_000_000


def read(path: Path, *flags: str) -> tuple[pa.Table, list[int]]:
    """Run the command; give the rows and the sizes of the batches."""
    written = io.BytesIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(written, write_through=True)) as out:
        status = read_table.main([*flags, "--", str(path)])
        out.detach()
    assert status == 0
    return table_of(written.getvalue())


def table_of(stream: bytes) -> tuple[pa.Table, list[int]]:
    with pa.ipc.open_stream(io.BytesIO(stream)) as reader:
        batches = list(reader)
        return pa.Table.from_batches(batches, reader.schema), [batch.num_rows for batch in batches]


def refused(*arguments: str) -> tuple[int, str]:
    """Run the command; give its status and what it says."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            status = read_table.main(list(arguments))
        except SystemExit as error:
            status = int(str(error.code))
    assert status != 0
    return status, said.getvalue()


def write_parquet(path: Path, n: int = 1000, group: int = 100, **more: Any) -> Path:
    columns = {
        "date": pa.array([START_US + i * 1_000_000 for i in range(n)], pa.timestamp("us")),
        "name": pa.array([f"N{i % 3}" for i in range(n)], pa.large_string()),
        "value": pa.array(range(n)),
        **more,
    }
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


def told(table: pa.Table) -> tuple[int, bool]:
    metadata = table.schema.metadata
    return int(metadata[b"headrace.rows"]), metadata[b"headrace.exact"] == b"true"


def test_parquet_keeps_order_and_types_and_cuts_batches_to_size(tmp_path: Path) -> None:
    table, sizes = read(write_parquet(tmp_path / "a.parquet"), "--batch-rows", "64")
    assert sizes == [64] * 15 + [40]
    assert table["value"].to_pylist() == list(range(1000))
    assert table.schema.field("name").type == pa.dictionary(pa.int32(), pa.string())
    assert table["name"].to_pylist()[:4] == ["N0", "N1", "N2", "N0"]
    assert told(table) == (1000, True)


def test_parquet_window_is_right_closed_and_counted(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet")
    window = ["--timestamp", "date", "--after", "2001-01-01T00:01:39Z", "--until", "2001-01-01T00:05:00"]
    table, _ = read(path, *window)
    assert table["value"].to_pylist() == list(range(100, 301))
    assert told(table) == (201, True)


@pytest.mark.parametrize("skip", [0, 1, 99, 100, 101, 650, 999, 1000, 5000])
def test_parquet_skips_rows_of_the_window(tmp_path: Path, skip: int) -> None:
    path = write_parquet(tmp_path / "a.parquet")
    table, _ = read(path, "--timestamp", "date", "--after", "2001-01-01T00:00:49Z", "--skip", str(skip))
    assert table["value"].to_pylist() == list(range(50 + skip, 1000))
    assert told(table) == (950, True)


def test_parquet_keeps_rows_without_time_for_the_receiver_to_reject(tmp_path: Path) -> None:
    dates = pa.array([START_US, None, START_US + 60_000_000], pa.timestamp("us"))
    path = write_parquet(tmp_path / "a.parquet", 3, date=dates)
    table, _ = read(path, "--timestamp", "date", "--after", "2001-01-01T00:00:30Z")
    assert table["value"].to_pylist() == [1, 2]


def test_only_the_named_columns_that_are_there(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet")
    table, _ = read(path, "--columns", json.dumps(["value", "missing"]))
    assert table.column_names == ["value"]


def test_csv_is_text_and_tells_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b"\xef\xbb\xbfid,at,value\n007,2001-01-01,1.50\n"
        b'8,"2001-01-01 00:00",\n9,x\n\n"a\nb",2001-01-01,NaN\n\xff,2001-01-01,1\n'
    )
    table, _ = read(path)
    assert table.column_names == ["id", "at", "value", "@error"]
    assert table["id"].to_pylist() == ["007", "8", None, "a\nb", None]
    assert table["value"].to_pylist() == ["1.50", None, None, "NaN", None]
    assert table["@error"].to_pylist()[:2] == [None, None]
    assert "2 cells" in table["@error"][2].as_py()
    assert "UTF-8" in table["@error"][4].as_py()


def test_csv_windows_by_text_and_by_epoch_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "at,n\n2001-01-01T00:00:00Z,0\n978307201000,1\nnever,2\n2001-01-01T02:00:05+02:00,3\n,4\n"
    )
    table, _ = read(path, "--timestamp", "at", "--after", "2001-01-01", "--until", "2001-01-01T00:00:01Z")
    assert table["n"].to_pylist() == ["1", "2", "4"]
    assert told(table) == (5, False)


def test_tsv_splits_at_tabs(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a\tb\n1,5\t2\n")
    assert read(path)[0]["a"].to_pylist() == ["1,5"]


def test_ndjson_is_text_and_tells_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    lines = [
        '{"id": "a", "value": 1.50, "open": true}',
        '{"id": 7, "value": null, "more": [1]}',
        "[]",
        "",
        '{"id"',
        '{"id": "\\ud800"}',
        '{"id": "", "value": NaN}',
        "\x00",
    ]
    path.write_text("\n".join(lines))
    table, sizes = read(path, "--columns", json.dumps(["id", "value", "open"]), "--batch-rows", "4")
    assert sizes == [4, 3]
    assert table["id"].to_pylist() == ["a", "7", None, None, None, "", None]
    assert table["value"].to_pylist() == ["1.50", None, None, None, None, "nan", None]
    assert table["open"].to_pylist() == ["true", None, None, None, None, None, None]
    assert [error is None for error in table["@error"].to_pylist()] == [
        True,
        True,
        False,
        False,
        False,
        True,
        False,
    ]


def test_ndjson_finds_its_columns_and_reads_no_number_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 12345678901234567890}\n{"b": {"c": 1e400}}\n')
    table, _ = read(path)
    assert table.column_names == ["a", "b", "@error"]
    assert table["a"].to_pylist() == ["12345678901234567890", None]
    assert told(table) == (2, True)


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson"])
def test_files_without_rows_give_their_schema(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("id\n" if name == "a.csv" else "")
    table, sizes = read(path, "--columns", '["id"]')
    assert table.num_rows == 0
    assert sum(sizes) == 0
    assert table.column_names == ["id", "@error"]


def test_errors_are_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_text("no parquet")
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    twice = tmp_path / "twice.csv"
    twice.write_text("a,a\n")
    open_quote = tmp_path / "quote.csv"
    open_quote.write_text('a\n"' + "x" * 1_100_000)
    paths = [broken, empty, twice, open_quote, tmp_path, tmp_path / "none.csv", tmp_path / "a.xlsx"]
    for path in paths:
        status, said = refused(str(path))
        assert status == 1, path
        assert said.startswith("headrace: ")
        assert said.count("\n") == 1, said


def test_wrong_arguments_are_told_apart(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet")
    assert refused(str(path), "--until", "2001-01-01")[0] == 2
    assert refused(str(path), "--skip", "-1")[0] == 2
    assert refused(str(path), "--batch-rows", "0")[0] == 2
    assert refused(str(path), "--timestamp", "date", "--until", "soon")[0] == 1


def test_runs_as_a_process(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet")
    done = subprocess.run(
        [sys.executable, "-m", "headrace.read_table", str(path)], capture_output=True, check=True
    )
    assert table_of(done.stdout)[0].num_rows == 1000


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", 200_000, 10_000)
    child = subprocess.Popen(
        [sys.executable, "-m", "headrace.read_table", str(path), "--batch-rows", "100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.read(10)
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 1
    child.stderr.close()


@given(
    st.lists(st.integers(0, 40), max_size=12),
    st.integers(1, 30),
    st.integers(0, 200),
)
def test_rechunking_keeps_every_row_in_order(sizes: list[int], batch_rows: int, skip: int) -> None:
    start = 0
    tables = [pa.table({"n": pa.array([], pa.int64())})]
    for size in sizes:
        tables.append(pa.table({"n": pa.array(range(start, start + size), pa.int64())}))
        start += size
    given_tables = list(read_table.rechunk(iter(tables), batch_rows, skip))
    assert [n for table in given_tables for n in table["n"].to_pylist()] == list(range(skip, start))
    assert all(table.num_rows == batch_rows for table in given_tables[:-1])
    assert len(given_tables) >= 1


@given(st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2250, 1, 1)))
def test_times_of_text_and_of_arrow_agree(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    micros = micros_of(aware.isoformat())
    assert micros == micros_of(moment.isoformat())
    for column in [
        pa.chunked_array([pa.array([moment, None], pa.timestamp("us"))]),
        pa.chunked_array([pa.array([aware.isoformat(), "never"])]),
        pa.chunked_array([pa.array([aware.isoformat(), None]).dictionary_encode()]),
    ]:
        found, known = times_of(column)
        assert known.tolist() == [True, False]
        assert found[0] == micros

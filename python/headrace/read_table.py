"""Read a file of events and write it as an Arrow IPC stream.

    python -m headrace.read_table FILE [--columns JSON] [--timestamp COL --after T --until T]
                                       [--skip N] [--batch-rows 65536]

The engine's bulk load, ``headrace ingest`` and ``headrace replay`` run this as a child process and read its
standard output. Rows come in file order, in batches of exactly ``--batch-rows`` rows (the last may be less),
so that batch ``k`` holds the same rows whenever the same file is read with the same arguments. Texts are
dictionary-encoded; what becomes of types is told in :mod:`headrace.table_files`.

The schema's metadata tell ``headrace.rows``, how many rows the arguments select, the skipped ones among them,
and ``headrace.exact``, whether that is a count (``true``) or an estimate (``false``).

Exit status: 0 done, 1 the file cannot be read (one line on standard error says why), 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from headrace.table_files import (
    ReadError,
    Rows,
    Window,
    micros_of,
    one_line,
    open_csv,
    open_ndjson,
    open_parquet,
)

TEXT = pa.dictionary(pa.int32(), pa.string())


def rechunk(tables: Iterator[pa.Table], batch_rows: int, skip: int) -> Iterator[pa.Table]:
    """Leave out the first ``skip`` rows and cut the rest into tables of ``batch_rows`` rows.

    The last may be shorter. At least one table is given, for its schema.
    """
    held: pa.Table | None = None
    given = False
    for table in tables:
        leave = min(skip, table.num_rows)
        skip -= leave
        rest = table.slice(leave)
        held = rest if held is None else pa.concat_tables([held, rest])
        while held.num_rows >= batch_rows:
            yield held.slice(0, batch_rows)
            given = True
            held = held.slice(batch_rows)
    if held is not None and (held.num_rows > 0 or not given):
        yield held


def encode(table: pa.Table) -> pa.Table:
    """Dictionary-encode the texts of a table, with one dictionary a column."""
    columns = []
    for column in table.itercolumns():
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            column = pc.dictionary_encode(column.cast(pa.string()).combine_chunks()).cast(TEXT)
        columns.append(column)
    return pa.table(columns, names=table.column_names)


OPENERS: dict[str, Callable[[Path, list[str] | None, Window | None, int, int], Rows]] = {
    ".parquet": open_parquet,
    ".pq": open_parquet,
    ".csv": open_csv,
    ".tsv": open_csv,
    ".ndjson": open_ndjson,
    ".jsonl": open_ndjson,
}


def write_stream(rows: Rows, batch_rows: int, out: Any) -> None:
    """Write all batches as one Arrow IPC stream to a binary file object."""
    told = {
        "headrace.rows": str(rows.total),
        "headrace.exact": "true" if rows.exact else "false",
    }
    writer: pa.RecordBatchStreamWriter | None = None
    for table in rechunk(rows.batches, batch_rows, rows.skip):
        encoded = encode(table)
        if writer is None:
            writer = pa.ipc.new_stream(out, encoded.schema.with_metadata(told))
        for batch in encoded.combine_chunks().to_batches():
            writer.write_batch(batch)
        out.flush()
    if writer is not None:
        writer.close()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m headrace.read_table", description="Write a file of events as an Arrow IPC stream."
    )
    parser.add_argument("file", type=Path, help="Parquet, CSV, TSV or NDJSON, told by the name's ending")
    parser.add_argument("--columns", help="columns to read, as a JSON array of names; all where left out")
    parser.add_argument("--timestamp", help="the column of the time, for --after and --until")
    parser.add_argument("--after", help="only rows later than this (ISO 8601, naive is UTC)")
    parser.add_argument("--until", help="only rows up to and including this")
    parser.add_argument("--skip", type=int, default=0, help="leave out this many of the wanted rows")
    parser.add_argument("--batch-rows", type=int, default=65_536, help="rows a batch (default 65536)")
    arguments = parser.parse_args(argv)
    if (arguments.after or arguments.until) and not arguments.timestamp:
        parser.error("--after and --until need --timestamp, the column to hold against them")
    if arguments.skip < 0 or arguments.batch_rows < 1:
        parser.error("--skip is not negative and --batch-rows at least 1")
    return arguments


def _window(arguments: argparse.Namespace) -> Window | None:
    if not arguments.after and not arguments.until:
        return None
    try:
        after = micros_of(arguments.after) if arguments.after else None
        until = micros_of(arguments.until) if arguments.until else None
    except ValueError as error:
        raise ReadError(f"--after and --until are ISO 8601 times: {one_line(error)}") from error
    return Window(arguments.timestamp, after, until)


def main(argv: list[str] | None = None) -> int:
    """Run the command; give its exit status."""
    arguments = _arguments(argv)
    path: Path = arguments.file
    opener = OPENERS.get(path.suffix.lower())
    try:
        if opener is None:
            raise ReadError(f"{path} should end in one of {', '.join(OPENERS)}")
        if not path.is_file():
            raise ReadError(f"{path} is no file")
        columns = None if arguments.columns is None else [str(name) for name in json.loads(arguments.columns)]
        rows = opener(path, columns, _window(arguments), arguments.batch_rows, arguments.skip)
        write_stream(rows, arguments.batch_rows, sys.stdout.buffer)
    except BrokenPipeError:
        # The reader went away; there is nobody to tell, and the interpreter must not try to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ReadError, OSError, pa.ArrowException) as error:
        print(f"headrace: {one_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    # Ctrl-C reaches the whole process group: the parent says what is to say about it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())

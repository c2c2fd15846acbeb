"""Reading the log: an SQLite file that the engine writes and nobody else does.

A row of the table ``log`` is a batch of events of one source: a block of columns
(:mod:`headrace.wire.columns`) with the positions from `first` to `position`, or with those of the
``positions`` BLOB where rows were merged across other sources' events. A reading is one SQLite statement and
so sees one moment of the file, whatever is merged meanwhile."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.wire.columns import NUMBERS, pad8
from headrace.wire.frames import SchemaSpec

CHUNK_ROWS: Final = 65_536
"""Small batches are handed over joined up to about so many events."""

RUN_BYTES: Final = 2**20
"""Bytes of rows of equal length that are decoded together: what fits into the processor's cache."""

BUSY_S: Final = 5.0


@dataclass(slots=True)
class LogBatch:
    """Events of one source in position order."""

    schema: SchemaSpec
    columns: list[NDArray[Any]]
    """In the order of the schema, `n` values each."""
    positions: NDArray[np.int64]
    keep: NDArray[np.bool_] | None
    """Which events are not late; ``None``: all."""


@dataclass(slots=True)
class _Row:
    schema: int
    n: int
    first: int
    late: bytes | None
    columns: bytes
    positions: bytes | None


class Log:
    """A reader of one log."""

    def __init__(self, path: str) -> None:
        """Name the SQLite file; it is opened for each reading."""
        self._uri = Path(path).absolute().as_uri() + "?mode=ro"

    def read(self, after: int, until: int) -> Iterator[LogBatch]:
        """Read the events with positions in ``(after, until]``.

        Parameters
        ----------
        after
            Greatest position that is known already.
        until
            Greatest position wanted.

        Yields
        ------
        LogBatch
            Batches of about ``CHUNK_ROWS`` events or fewer; those of one source are in position order.
        """
        schemas = self.schemas()
        with closing(self._connect()) as database:
            cursor = database.execute(
                "SELECT schema, n, first, late, columns, positions FROM log"
                " WHERE position > ? AND first <= ? ORDER BY position",
                (after, until),
            )
            joiner = _Joiner()
            for run in _runs(_Row(*row) for row in cursor):
                batch = _within(_decode(schemas[str(run[0].schema)], run), after, until)
                if len(batch.positions):
                    yield from joiner.add(batch)
            yield from joiner.flush()

    def schemas(self) -> dict[str, SchemaSpec]:
        """Return all schemas by id."""
        with closing(self._connect()) as database:
            return {
                str(key): json.loads(spec) for key, spec in database.execute("SELECT id, spec FROM schemas")
            }

    def dictionary(self, name: str) -> list[str]:
        """Return the texts of a dictionary; a text's index is its code."""
        with closing(self._connect()) as database:
            texts: list[str] = []
            for code, value in database.execute(
                "SELECT code, value FROM dictionary WHERE name = ? ORDER BY code", (name,)
            ):
                if code != len(texts):
                    raise ValueError(f"the dictionary {name} lacks code {len(texts)}")
                texts.append(value)
            return texts

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, timeout=BUSY_S)


def _runs(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    """Group consecutive rows of equal schema and length, which are decoded together."""
    run: list[_Row] = []
    size = 0
    for row in rows:
        if run and (row.schema != run[0].schema or row.n != run[0].n or size > RUN_BYTES):
            yield run
            run, size = [], 0
        run.append(row)
        size += len(row.columns)
    if run:
        yield run


def _decode(schema: SchemaSpec, run: list[_Row]) -> LogBatch:
    n = run[0].n
    widths = [NUMBERS[column["dtype"]].itemsize * n for column in schema["columns"]]
    size = sum(map(pad8, widths))
    for row in run:
        if len(row.columns) != size:
            raise ValueError(
                f"the log's row at {row.first} has {len(row.columns)} bytes, its schema asks for {size}"
            )
    block = np.frombuffer(b"".join([row.columns for row in run]), np.uint8).reshape(len(run), size)
    columns: list[NDArray[Any]] = []
    offset = 0
    for column, width in zip(schema["columns"], widths, strict=True):
        part = np.ascontiguousarray(block[:, offset : offset + width])
        columns.append(part.reshape(-1).view(NUMBERS[column["dtype"]]))
        offset += pad8(width)
    positions = np.array([row.first for row in run])[:, None] + np.arange(n)
    keep = None
    for i, row in enumerate(run):
        if row.positions is not None:
            positions[i] = np.frombuffer(row.positions, NUMBERS["i8"])
        if row.late is not None:
            if keep is None:
                keep = np.ones((len(run), n), np.bool_)
            keep[i] = np.unpackbits(np.frombuffer(row.late, np.uint8), count=n, bitorder="little") == 0
    return LogBatch(schema, columns, positions.reshape(-1), None if keep is None else keep.reshape(-1))


def _within(batch: LogBatch, after: int, until: int) -> LogBatch:
    """Leave out events outside ``(after, until]``."""
    inside = (batch.positions > after) & (batch.positions <= until)
    if inside.all():
        return batch
    return LogBatch(
        batch.schema,
        [column[inside] for column in batch.columns],
        batch.positions[inside],
        None if batch.keep is None else batch.keep[inside],
    )


class _Joiner:
    """Joins small batches of a source; sources may alternate."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[LogBatch]] = {}

    def add(self, batch: LogBatch) -> Iterator[LogBatch]:
        """Take a batch in; what is large enough, or must go first, comes out."""
        source = batch.schema["source"]
        waiting = self._waiting.setdefault(source, [])
        if waiting and waiting[0].schema != batch.schema:
            yield _join(self._waiting.pop(source))
            waiting = self._waiting[source] = []
        waiting.append(batch)
        if sum(len(part.positions) for part in waiting) >= CHUNK_ROWS or len(waiting) >= 1024:
            yield _join(self._waiting.pop(source))

    def flush(self) -> Iterator[LogBatch]:
        """Hand over what is left."""
        for waiting in self._waiting.values():
            yield _join(waiting)
        self._waiting = {}


def _join(batches: list[LogBatch]) -> LogBatch:
    if len(batches) == 1:
        return batches[0]
    keep = None
    if any(batch.keep is not None for batch in batches):
        keep = np.concatenate(
            [
                np.ones(len(batch.positions), np.bool_) if batch.keep is None else batch.keep
                for batch in batches
            ]
        )
    return LogBatch(
        batches[0].schema,
        [np.concatenate(parts) for parts in zip(*(batch.columns for batch in batches), strict=True)],
        np.concatenate([batch.positions for batch in batches]),
        keep,
    )

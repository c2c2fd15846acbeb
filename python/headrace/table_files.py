"""Files of events, opened for reading in file order: Parquet, CSV and NDJSON.

Parquet keeps its types. CSV and NDJSON values all come as text, whatever they look like: an id ``007`` stays
as it is, and a number that is none is for the receiver to reject, row by row. In CSV an empty cell is null. A
line that cannot be read at all leaves its columns null and says why in the column ``@error``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ERROR_COLUMN = "@error"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COUNT_BYTES = 256 * 1024 * 1024
CELL_BYTES_MAX = 1024 * 1024


def one_line(error: object) -> str:
    """Give what an exception says, on one line."""
    return " ".join(str(error).split())


class ReadError(Exception):
    """The file cannot be read; the message is one line for a person."""


@dataclass(frozen=True)
class Window:
    """The rows that are wanted: those with ``after < timestamp <= until``, in microseconds."""

    column: str
    after: int | None
    until: int | None

    def holds(self, micros: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Tell for each time whether it lies within."""
        keep = np.ones(len(micros), dtype=np.bool_)
        if self.after is not None:
            keep &= micros > self.after
        if self.until is not None:
            keep &= micros <= self.until
        return keep


@dataclass(frozen=True)
class Rows:
    """A file opened for reading.

    Attributes
    ----------
    total : int
        Rows that are wanted, those to be skipped among them.
    exact : bool
        Whether ``total`` was counted; else it is an estimate.
    skip : int
        How many rows of ``batches`` are still to be skipped.
    batches : iterator of pyarrow.Table
        At least one, which may be empty.
    """

    total: int
    exact: bool
    skip: int
    batches: Iterator[pa.Table]


def micros_of(text: str) -> int:
    """Give the microseconds since the epoch of an ISO 8601 text; naive text is UTC."""
    moment = datetime.fromisoformat(text)
    return micros_of_datetime(moment)


def micros_of_datetime(moment: date) -> int:
    """Give the microseconds since the epoch of a date or a date and time; naive is UTC."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = aware - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def times_of(
    column: pa.ChunkedArray,
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Give the times of a column in microseconds, and where there is one that can be read.

    Numbers are epoch milliseconds, as everywhere at the engine's edges.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        known = column.is_valid().to_numpy().astype(np.bool_)
        micros = column.cast(pa.timestamp("us", tz=zone), safe=False).cast(pa.int64()).fill_null(0)
        return micros.to_numpy(), known
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
        known = np.isfinite(values)
        return np.rint(np.where(known, values, 0) * 1000).astype(np.int64), known
    return _times_of_text(column.cast(pa.string()))


def _times_of_text(
    column: pa.ChunkedArray,
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.bool_]]]:
    encoded = column.combine_chunks().dictionary_encode()
    micros = np.zeros(len(encoded.dictionary) + 1, dtype=np.int64)
    known = np.zeros(len(encoded.dictionary) + 1, dtype=np.bool_)
    for place, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            micros[place] = round(float(text) * 1000) if _is_number(text) else micros_of(text)
            known[place] = True
        except (ValueError, OverflowError):
            continue
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
    return micros[codes], known[codes]


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and len(text) > 8


def within(table: pa.Table, window: Window | None) -> pa.Table:
    """Keep the rows in the window; those without a readable time stay, for the receiver to reject."""
    if window is None or window.column not in table.column_names:
        return table
    micros, known = times_of(table[window.column])
    keep = window.holds(micros) | ~known
    return table if bool(keep.all()) else table.filter(pa.array(keep))


def open_parquet(
    path: Path, columns: list[str] | None, window: Window | None, batch_rows: int, skip: int
) -> Rows:
    """Open a Parquet file; row groups outside the window or among the skipped rows are not read."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ReadError(f"{path} is no Parquet file that can be read: {one_line(error)}") from error
    names = [name for name in file.schema_arrow.names if columns is None or name in columns]
    groups: list[int] = []
    total = 0
    for group in range(file.metadata.num_row_groups):
        rows = _rows_in_window(file, group, window)
        total += rows
        if not groups and rows <= skip:
            skip -= rows
        elif rows > 0:
            groups.append(group)

    def batches() -> Iterator[pa.Table]:
        if not groups:
            yield file.schema_arrow.empty_table().select(names)
            return
        for batch in file.iter_batches(batch_size=batch_rows, row_groups=groups, columns=names):
            yield within(pa.Table.from_batches([batch]), window)

    return Rows(total, True, skip, batches())


def _rows_in_window(file: pq.ParquetFile, group: int, window: Window | None) -> int:
    rows: int = file.metadata.row_group(group).num_rows
    if window is None or window.column not in file.schema_arrow.names:
        return rows
    found = _span(file, group, window.column)
    if found is not None:
        inside = window.holds(np.array(found, dtype=np.int64))
        if inside.all():
            return rows
        least, greatest = found
        below = window.after is not None and greatest <= window.after
        above = window.until is not None and least > window.until
        if below or above:
            return 0
    return int(within(file.read_row_group(group, columns=[window.column]), window).num_rows)


def _span(file: pq.ParquetFile, group: int, column: str) -> tuple[int, int] | None:
    """Give the least and greatest time of a row group where its statistics tell them for every row."""
    metadata = file.metadata.row_group(group)
    for place in range(metadata.num_columns):
        chunk = metadata.column(place)
        if chunk.path_in_schema != column:
            continue
        told = chunk.statistics
        if told is None or not told.has_min_max or not told.has_null_count or told.null_count != 0:
            return None
        if isinstance(told.min, date) and isinstance(told.max, date):
            return micros_of_datetime(told.min), micros_of_datetime(told.max)
    return None


def open_csv(
    path: Path, columns: list[str] | None, window: Window | None, batch_rows: int, skip: int
) -> Rows:
    """Open a CSV file whose first line names its columns; cells are texts, the empty one is null."""
    csv.field_size_limit(CELL_BYTES_MAX)
    file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    header = next(reader, None)
    if not header:
        raise ReadError(f"{path} is empty: its first line should name the columns")
    if len(set(header)) != len(header):
        raise ReadError(f"{path} names a column twice in its first line")
    names = [name for name in header if columns is None or name in columns]
    places = [header.index(name) for name in names]
    blank = [""] * len(header)

    def chunks() -> Iterator[pa.Table]:
        rows: list[list[str]] = []
        errors: dict[int, str] = {}
        try:
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    errors[len(rows)] = (
                        f"line {reader.line_num} has {len(cells)} cells, the first line {len(header)}"
                    )
                    cells = blank
                rows.append(cells)
                if len(rows) == batch_rows:
                    yield _csv_table(rows, names, places, errors)
                    rows, errors = [], {}
        except csv.Error as error:
            raise ReadError(f"{path}, line {reader.line_num}: {one_line(error)}") from error
        yield _csv_table(rows, names, places, errors)

    lines, counted = _lines(path)
    total = max(0, lines - 1)
    return Rows(total, counted and window is None, skip, (within(table, window) for table in chunks()))


def _csv_table(
    rows: list[list[str]], names: list[str], places: list[int], errors: dict[int, str]
) -> pa.Table:
    by_place = list(zip(*rows, strict=True)) if rows else [()] * (max(places, default=-1) + 1)
    cells = [[cell or None for cell in by_place[place]] for place in places]
    return text_table(names, cells, len(rows), errors)


def open_ndjson(
    path: Path, columns: list[str] | None, window: Window | None, batch_rows: int, skip: int
) -> Rows:
    """Open a file of one JSON object a line; values come as their text, nested ones as JSON.

    Without ``columns`` they are the keys of the first batch's objects.
    """
    names: list[str] = list(columns) if columns is not None else []

    def chunks() -> Iterator[pa.Table]:
        objects: list[dict[str, Any]] = []
        errors: dict[int, str] = {}
        first = True
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.isspace():
                    continue
                try:
                    value = json.loads(line, parse_int=str, parse_float=str)
                    if not isinstance(value, dict):
                        raise ValueError("it is no object")
                except (ValueError, RecursionError) as error:
                    errors[len(objects)] = f"line {number}: {one_line(error)}"
                    value = {}
                objects.append(value)
                if len(objects) == batch_rows:
                    if first and columns is None:
                        names.extend(_keys(objects))
                    first = False
                    yield _json_table(objects, names, errors)
                    objects, errors = [], {}
        if first and columns is None:
            names.extend(_keys(objects))
        yield _json_table(objects, names, errors)

    lines, counted = _lines(path)
    return Rows(lines, counted and window is None, skip, (within(table, window) for table in chunks()))


def _keys(objects: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for value in objects for key in value))


def _json_table(objects: list[dict[str, Any]], names: list[str], errors: dict[int, str]) -> pa.Table:
    cells = [[_text(value.get(name)) for value in objects] for name in names]
    return text_table(names, cells, len(objects), errors)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    # Infinity and NaN are the only numbers that json still gives as floats.
    return repr(value) if isinstance(value, float) else json.dumps(value)


def text_table(names: list[str], cells: list[list[str | None]], n: int, errors: dict[int, str]) -> pa.Table:
    """Build a table of texts; rows with text that is no Unicode become rows with an error."""
    for column in cells:
        for row, cell in enumerate(column):
            if cell is not None and not cell.isascii() and not _is_unicode(cell):
                errors.setdefault(row, "it holds bytes that are no UTF-8")
    for row in errors:
        for column in cells:
            column[row] = None
    told = pa.array([errors.get(row) for row in range(n)] if errors else [None] * n, pa.string())
    arrays = [pa.array(column, pa.string()) for column in cells]
    return pa.table([*arrays, told], names=[*names, ERROR_COLUMN])


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _lines(path: Path) -> tuple[int, bool]:
    """Count the lines of a file, or estimate them from its start where it is large."""
    size = path.stat().st_size
    counted = 0
    read = 0
    last = b"\n"
    with path.open("rb") as file:
        while read < COUNT_BYTES and (block := file.read(1 << 20)):
            counted += block.count(b"\n")
            read += len(block)
            last = block[-1:]
    if read < size:
        return round(counted * size / read), False
    return counted + (last != b"\n"), True

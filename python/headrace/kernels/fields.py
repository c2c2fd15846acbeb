"""Columns of several fields in one line of values without nulls, so that one call serves all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from headrace.kernels.segments import Floats, Indexes, Segments
from headrace.memory.rows import TIME, Words
from headrace.selection.predicates import Truth


class Column(NamedTuple):
    """What is computed from."""

    kind: Literal["field", "missing", "true", "rows"]
    """The values of a field; 1 where it is null and 0 where not; 1 where a filter is true and 0 where not; 0
    for each row."""
    row: int = 0
    """The field's row in a matrix of words."""
    key: str = ""
    """The filter's key."""


@dataclass(slots=True)
class FieldLine:
    """The known values of some columns, one column after the other."""

    values: Floats
    """With a stop of any content."""
    columns: int
    """How many."""
    rows: int
    """Rows of the events that were laid out."""
    words: Words
    before: Indexes | None
    """How many known values there are before each place of the columns as they were with nulls; ``None``
    where there are no nulls."""

    def places(self, limits: Indexes) -> Indexes:
        """Return where limits among the events fall in each column, shape ``(columns, limits)``."""
        places = limits + self.rows * np.arange(self.columns)[:, None]
        return places if self.before is None else self.before[places]

    def times(self) -> Indexes:
        """Return the timestamps of the values, and a stop."""
        times = np.empty(self.columns * self.rows + 1, np.int64)
        times[:-1].reshape(self.columns, self.rows)[:] = self.words[TIME, : self.rows]
        times[-1] = 0
        return times if self.before is None else times[np.append(np.diff(self.before) > 0, True)]

    def segments(self, column: int, lows: Indexes, highs: Indexes) -> Segments:
        """Return one column with its windows, of shape ``(windows, n)``."""
        start = column * self.rows
        if self.before is None:
            return Segments(self.values[start : start + self.rows + 1], self.words[TIME], lows, highs)
        before = self.before[start : start + self.rows + 1]
        first = before[0]
        known = np.append(np.flatnonzero(np.diff(before)), self.rows)
        return Segments(
            self.values[first : before[-1] + 1],
            self.words[TIME, known],
            before[lows] - first,
            before[highs] - first,
        )


def lay_fields(words: Words, columns: Sequence[Column], truths: Mapping[str, Truth]) -> FieldLine:
    """Lay out columns.

    Parameters
    ----------
    words
        Events and a stop, shape ``(columns of the source, rows + 1)``.
    columns
        What of them.
    truths
        The filters of columns, by key.
    """
    rows = words.shape[1] - 1
    values = np.empty(len(columns) * rows + 1)
    values[-1] = 0.0
    if rows == 0:
        return FieldLine(values, len(columns), rows, words, None)
    for i, column in enumerate(columns):
        part = values[i * rows : (i + 1) * rows]
        if column.kind == "field":
            part.view(np.int64)[:] = words[column.row, :rows]
        elif column.kind == "missing":
            part[:] = np.isnan(words[column.row, :rows].view(np.float64))
        elif column.kind == "true":
            part[:] = truths[column.key](words[:, :rows])
        else:
            part[:] = 0.0
    total = np.add.reduce(values)
    if total == total:  # else there are nulls, or infinities of both signs
        return FieldLine(values, len(columns), rows, words, None)
    known = values == values
    before = np.zeros(len(values), np.int64)
    np.cumsum(known[:-1], out=before[1:])
    return FieldLine(values[known], len(columns), rows, words, before)

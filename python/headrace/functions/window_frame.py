"""The DataFrames that Python features are given."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.memory.rows import TIME, Words
from headrace.wire.plan import FieldType

Texts: TypeAlias = Callable[[str, int], Sequence[str]]
"""Gives the texts of a dictionary, at least so many of them."""


class Column(NamedTuple):
    """A field as a column of a DataFrame."""

    name: str
    type: FieldType
    row: int
    """In a matrix of words."""
    dictionary: str
    """Name of the dictionary, for a category."""


def window_frame(words: Words, columns: Sequence[Column], texts: Texts) -> Any:
    """Make a DataFrame of rows.

    The column `timestamp` is in UTC. Floats and ints are float64, with NaN for null (whole numbers are exact
    up to 2^53); bools are pandas' nullable ``boolean``; categories are ``str``; timestamps are in UTC. The
    rows are copied.

    Parameters
    ----------
    words
        Rows as in :mod:`headrace.memory.rows`.
    columns
        The columns after `timestamp`.
    texts
        Gives the texts of a category's dictionary.

    Examples
    --------
    >>> words = np.zeros((4, 2), np.int64)
    >>> words[2:].view(np.float64)[:] = [[3.5, np.nan], [1, 0]]
    >>> columns = [Column("delay", "float", 2, ""), Column("carrier", "category", 3, "flights.carrier")]
    >>> frame = window_frame(words, columns, lambda name, size: ["AA", "DL"])
    >>> frame["delay"].tolist(), frame["carrier"].tolist()
    ([3.5, nan], ['DL', 'AA'])
    >>> frame["timestamp"].dtype
    datetime64[us, UTC]
    """
    import pandas as pd  # a worker without Python features does without

    values = words.view(np.float64)
    data: dict[str, Any] = {"timestamp": _times(words[TIME].copy())}
    for name, type_, row, dictionary in columns:
        data[name] = _column(type_, values[row].copy(), dictionary, texts)
    return pd.DataFrame(data, copy=False)


def _column(type_: FieldType, values: NDArray[np.float64], dictionary: str, texts: Texts) -> Any:
    import pandas as pd

    if type_ in ("float", "int"):
        return values
    null = np.isnan(values)
    if type_ == "bool":
        return pd.arrays.BooleanArray(values == 1, null)
    whole = np.where(null, 0, values).astype(np.int64)
    if type_ == "timestamp":
        whole[null] = np.iinfo(np.int64).min  # NaT
        return _times(whole)
    known = texts(dictionary, int(whole.max(initial=-1)) + 1)
    column = np.empty(len(values), np.object_)
    for i, code in enumerate(whole.tolist()):
        column[i] = np.nan if null[i] else known[code]
    return pd.array(column, dtype=pd.StringDtype("python", na_value=np.nan))


def _times(micros: NDArray[np.int64]) -> Any:
    import pandas as pd

    return pd.array(micros.view("M8[us]"), dtype=pd.DatetimeTZDtype("us", "UTC"))

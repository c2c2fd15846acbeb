"""Using pandas before anyone waits for a value.

pandas loads and prepares many of its parts when they are first used, which takes longer than a feature may.
So a worker uses what features use most, on a made-up window. It does not call the features themselves: one
that never returns, or ends the process, must spoil nobody's start."""

from typing import Any, Final

import numpy as np

from headrace.functions.window_frame import Column, window_frame
from headrace.memory.rows import FIELDS, TIME, Words

ROWS: Final = 8

COLUMNS: Final = (
    Column("number", "float", FIELDS, ""),
    Column("text", "category", FIELDS + 1, ""),
    Column("flag", "bool", FIELDS + 2, ""),
    Column("time", "timestamp", FIELDS + 3, ""),
)


def warm_pandas() -> None:
    """Import pandas and use it.

    Examples
    --------
    >>> warm_pandas()
    """
    words: Words = np.zeros((FIELDS + len(COLUMNS), ROWS), np.int64)
    words[TIME] = np.arange(ROWS) * 1_000_000
    fields = words[FIELDS:].view(np.float64)
    fields[:] = np.arange(ROWS) // 2
    fields[:, -1] = np.nan
    fields[2, :-1] %= 2
    window = window_frame(words, COLUMNS, lambda _, size: [str(code) for code in range(size)])
    _use(window)
    _group(window.assign(entity=np.arange(ROWS) // 4))


def _use(window: Any) -> None:
    """Use what is made of one window."""
    number, text, time = window["number"], window["text"], window["timestamp"]
    known = number.dropna()
    for name in ("sum", "mean", "std", "var", "min", "max", "median", "skew", "idxmax", "nunique", "mode"):
        getattr(known, name)()
    known.quantile([0.1, 0.9])
    known.describe()
    (known > 1).mean()
    number.diff().fillna(0.0).abs().cumsum().shift().clip(0.0, 9.0).rank()
    number.rolling(3).mean()
    number.ewm(halflife="1s", times=time).mean()
    window.rolling("2s", on="timestamp")["number"].sum()
    for column in (text, window["flag"], window["time"], time):
        column.value_counts(normalize=True).sort_index()
        column.isna().any()
        column.nunique()
        column.mode()
        column.eq(column.shift()).sum()
    text.fillna("").str.lower().str.contains("1", regex=False)
    text.isin(["1"])
    window["flag"].fillna(False).sum()
    time.dt.hour.value_counts().idxmax()
    time.dt.tz_convert("America/Chicago").dt.hour.max()
    time.dt.floor("1h")
    time.diff().dt.total_seconds().max()
    window.loc[number.idxmax()]
    window[(number > 1) & (text != "2")].sort_values(["number", "time"], kind="stable").drop_duplicates(
        "text"
    )
    window.set_index("timestamp").resample("2s")["number"].mean()
    window.iloc[:0].reset_index(drop=True)["number"].mean()


def _group(windows: Any) -> None:
    """Use what is made of many."""
    for keys in ("entity", "text", ["entity", "text"]):
        grouped = windows.groupby(keys)
        grouped["number"].agg(["sum", "mean", "count"])
        grouped.size().nlargest(2)
    grouped = windows.groupby("entity")
    for name in ("mean", "sum", "shift", "diff", "cumsum", "last", "nunique", "median", "max"):
        getattr(grouped["number"], name)()
    grouped["text"].shift()
    grouped["timestamp"].diff()
    grouped["number"].transform("mean")
    (windows["number"] > 1).groupby(windows["entity"]).mean().reindex(windows["entity"].unique())
    windows.merge(grouped["number"].mean().rename("usual"), left_on="entity", right_index=True)

"""Windows as arithmetic: which timestamps they hold at a moment, and when one enters or leaves."""

import json
from dataclasses import dataclass
from typing import Final

import numpy as np

from headrace.kernels.segments import Indexes
from headrace.wire.plan import Expression, Window


@dataclass(frozen=True, slots=True)
class Span:
    """A window made ready: rows with ``as_of + start <= ts < as_of + stop``, then `rows`, then `gap`.

    The limits are whole microseconds, so open and closed ends are a matter of adding 1.
    """

    start: int
    stop: int
    rows: int
    """At most so many, the newest; 0 is no limit."""
    gap: int
    """Of the last session only: rows less than this apart, microseconds; 0 is no sessions."""
    offset: int
    """Microseconds from the window's end to ``as_of``."""

    @classmethod
    def of(cls, window: Window) -> "Span":
        """Read a window of a plan."""
        offset, closed = int(window.get("offset", 0)), window.get("closed", "right")
        return cls(
            start=-offset - int(window["time"]) + (closed not in ("both", "left")),
            stop=-offset + (closed in ("both", "right")),
            rows=int(window.get("rows", 0)),
            gap=int(window.get("gap", 0)),
            offset=offset,
        )

    @property
    def leave(self) -> int:
        """What added to a row's timestamp is the first moment at which it is out of the window."""
        return 1 - self.start

    @property
    def enter(self) -> int:
        """What added to a row's timestamp is the first moment at which it is in the window."""
        return 1 - self.stop

    @property
    def plain(self) -> bool:
        """Whether time alone decides."""
        return not self.rows and not self.gap


EVERY: Final = ""
"""The key of the filter that takes every row."""


def filter_key(where: Expression | None) -> str:
    """Return what tells filters apart: equal trees have equal keys."""
    return EVERY if where is None else json.dumps(where, separators=(",", ":"))


def newest_of(span: Span, times: Indexes, lows: Indexes, highs: Indexes, end: int) -> tuple[Indexes, Indexes]:
    """Narrow stretches of rows, which time and filter have chosen, to the newest rows and the last session.

    Parameters
    ----------
    span
        The window.
    times
        Timestamps of the rows, shape ``(rows + 1,)``; the last is a stop.
    lows, highs
        The stretches, shape ``(n,)``.
    end
        The window's end, microseconds.

    Returns
    -------
    lows, highs
        New arrays; an empty stretch has its low at its high.
    """
    if span.rows:
        lows = np.maximum(lows, highs - span.rows)
    if span.gap and len(times) > 1:
        begins = np.flatnonzero(np.diff(times) >= span.gap) + 1
        # The last begin of a session that is a row of the stretch; one at its low changes nothing.
        before = np.searchsorted(begins, highs, "left") - 1
        found = np.where(before >= 0, begins[before] if len(begins) else 0, 0)
        lows = np.maximum(lows, found)
        over = (highs > lows) & (end - times[highs - 1] >= span.gap)
        lows = np.where(over, highs, lows)
    return lows, highs

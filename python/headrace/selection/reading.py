"""Readings: which windows of a source are read, and how far back their rows are needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.kernels.segments import Indexes
from headrace.selection.predicates import Truth
from headrace.selection.windows import Span


@dataclass(slots=True)
class Filter:
    """Which rows take part, and in which windows."""

    truth: Truth | None
    """``None``: every row."""
    selections: list[int]
    """Indexes into the selections of the reading."""
    chosen: slice | Indexes
    """The same, as what selects them from an array."""
    cut: list[tuple[int, Span]]
    """Those which do not just have the rows of a span of time."""


@dataclass(slots=True)
class Selection:
    """A window of filtered rows, and how it is read."""

    span: Span
    filter: int
    deep: bool
    """Something needs every row."""
    mergeable: bool
    """Something needs what tiles have too."""
    sketched: bool
    """Something needs a sketch, which tiles can have too."""
    newest: bool
    """Something needs the newest value."""

    @property
    def tileable(self) -> bool:
        """Whether something needs what tiles have."""
        return self.mergeable or self.sketched

    @property
    def reached(self) -> bool:
        """Whether only its newest rows are read."""
        return not self.span.plain and (self.deep or self.tileable or self.newest)


class Reading:
    """What a plan reads of one source, made ready to gather."""

    def __init__(
        self,
        source: str,
        entity: str,
        columns: Sequence[int],
        selections: Sequence[Selection],
        filters: Sequence[Filter],
    ) -> None:
        """Lay out the limits of the windows.

        Parameters
        ----------
        source, entity
            Whose rows.
        columns
            Which rows of a matrix of words are read.
        selections
            The windows.
        filters
            Their filters.
        """
        self.source = source
        self.entity = entity
        self.columns = list(columns)
        self.selections = list(selections)
        self.filters = list(filters)
        spans = [selection.span for selection in selections]
        self.shifts = sorted({limit for span in spans for limit in (span.start, span.stop)})
        """Limits of all windows less ``as_of``, ascending."""
        at = {shift: i for i, shift in enumerate(self.shifts)}
        self.limits = [(at[span.start], at[span.stop]) for span in spans]
        """Start and stop of each selection as indexes of `shifts`."""
        every = [
            (selection, *limits)
            for selection, limits in zip(selections, self.limits, strict=True)
            if filters[selection.filter].truth is None
        ]
        self.plain = [
            (start, stop, selection.span.leave) for selection, start, stop in every if selection.span.plain
        ]
        """Start, stop and what leads to the moment of leaving, of the windows that time alone decides."""
        self.stops = sorted({(stop, selection.span.enter) for selection, _, stop in every})
        """Stop, and what leads to the moment of entering, of the windows without a filter."""
        self.filtered = sorted(
            {
                (selection.filter, stop, selection.span.enter)
                for selection, (_, stop) in zip(selections, self.limits, strict=True)
                if filters[selection.filter].truth is not None
            }
        )
        """Filter, stop, and what leads to the moment of entering, of the windows with a filter."""
        gathered = [i for i, one in enumerate(selections) if one.deep or one.tileable or one.newest]
        self.last = max((self.limits[i][1] for i in gathered), default=0)
        """The stop up to which rows are gathered."""
        whole = [i for i in gathered if spans[i].plain and (selections[i].deep or selections[i].tileable)]
        self.first = min((self.limits[i][0] for i in whole), default=self.last)
        """The start from which rows are gathered, where no window is so long that tiles serve it."""
        self.tileable = [i for i in whole if selections[i].tileable]
        self.longest = min((self.limits[i][0] for i in self.tileable), default=self.last)
        self.crossings = [
            (*self.limits[i], spans[i].leave, spans[i].enter)
            for i in self.tileable
            if selections[i].mergeable and filters[selections[i].filter].truth is not None
        ]
        """Start, stop, and what leads to the moments of leaving and entering, of windows with a filter whose
        sums may be put together from tiles."""
        self.reached = [i for i in gathered if not spans[i].plain]
        self.peeks = [i for i in gathered if i not in whole and i not in self.reached]
        """Windows of which only the newest row is read."""
        self.simple = (
            self.first == 0
            and self.last == len(self.shifts) - 1
            and not (self.reached or self.peeks or self.filtered)
        )
        """Whether all rows of the longest window are read, and time alone decides what is in the others."""

"""What is computed from the rows that one filter takes, sorted by window, field and kernel."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from headrace.kernels.fields import Column
from headrace.kernels.orders import ORDERS, OrderPlan
from headrace.kernels.segments import Indexes
from headrace.kernels.series import SeriesPlan
from headrace.kernels.statistics import MomentPlan, Wanted
from headrace.selection.reading import Selection
from headrace.selection.windows import Span, filter_key
from headrace.wire.plan import PlanFeature

ROWS = Column("rows")


Member: TypeAlias = tuple[int, PlanFeature]
"""A feature with its row of the result."""


class SourceFields(NamedTuple):
    """The fields of a source."""

    source: str
    rows: dict[str, int]
    """Where they stand in a matrix of words."""
    types: dict[str, str]


@dataclass(slots=True)
class FilterPlan:
    """All that is computed from the rows that one filter takes; windows go by their index within it."""

    key: str
    spans: list[Span]
    fields: SourceFields
    offsets: Indexes = field(init=False)
    counts: list[tuple[int, int, int | None]] = field(default_factory=list)
    """Counts of rows: row of the result, window, and, where time alone decides, selection of the reading."""
    wanted: list[Wanted] = field(default_factory=list)
    peeks: list[tuple[int, int, int]] = field(default_factory=list)
    """Last values of windows that are not read whole: row of the result, row of words, window."""
    moments: MomentPlan | None = None
    columns: list[Column] = field(default_factory=list)
    """What is laid out; the columns of `moments` come first."""
    orders: list[tuple[int, OrderPlan, str | None]] = field(default_factory=list)
    """With their column, and the dictionary of a category."""
    series: list[tuple[int, SeriesPlan]] = field(default_factory=list)
    """With their column."""

    def __post_init__(self) -> None:
        """Note the offsets of the windows."""
        self.offsets = np.array([span.offset for span in self.spans], np.int64)

    def column(self, column: Column) -> int:
        """Return the index of a column that is to be laid out."""
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column)

    def sort(self, which: int, window: int, members: Sequence[Member], deep: bool) -> Selection:
        """Sort the features of one window; say how it is to be read.

        Parameters
        ----------
        which
            The filter's index.
        window
            The window's.
        members
            The features.
        deep
            Whether something else needs every row of it.
        """
        span, name = self.spans[window], self.key
        shallow = span.plain and not name and not deep and all(map(_is_shallow, members))
        mergeable = sketched = newest = False
        for row, feature in members:
            function, field_name = _function(feature), feature.get("field")
            if function == "count" and field_name is None and not (name and span.plain):
                self.counts.append((row, window, None))
                deep = deep or not span.plain
            elif shallow:
                newest = True
                self.peeks.append((row, self.fields.rows[str(field_name)], window))
                self.wanted.append(self._wanted(row, feature, function, window))
            elif "approximate" in feature and span.plain:
                sketched = True
            elif function in ORDERS or (feature["type"] == "time_series" and function != "linear_regression"):
                deep = True
            else:
                mergeable = True
                self.wanted.append(self._wanted(row, feature, function, window))
        return Selection(span, which, deep, mergeable, sketched, newest)

    def _wanted(self, row: int, feature: PlanFeature, function: str, window: int) -> Wanted:
        name = feature.get("field")
        if function == "share_where":
            column = Column("true", 0, filter_key(feature["where"]))
        elif name is None:
            column = ROWS
        else:
            column = Column("missing" if function == "missing_share" else "field", self.fields.rows[name])
        if function in ("missing_share", "share_where"):
            return row, "mean", column, window, 0.0
        if function == "linear_regression":
            per = feature.get("per")
            result = feature.get("result") or "slope"
            return row, f"{'row' if per is None else 'time'}_{result}", column, window, float(per or 0)
        return row, function, column, window, 0.0

    def finish(self, windows: Sequence[Sequence[Member]]) -> None:
        """Make the plans of the kernels of the features of each window."""
        if self.wanted:
            self.moments = MomentPlan(self.wanted)
            self.columns += self.moments.columns
        orders: dict[str, list[tuple[int, PlanFeature, int]]] = {}
        series: dict[str | None, list[tuple[int, PlanFeature, int]]] = {}
        for window, members in enumerate(windows):
            for row, feature in members:
                function, name = _function(feature), feature.get("field")
                if function in ORDERS:
                    orders.setdefault(str(name), []).append((row, feature, window))
                elif feature["type"] == "time_series" and function != "linear_regression":
                    series.setdefault(name, []).append((row, feature, window))
        for name, ordered in orders.items():
            text = f"{self.fields.source}.{name}" if self.fields.types[name] == "category" else None
            column = self.column(Column("field", self.fields.rows[name]))
            self.orders.append((column, OrderPlan(ordered), text))
        for field_name, serial in series.items():
            kind = ROWS if field_name is None else Column("field", self.fields.rows[field_name])
            self.series.append((self.column(kind), SeriesPlan(serial)))


def _function(feature: PlanFeature) -> str:
    return feature["aggregation"] if feature["type"] == "statistical" else feature["function"]


def _is_shallow(member: Member) -> bool:
    """Tell whether a feature can do without the rows of its window, or nearly always."""
    _, feature = member
    return feature["type"] == "statistical" and (
        feature["aggregation"] == "last" or (feature["aggregation"] == "count" and "field" not in feature)
    )

"""What a plan computes from one source: its features sorted by filter, window and field."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from headrace.calls import FunctionCall
from headrace.calls import Selected as SelectedWindow
from headrace.fields import Column, lay_fields
from headrace.gather import Filter, Gathered, Reading, Selected, Selection, gather, read, select
from headrace.kernels import MomentPlan, Wanted, choice
from headrace.orders import ORDERS, OrderPlan, compute_orders
from headrace.plan import Plan, PlanFeature, PlanSource
from headrace.predicates import Dictionary, Truth, compile_predicate
from headrace.segments import Floats, Segments
from headrace.series import SeriesPlan, compute_series
from headrace.shards import Needs, Shards
from headrace.tiles import Fold, LongWindow, shift_of
from headrace.windows import EVERY, Span, filter_key

Key = tuple[Span, str]
"""What tells selections apart."""

ROWS = Column("rows")


@dataclass(slots=True)
class FilterPlan:
    """All that is computed from the rows that one filter takes; windows go by their index within it."""

    key: str
    spans: list[Span]
    offsets: NDArray[np.int64]
    counts: list[tuple[int, int]] = field(default_factory=list)
    """Counts of rows, as pairs of row of the result and window."""
    wanted: list[Wanted] = field(default_factory=list)
    peeks: list[tuple[int, int, int]] = field(default_factory=list)
    """Last values of windows that are not read whole: row of the result, row of words, window."""
    moments: MomentPlan | None = None
    orders: list[tuple[Column, OrderPlan, str | None]] = field(default_factory=list)
    """With the dictionary of a category."""
    series: list[tuple[Column, SeriesPlan]] = field(default_factory=list)

    @property
    def reads(self) -> bool:
        """Whether rows are needed at all, or what is known of them."""
        return bool(self.wanted or self.orders or self.series)


class SourcePlan:
    """What a plan computes from one source."""

    def __init__(
        self,
        plan: Plan,
        source: PlanSource,
        needs: Needs,
        dictionary: Dictionary,
        calls: Sequence[FunctionCall],
    ) -> None:
        """Sort the features that read the source.

        Parameters
        ----------
        plan
            The whole plan.
        source
            The source's part of it.
        needs
            Tells where the fields stand in a matrix of words.
        dictionary
            Gives the texts of categories.
        calls
            The calls of Python features that read the source.

        Raises
        ------
        ValueError
            Where a feature has a function or operator that this worker does not know.
        """
        self.name = source["name"]
        self._entity = plan["entity"]
        self._dictionary = dictionary
        self._columns = {item["name"]: needs.column(self.name, item["name"]) for item in source["fields"]}
        self._types = {item["name"]: item["type"] for item in source["fields"]}
        self._truths: dict[str, Truth] = {}
        self._members: dict[Key, list[tuple[int, PlanFeature]]] = {}
        for row, feature in enumerate(plan["features"]):
            if feature.get("source") == self.name and feature["type"] in ("statistical", "time_series"):
                self._members.setdefault(self._key(feature), []).append((row, feature))
        self._calls: dict[int, Key] = {}
        for call in calls:
            key = (Span.of(call.window), self._filter(call.where))
            self._calls[id(call)] = key
            self._members.setdefault(key, [])
        self._deep = set(self._calls.values())
        self._lay_out()

    def _filter(self, where: object) -> str:
        """Make a filter ready; return its key."""
        key = filter_key(where)
        if key and key not in self._truths:
            self._truths[key] = compile_predicate(where, self.name, self._columns, self._dictionary)
        return key

    def _key(self, feature: PlanFeature) -> Key:
        where = feature.get("where")
        if feature.get("aggregation") == "share_where":
            self._filter(where)  # it selects nothing out
            where = None
        return Span.of(feature["window"]), self._filter(where)

    def _lay_out(self) -> None:
        keys = sorted(self._members, key=lambda key: key[1])
        names = sorted({key for _, key in keys} | {EVERY})
        self.filters: list[FilterPlan] = []
        selections: list[Selection] = []
        filters: list[Filter] = []
        self._places: dict[Key, tuple[int, int]] = {}
        for which, name in enumerate(names):
            own = [key for key in keys if key[1] == name]
            spans = [span for span, _ in own]
            filter_plan = FilterPlan(name, spans, np.array([span.offset for span in spans], np.int64))
            first = len(selections)
            for window, key in enumerate(own):
                self._places[key] = (which, window)
                selections.append(self._sort(filter_plan, which, window, key))
            self._finish(filter_plan)
            indexes = list(range(first, len(selections)))
            filters.append(Filter(self._truths.get(name), indexes, choice(indexes)))
            self.filters.append(filter_plan)
        self._reading = Reading(self.name, self._entity, selections, filters)

    def _sort(self, plan: FilterPlan, which: int, window: int, key: Key) -> Selection:
        """Sort the features of one window; say how it is to be read."""
        members = self._members[key]
        span, name = key
        deep = key in self._deep
        shallow = span.plain and not name and not deep and all(map(_is_shallow, members))
        mergeable = newest = False
        for row, feature in members:
            function, field_name = _function(feature), feature.get("field")
            if function == "count" and field_name is None and not (name and span.plain):
                plan.counts.append((row, window))
                deep = deep or not span.plain
            elif shallow:
                newest = True
                plan.peeks.append((row, self._columns[str(field_name)], window))
                plan.wanted.append(self._wanted(row, feature, function, window))
            elif function in ORDERS or (feature["type"] == "time_series" and function != "linear_regression"):
                deep = True
            else:
                mergeable = True
                plan.wanted.append(self._wanted(row, feature, function, window))
        return Selection(span, which, deep, mergeable, newest)

    def _wanted(self, row: int, feature: PlanFeature, function: str, window: int) -> Wanted:
        name = feature.get("field")
        if function == "share_where":
            column = Column("true", 0, filter_key(feature["where"]))
        elif name is None:
            column = ROWS
        else:
            column = Column("missing" if function == "missing_share" else "field", self._columns[name])
        if function in ("missing_share", "share_where"):
            return row, "mean", column, window, 0.0
        if function == "linear_regression":
            per = feature.get("per")
            result = feature.get("result") or "slope"
            return row, f"{'row' if per is None else 'time'}_{result}", column, window, float(per or 0)
        return row, function, column, window, 0.0

    def _finish(self, plan: FilterPlan) -> None:
        """Make the plans of the kernels."""
        if plan.wanted:
            plan.moments = MomentPlan(plan.wanted)
        orders: dict[str, list[tuple[int, PlanFeature, int]]] = {}
        series: dict[str | None, list[tuple[int, PlanFeature, int]]] = {}
        for window, span in enumerate(plan.spans):
            for row, feature in self._members[span, plan.key]:
                function, name = _function(feature), feature.get("field")
                if function in ORDERS:
                    orders.setdefault(str(name), []).append((row, feature, window))
                elif feature["type"] == "time_series" and function != "linear_regression":
                    series.setdefault(name, []).append((row, feature, window))
        for name, members in orders.items():
            text = f"{self.name}.{name}" if self._types[name] == "category" else None
            plan.orders.append((Column("field", self._columns[name]), OrderPlan(members), text))
        for field_name, members in series.items():
            column = ROWS if field_name is None else Column("field", self._columns[field_name])
            plan.series.append((column, SeriesPlan(members)))

    def compute(
        self,
        shards: Shards,
        codes: NDArray[np.int32],
        moment: tuple[int, int],
        features: Floats,
        valid_until: NDArray[np.int64],
        event_time: NDArray[np.int64],
    ) -> list[Selected]:
        """Compute the features of the source but those of its calls.

        Parameters
        ----------
        shards
            The rows.
        codes
            The entities, shape ``(n,)``.
        moment
            ``as_of``, microseconds, and the greatest position that is known.
        features
            Where the values go, shape ``(features, n)``.
        valid_until, event_time
            Brought down and up to what the source says, shape ``(n,)``.

        Returns
        -------
        selected
            The rows that each filter takes.
        """
        as_of, fence = moment
        gathered = gather(self._reading, shards, codes, as_of, fence)
        selected = []
        for which, plan in enumerate(self.filters):
            rows = select(self._reading, which, gathered, as_of)
            selected.append(rows)
            for row, window in plan.counts:
                span, s = plan.spans[window], self._reading.filters[which].selections[window]
                features[row] = gathered.counts[s] if span.plain else rows.highs[window] - rows.lows[window]
            if plan.moments is not None:
                self._moments(which, plan.moments, shards, codes, moment, gathered, rows, features)
            if plan.peeks:
                self._look_further(plan, which, gathered, shards, codes, moment, features)
            for column, orders, name in plan.orders:
                texts = None if name is None else self._text_of(name)
                compute_orders(orders, self._segments(column, rows), features, texts)
            for column, series in plan.series:
                ends = as_of - plan.offsets
                compute_series(series, self._segments(column, rows), ends, features, valid_until)
        np.minimum(valid_until, gathered.valid_until, out=valid_until)
        np.maximum(event_time, gathered.event_time, out=event_time)
        return selected

    def window_of(self, call: FunctionCall, selected: Sequence[Selected]) -> SelectedWindow:
        """Return the rows of a call's window."""
        which, window = self._places[self._calls[id(call)]]
        rows = selected[which]
        return SelectedWindow(rows.words, rows.lows[window], rows.highs[window])

    def has(self, call: FunctionCall) -> bool:
        """Tell whether a call reads this source."""
        return id(call) in self._calls

    def _segments(self, column: Column, rows: Selected) -> Segments:
        line = lay_fields(rows.words, [column], self._truths)
        return line.segments(0, rows.lows, rows.highs)

    def _moments(
        self,
        which: int,
        plan: MomentPlan,
        shards: Shards,
        codes: NDArray[np.int32],
        moment: tuple[int, int],
        gathered: Gathered,
        rows: Selected,
        features: Floats,
    ) -> None:
        as_of, fence = moment
        own = self._reading.filters[which].selections
        table = plan.describe(lay_fields(rows.words, plan.columns, self._truths), rows.lows, rows.highs)
        for i, parts, tiled in gathered.long:
            windows = [window for window, s in enumerate(own) if s in tiled]
            if not windows:
                continue
            code = int(codes[i])
            fold = Fold(
                shards.rows(self.name, self._entity)[code % shards.shard_count],
                code // shards.shard_count,
                partial(read, parts),
                fence,
                self.filters[which].key,
                plan.columns,
                self._truths,
            )
            long: list[LongWindow] = []
            places: list[list[int]] = []
            for window in windows:
                span = self.filters[which].spans[window]
                at = [k for k, (_, of) in enumerate(plan.stretches) if of == window]
                places.append(at)
                columns = [plan.stretches[k][0] for k in at]
                shift = shift_of(span.stop - span.start)
                long.append(LongWindow(as_of + span.start, as_of + span.stop, shift, columns))
            for at, found in zip(places, fold.tables(long, plan.need), strict=True):
                table[:, at, i] = found
        plan.finish(table, features)

    def _look_further(
        self,
        plan: FilterPlan,
        which: int,
        gathered: Gathered,
        shards: Shards,
        codes: NDArray[np.int32],
        moment: tuple[int, int],
        features: Floats,
    ) -> None:
        """Find last values that were not in the rows that were gathered."""
        as_of, fence = moment
        for row, column, window in plan.peeks:
            s = self._reading.filters[which].selections[window]
            read_rows = gathered.highs[s] - gathered.lows[s]
            missed = np.isnan(features[row]) & (gathered.counts[s] > read_rows)
            span = plan.spans[window]
            for i in np.flatnonzero(missed).tolist():
                code = int(codes[i])
                rows = shards.rows(self.name, self._entity)[code % shards.shard_count]
                parts = rows.parts(code // shards.shard_count, as_of + span.start, fence)
                words = read(parts, as_of + span.start, as_of + span.stop)
                values = words[column, :-1].view(np.float64)
                known = np.flatnonzero(values == values)
                if len(known):
                    features[row, i] = values[known[-1]]

    def _text_of(self, name: str) -> "_TextOf":
        return _TextOf(self._dictionary, name)


class _TextOf:
    """The texts of a dictionary's codes."""

    def __init__(self, dictionary: Dictionary, name: str) -> None:
        self._dictionary = dictionary
        self._name = name

    def __call__(self, code: int) -> str:
        return self._dictionary(self._name, code + 1)[code]


def _function(feature: PlanFeature) -> str:
    return feature["aggregation"] if feature["type"] == "statistical" else feature["function"]


def _is_shallow(member: tuple[int, PlanFeature]) -> bool:
    """Tell whether a feature can do without the rows of its window, or nearly always."""
    _, feature = member
    return feature["type"] == "statistical" and (
        feature["aggregation"] == "last" or (feature["aggregation"] == "count" and "field" not in feature)
    )

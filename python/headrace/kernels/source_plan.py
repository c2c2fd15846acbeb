"""What a plan computes from one source: its features sorted by filter, window and field."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from headrace.functions.calls import FunctionCall
from headrace.functions.calls import Selected as SelectedWindow
from headrace.kernels.fields import Column, FieldLine, lay_fields
from headrace.kernels.filter_plan import FilterPlan, SourceFields
from headrace.kernels.orders import Whole, compute_orders
from headrace.kernels.segments import Floats, Indexes
from headrace.kernels.series import compute_series
from headrace.kernels.sketch import Sketch
from headrace.kernels.sketch_tiles import Counted, SketchedWindow, fold_sketch
from headrace.kernels.statistics import MomentPlan, choice
from headrace.kernels.tiles import Fold, LongWindow
from headrace.memory.rows import TIME, Part
from headrace.memory.shards import Needs
from headrace.selection.gather import gather
from headrace.selection.gathered import Asked, Gathered
from headrace.selection.pieces import read
from headrace.selection.predicates import Dictionary, Truth, compile_predicate
from headrace.selection.reading import Filter, Reading, Selection
from headrace.selection.selecting import Selected, select
from headrace.selection.windows import EVERY, Span, filter_key
from headrace.wire.plan import Plan, PlanFeature, PlanSource

Key = tuple[Span, str]
"""What tells selections apart."""


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
        self._fields = SourceFields(
            self.name,
            {item["name"]: needs.column(self.name, item["name"]) for item in source["fields"]},
            {item["name"]: item["type"] for item in source["fields"]},
        )
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
            self._truths[key] = compile_predicate(where, self.name, self._fields.rows, self._dictionary)
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
            filter_plan = FilterPlan(name, spans, self._fields)
            first = len(selections)
            for window, key in enumerate(own):
                self._places[key] = (which, window)
                selections.append(filter_plan.sort(which, window, self._members[key], key in self._deep))
            filter_plan.finish([self._members[key] for key in own])
            indexes = list(range(first, len(selections)))
            cut = [(window, span) for window, span in enumerate(spans) if name or not span.plain]
            filters.append(Filter(self._truths.get(name), indexes, choice(indexes), cut))
            filter_plan.counts = [
                (row, window, indexes[window] if spans[window].plain else None)
                for row, window, _ in filter_plan.counts
            ]
            self.filters.append(filter_plan)
        columns = [TIME, *self._fields.rows.values()]
        self._reading = Reading(self.name, self._entity, columns, selections, filters)

    def compute(
        self, asked: Asked, features: Floats, valid_until: Indexes, event_time: Indexes
    ) -> list[Selected]:
        """Compute the features of the source but those of its calls.

        Parameters
        ----------
        asked
            For whom and when.
        features
            Where the values go, shape ``(features, n)``.
        valid_until, event_time
            Brought down and up to what the source says, shape ``(n,)``.

        Returns
        -------
        selected
            The rows that each filter takes.
        """
        gathered = gather(self._reading, asked)
        selected = []
        for which, plan in enumerate(self.filters):
            rows = select(self._reading, which, gathered, asked.as_of)
            selected.append(rows)
            for row, window, s in plan.counts:
                features[row] = rows.highs[window] - rows.lows[window] if s is None else gathered.counts[s]
            if not plan.columns:
                continue
            line = lay_fields(rows.words, plan.columns, self._truths)
            if plan.moments is not None:
                self._moments(which, plan.moments, line, rows, gathered, asked, features)
                self._look_further(which, gathered, asked, features)
            for column, orders, name in plan.orders:
                texts = None if name is None else _TextOf(self._dictionary, name)
                segments = line.segments(column, rows.lows, rows.highs)
                whole = self._whole(which, plan.columns[column], gathered, asked) if gathered.long else None
                compute_orders(orders, segments, features, texts, whole)
            for column, series in plan.series:
                segments = line.segments(column, rows.lows, rows.highs)
                compute_series(series, segments, asked.as_of - plan.offsets, features, valid_until)
        np.minimum(valid_until, gathered.valid_until, out=valid_until)
        np.maximum(event_time, gathered.event_time, out=event_time)
        return selected

    def window_of(self, call: FunctionCall, selected: Sequence[Selected]) -> SelectedWindow:
        """Return the rows of a call's window."""
        which, window = self._places[self._calls[id(call)]]
        rows = selected[which]
        return SelectedWindow(rows.words, rows.lows[window], rows.highs[window])

    def _moments(
        self,
        which: int,
        plan: MomentPlan,
        line: FieldLine,
        rows: Selected,
        gathered: Gathered,
        asked: Asked,
        features: Floats,
    ) -> None:
        """Compute what is made of mergeable statistics."""
        lows, highs = rows.lows, rows.highs
        folded = []
        if gathered.long:
            lows = lows.copy()  # windows that tiles serve are empty here
            for i, parts, tiled in gathered.long:
                own = self._reading.filters[which].selections
                windows = [window for window, s in enumerate(own) if s in tiled]
                for window in windows:
                    lows[window, i] = highs[window, i]
                windows = [window for window in windows if self._reading.selections[own[window]].mergeable]
                if windows:
                    folded.append((i, *self._fold(which, plan, windows, asked, i, parts)))
        if len(asked.codes) == 1:
            done = sum(len(stretches) for _, stretches, _ in folded) == len(plan.stretches)
            columns: list[list[float]] = [[]] * len(plan.stretches)
            if not done:
                columns = plan.describe_one(line, lows[:, 0].tolist(), highs[:, 0].tolist())
            for _, stretches, found in folded:
                for stretch, column in zip(stretches, found.T.tolist(), strict=True):
                    columns[stretch] = column
            plan.finish_one(columns, features)
            return
        table = plan.describe(line, lows, highs)
        for i, stretches, found in folded:
            table[:, stretches, i] = found
        plan.finish(table, features)

    def _fold(
        self, which: int, plan: MomentPlan, windows: list[int], asked: Asked, i: int, parts: list[Part]
    ) -> tuple[list[int], Floats]:
        """Put together the long windows of one entity; return which stretches, and their statistics."""
        rows, local = asked.rows(self.name, self._entity, i)
        filter_plan = self.filters[which]
        fold = Fold(
            rows, local, partial(read, parts), asked.fence, filter_plan.key, plan.columns, self._truths
        )
        long: list[LongWindow] = []
        stretches: list[int] = []
        for window in windows:
            span = filter_plan.spans[window]
            own = [k for k, (_, of) in enumerate(plan.stretches) if of == window]
            stretches += own
            columns = [plan.stretches[k][0] for k in own]
            start, stop = asked.as_of + span.start, asked.as_of + span.stop
            long.append(LongWindow(start, stop, columns))
        return stretches, fold.table(long, plan.need)

    def _whole(self, which: int, column: Column, gathered: Gathered, asked: Asked) -> Whole:
        """Return what gives the sketches of long windows."""
        long = {i: (parts, tiled) for i, parts, tiled in gathered.long}
        plan, own = self.filters[which], self._reading.filters[which]

        def sketch(window: int, i: int, accuracy: float) -> Sketch | None:
            if i not in long or own.selections[window] not in long[i][1]:
                return None
            rows, local = asked.rows(self.name, self._entity, i)
            span = plan.spans[window]
            counted = Counted(partial(read, long[i][0]), column.row, own.truth)
            window_of = SketchedWindow(asked.as_of, span.start, span.stop, (plan.key, column.row), accuracy)
            return fold_sketch(window_of, rows, local, counted, asked.fence)

        return sketch

    def _look_further(self, which: int, gathered: Gathered, asked: Asked, features: Floats) -> None:
        """Find last values that were not in the rows that were gathered."""
        for row, column, window in self.filters[which].peeks:
            if not np.isnan(features[row]).any():
                continue
            s = self._reading.filters[which].selections[window]
            more = gathered.counts[s] > gathered.highs[s] - gathered.lows[s]
            span = self.filters[which].spans[window]
            start, stop = asked.as_of + span.start, asked.as_of + span.stop
            for i in np.flatnonzero(np.isnan(features[row]) & more).tolist():
                rows, local = asked.rows(self.name, self._entity, i)
                words = read(rows.parts(local, start, asked.fence), start, stop)
                values = words[column, :-1].view(np.float64)
                known = np.flatnonzero(values == values)
                if len(known):
                    features[row, i] = values[known[-1]]


class _TextOf:
    """The texts of a dictionary's codes."""

    def __init__(self, dictionary: Dictionary, name: str) -> None:
        self._dictionary = dictionary
        self._name = name

    def __call__(self, code: int) -> str:
        return self._dictionary(self._name, code + 1)[code]

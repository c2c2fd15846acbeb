"""From a plan and the rows in memory to feature values."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.columns import NULL_I8
from headrace.expressions import Evaluate, compile_expression, rows_of
from headrace.kernels import FieldPlan, Segments, Stretches, compute_field
from headrace.plan import Plan, PlanFeature, PlanSource
from headrace.rows import FAR, FIELDS, TIME, Rows, Words
from headrace.shards import Needs, Shards


@dataclass(slots=True)
class Values:
    """The values of one plan for `n` entities at one moment.

    Null is NaN in `features` and ``NULL_I8`` in the times.
    """

    features: NDArray[np.float64]
    """Shape ``(features, n)``, in plan order; a category is its code."""
    valid_until: NDArray[np.int64]
    """When a row that is known now next enters or leaves a window, microseconds, shape ``(n,)``."""
    event_time: NDArray[np.int64]
    """Newest timestamp inside any window, microseconds, shape ``(n,)``."""


class CompiledSource:
    """What a plan computes from one source."""

    def __init__(self, plan: Plan, source: PlanSource, needs: Needs) -> None:
        """Sort the features that read the source by field and window.

        Parameters
        ----------
        plan
            The whole plan.
        source
            The source's part of it.
        needs
            Tells where the fields stand in the matrix of words.
        """
        self.name = source["name"]
        members = [
            (row, feature, min(int(feature["window"]["time"]), int(source["retention"])))
            for row, feature in enumerate(plan["features"])
            if feature["type"] != "expression" and feature["source"] == self.name
        ]
        lengths = sorted({length for _, _, length in members}, reverse=True)
        self.windows = np.array(lengths, np.int64)
        """Lengths of the windows, microseconds, the longest first."""
        # Counts of events and last values need no rows of long windows: a last value over all that is kept
        # must not make a week's statistics walk through a month.
        near = [length for _, feature, length in members if not _is_shallow(feature)]
        self.far = lengths.index(max(near)) if near else max(len(lengths) - 1, 0)
        """How many windows are so long that their rows are not gathered."""
        self.counts: list[tuple[int, int]] = []
        """Counts of events, as pairs of row of the result and window."""
        self.lasts: list[tuple[int, int, int]] = []
        """Last values, as triples of row of the result, column of words, and window."""
        fields: dict[str, list[tuple[int, PlanFeature, int]]] = {}
        for row, feature, length in members:
            window = lengths.index(length)
            name = feature.get("field")
            if name is None:
                self.counts.append((row, window))
                continue
            if feature.get("aggregation") == "last":
                self.lasts.append((row, needs.column(self.name, name), window))
            else:
                fields.setdefault(name, []).append((row, feature, window - self.far))
        self.fields = [FieldPlan(needs.column(self.name, name), own) for name, own in fields.items()]


def _is_shallow(feature: PlanFeature) -> bool:
    """Tell whether a feature can do without the rows of its window, or nearly always."""
    if feature["type"] != "statistical":
        return False
    return "field" not in feature or feature["aggregation"] == "last"


class CompiledPlan:
    """A plan made ready to compute."""

    def __init__(self, plan: Plan, needs: Needs) -> None:
        """Make a plan ready.

        Parameters
        ----------
        plan
            The plan.
        needs
            What the rows in memory hold; covers the plan.

        Raises
        ------
        ValueError
            Where the plan has a function or operator that this worker does not know.
        """
        self.entity = plan["entity"]
        outputs = [feature["output"] for feature in plan["features"]]
        self.size = len(outputs)
        """Number of features."""
        self.whole = [row for row, output in enumerate(outputs) if output in ("int64", "timestamp")]
        """Features whose values are whole numbers."""
        self.narrow = [row for row, output in enumerate(outputs) if output in ("bool", "string")]
        """Features whose values are not written in 8 bytes."""
        self.sources = [CompiledSource(plan, source, needs) for source in plan["sources"]]
        self.sources = [source for source in self.sources if len(source.windows)]
        index = {feature["name"]: row for row, feature in enumerate(plan["features"])}
        self.expressions: list[tuple[int, Evaluate]] = [
            (row, compile_expression(plan["features"][row]["expression"], rows_of(index)))
            for row in map(int, plan["order"])
            if plan["features"][row]["type"] == "expression"
        ]
        self.dictionaries: dict[int, str] = {
            row: f"{feature['source']}.{feature['field']}"
            for row, feature in enumerate(plan["features"])
            if feature["output"] == "string"
        }
        """Names of the dictionaries of the features whose value is a text, by row."""


def compute(
    plan: CompiledPlan, shards: Shards, codes: NDArray[np.int32], as_of: int, fence: int = FAR
) -> Values:
    """Compute all features of a plan for some entities at one moment.

    Parameters
    ----------
    plan
        What to compute.
    shards
        The rows. Entities of shards that are not owned, and code -1, come out as entities without events.
    codes
        The entities, shape ``(n,)``.
    as_of
        End of the windows, microseconds.
    fence
        Events with a greater position are not known.
    """
    n = len(codes)
    features = np.empty((plan.size, n))
    features.fill(np.nan)
    valid_until = np.empty(n, np.int64)
    valid_until.fill(FAR)
    event_time = np.empty(n, np.int64)
    event_time.fill(-FAR)
    with np.errstate(all="ignore"):
        if n:
            for source in plan.sources:
                segments, spans = gather(source, plan.entity, shards, codes, as_of, fence)
                for row, window in source.counts:
                    features[row] = spans.counts[window]
                for field in source.fields:
                    compute_field(field, segments, features)
                if source.lasts:
                    _lasts(source, plan.entity, shards, codes, (as_of, fence), segments, spans, features)
                _times(source, spans, valid_until, event_time)
            _tidy(features)
            for row, evaluate in plan.expressions:
                features[row] = evaluate(features)
            if plan.expressions:
                features += 0.0
    valid_until[valid_until == FAR] = NULL_I8
    event_time[event_time == -FAR] = NULL_I8
    return Values(features, valid_until, event_time)


_NO_ROWS: Final = Rows(0)


@dataclass(slots=True)
class Spans:
    """What there is in each window, and after: known without the rows themselves."""

    counts: NDArray[np.int64]
    """Number of events, shape ``(windows, n)``; the longest window first."""
    oldest: NDArray[np.int64]
    """Their least timestamp, of any value where there are none, shape ``(windows, n)``."""
    newest: NDArray[np.int64]
    """Greatest timestamp in the longest window, ``-FAR`` where there is none, shape ``(n,)``."""
    future: NDArray[np.int64]
    """Timestamp of the first known event after the windows, ``FAR`` where there is none, shape ``(n,)``."""


def gather(
    source: CompiledSource, entity: str, shards: Shards, codes: NDArray[np.int32], as_of: int, fence: int
) -> tuple[Segments, Spans]:
    """Put the rows of the longest near window side by side, entity after entity."""
    stores = shards.rows(source.name, entity)
    count = shards.shard_count
    far, n = source.far, len(codes)
    bounds = as_of - source.windows
    afters = bounds[: far + 1].tolist()
    near_bounds = bounds[far:]
    spans = Spans(
        np.empty((len(bounds), n), np.int64),
        np.empty((len(bounds), n), np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
    )
    lows = np.empty((len(near_bounds), n), np.int64)
    highs = np.empty(n, np.int64)
    nothing = np.zeros((FIELDS + len(shards.needs.sources[source.name].fields), 1), np.int64)
    pieces: list[Words] = []
    total = 0
    for i, code in enumerate(codes.tolist()):
        rows = stores.get(code % count) if code >= 0 else None
        if rows is None:
            rows, code = _NO_ROWS, 0
            words, low, high, spans.future[i] = nothing, 0, 0, FAR
        else:
            words, low, high, spans.future[i] = rows.window(code // count, afters[far], as_of, fence)
        # For one entity the column after its last row, whatever it is, does as the stop: nothing is copied.
        piece = words[:, low : high + 1] if n == 1 else words[:, low:high]
        size = high - low
        times = piece[TIME, :size]
        lows[:, i] = times.searchsorted(near_bounds, "right")
        spans.newest[i] = times[-1] if size else -FAR
        for window in range(far):
            counted = rows.span(code // count, afters[window], as_of, fence)
            spans.counts[window, i], spans.oldest[window, i], newest = counted
            if window == 0:
                spans.newest[i] = newest
        if total:
            lows[:, i] += total
        total += size
        highs[i] = total
        pieces.append(piece)
    if n > 1:
        pieces = [np.concatenate([*pieces, nothing], axis=1)]
    segments = Segments(pieces[0], Stretches(lows, highs))
    np.subtract(highs, lows, out=spans.counts[far:])
    spans.oldest[far:] = segments.words[TIME][lows]
    return segments, spans


def _lasts(
    source: CompiledSource,
    entity: str,
    shards: Shards,
    codes: NDArray[np.int32],
    moment: tuple[int, int],
    segments: Segments,
    spans: Spans,
    features: NDArray[np.float64],
) -> None:
    """Fill in last values: nearly always that of the newest row."""
    as_of, fence = moment
    stretches = segments.stretches
    newest = segments.words[:, stretches.highs - 1].view(np.float64)
    gathered = stretches.lows[0] < stretches.highs
    for row, column, window in source.lasts:
        inside = spans.counts[window] > 0
        found = inside & gathered & (newest[column] == newest[column])
        features[row] = np.where(found, newest[column], np.nan)
        if np.count_nonzero(found) == np.count_nonzero(inside):
            continue
        after = as_of - int(source.windows[window])
        for i in np.flatnonzero(inside & ~found).tolist():
            code = int(codes[i])
            rows = shards.rows(source.name, entity)[code % shards.shard_count]
            features[row, i] = rows.last(code // shards.shard_count, column, after, as_of, fence)


def _times(
    source: CompiledSource, spans: Spans, valid_until: NDArray[np.int64], event_time: NDArray[np.int64]
) -> None:
    """Bring `valid_until` down to the source's next change, and `event_time` up to its newest event."""
    leaves = spans.oldest + source.windows[:, None]
    leaves[spans.counts == 0] = FAR
    np.minimum(valid_until, np.minimum.reduce(leaves), out=valid_until)
    np.minimum(valid_until, spans.future, out=valid_until)
    np.maximum(event_time, spans.newest, out=event_time)


def _tidy(features: NDArray[np.float64]) -> None:
    """Make what is not finite null, and -0.0, which a sort may put on either side of 0.0, plain zero."""
    features[~np.isfinite(features)] = np.nan
    features += 0.0

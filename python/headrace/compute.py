"""From a plan and the rows in memory to feature values."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.columns import NULL_I8
from headrace.expressions import Evaluate, compile_expression
from headrace.kernels import FieldPlan, Segments, compute_field
from headrace.plan import OutputType, Plan, PlanFeature, PlanSource
from headrace.rows import FAR, FIELDS, TIME, Words
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
        features = [
            (row, feature, min(int(feature["window"]), int(source["retention"])))
            for row, feature in enumerate(plan["features"])
            if feature["type"] != "expression" and feature["source"] == self.name
        ]
        lengths = sorted({length for _, _, length in features}, reverse=True)
        self.windows = np.array(lengths, np.int64)
        """Lengths of the windows, microseconds, the longest first."""
        fields: dict[str | None, list[tuple[int, PlanFeature, int]]] = {}
        for row, feature, length in features:
            fields.setdefault(feature.get("field"), []).append((row, feature, lengths.index(length)))
        self.fields = [
            FieldPlan(None if name is None else needs.column(self.name, name), members)
            for name, members in fields.items()
        ]


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
        self.outputs: list[OutputType] = [feature["output"] for feature in plan["features"]]
        self.sources = [CompiledSource(plan, source, needs) for source in plan["sources"]]
        self.sources = [source for source in self.sources if source.fields]
        index = {feature["name"]: row for row, feature in enumerate(plan["features"])}
        self.expressions: list[tuple[int, Evaluate]] = [
            (row, compile_expression(plan["features"][row]["expression"], index))
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
    features = np.empty((len(plan.outputs), n))
    features.fill(np.nan)
    valid_until = np.empty(n, np.int64)
    valid_until.fill(FAR)
    event_time = np.empty(n, np.int64)
    event_time.fill(NULL_I8)
    with np.errstate(all="ignore"):
        if n:
            for source in plan.sources:
                segments, future = gather(source, plan.entity, shards, codes, as_of, fence)
                for field in source.fields:
                    compute_field(field, segments, features)
                _times(source, segments, future, valid_until, event_time)
            _tidy(features)
            for row, evaluate in plan.expressions:
                features[row] = evaluate(features)
            if plan.expressions:
                features += 0.0
    valid_until[valid_until == FAR] = NULL_I8
    return Values(features, valid_until, event_time)


_NONE: Final = (0, 0, FAR)


def gather(
    source: CompiledSource, entity: str, shards: Shards, codes: NDArray[np.int32], as_of: int, fence: int
) -> tuple[Segments, NDArray[np.int64]]:
    """Put the rows of the longest window side by side, entity after entity.

    Returns
    -------
    segments
        The rows.
    future
        Timestamp of each entity's first known event after `as_of`, ``FAR`` where there is none, shape
        ``(n,)``.
    """
    stores = shards.rows(source.name, entity)
    count = shards.shard_count
    bounds = as_of - source.windows
    after = int(bounds[0])
    nothing = np.zeros((FIELDS + len(shards.needs.sources[source.name].fields), 1), np.int64)
    pieces: list[Words] = []
    lows = np.empty((len(bounds), len(codes)), np.int64)
    highs = np.empty(len(codes), np.int64)
    future = np.empty(len(codes), np.int64)
    total = 0
    single = len(codes) == 1
    for i, code in enumerate(codes.tolist()):
        rows = stores.get(code % count) if code >= 0 else None
        if rows is None:
            words, (low, high, next_time) = nothing, _NONE
        else:
            words, low, high, next_time = rows.window(code // count, after, as_of, fence)
        # For one entity the column after its last row, whatever it is, does as the stop: nothing is copied.
        piece = words[:, low : high + 1] if single else words[:, low:high]
        size = high - low
        lows[:, i] = piece[TIME, :size].searchsorted(bounds, "right")
        lows[:, i] += total
        total += size
        highs[i] = total
        future[i] = next_time
        pieces.append(piece)
    if single:
        return Segments(pieces[0], lows, highs), future
    pieces.append(nothing)
    return Segments(np.concatenate(pieces, axis=1), lows, highs), future


def _times(
    source: CompiledSource,
    segments: Segments,
    future: NDArray[np.int64],
    valid_until: NDArray[np.int64],
    event_time: NDArray[np.int64],
) -> None:
    """Bring `valid_until` down to the source's next change, and `event_time` up to its newest event."""
    times, lows, highs = segments.words[TIME], segments.lows, segments.highs
    empty = lows == highs
    leaves = times[lows]
    leaves += source.windows[:, None]
    leaves[empty] = FAR
    np.minimum(valid_until, future, out=valid_until)
    np.minimum(valid_until, np.minimum.reduce(leaves), out=valid_until)
    newest = times[highs - 1]
    newest[empty[0]] = NULL_I8
    np.maximum(event_time, newest, out=event_time)


def _tidy(features: NDArray[np.float64]) -> None:
    """Make what is not finite null, and -0.0, which a sort may put on either side of 0.0, plain zero."""
    features[~np.isfinite(features)] = np.nan
    features += 0.0

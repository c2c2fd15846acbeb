"""Segments for the tests of kernels, and each of their stretches as pandas has it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from headrace.kernels.segments import Segments
from headrace.wire.plan import PlanFeature

SECOND = 1_000_000


@dataclass
class Stretched:
    """The values of some entities in windows that end at one moment, some of them empty."""

    segments: Segments
    end: int
    """All times lie in the ``span`` up to it."""
    span: int

    def frame(self, window: int, entity: int) -> pd.DataFrame:
        """One stretch, with its columns `value` and `time`."""
        bounds = slice(self.segments.lows[window, entity], self.segments.highs[window, entity])
        return pd.DataFrame({"value": self.segments.values[bounds], "time": self.segments.times[bounds]})

    def alone(self, entity: int) -> Segments:
        """Segments of one entity, lying elsewhere in memory."""
        own = self.segments
        low = int(own.lows[:, entity].min())
        high = int(own.highs[:, entity].max())
        return Segments(
            own.values[low : high + 1].copy(),
            own.times[low : high + 1].copy(),
            own.lows[:, entity : entity + 1] - low,
            own.highs[:, entity : entity + 1] - low,
        )


def random_stretches(rng: np.random.Generator, entities: int, rows: int) -> Stretched:
    """Floats with ties, at times of which a few are equal, for two windows: all rows, and some."""
    sizes = rng.integers(0, rows + 1, entities) * (rng.random(entities) < 0.9)
    highs = np.cumsum(sizes)
    lows = highs - sizes
    total = int(highs[-1])
    span = 1000 * SECOND
    end = int(rng.integers(-(10**15), 10**15))
    times = [np.sort(end - rng.integers(0, span, size)) for size in sizes.tolist()]
    values = rng.normal(size=total + 1) * 10.0 ** rng.integers(-2, 5)
    ties = rng.random(total + 1) < 0.5
    values[ties] = np.round(values[ties], 1)
    some = lows + (rng.random(entities) * (sizes + 1)).astype(np.int64)
    until = some + (rng.random(entities) * (highs - some + 1)).astype(np.int64)
    line = np.append(np.concatenate(times), 0)
    # A few neighbours have one time.
    same = np.flatnonzero(rng.random(total) < 0.05)
    same = same[~np.isin(same, lows)]
    line[same] = line[same - 1]
    segments = Segments(values, line, np.stack([lows, some]), np.stack([highs, until]))
    return Stretched(segments, end, span)


def asked(**keys: Any) -> PlanFeature:
    """A feature as the kernels see it."""
    feature: Any = {"name": "asked", "output": "float64", "source": "source", **keys}
    typed: PlanFeature = feature
    return typed


def close(value: float, wanted: float, scale: float = 0.0) -> bool:
    """Tell whether a value is the oracle's to 1e-9, relative to it or to the terms that it is made of."""
    if not np.isfinite(wanted):
        return not np.isfinite(value)
    return bool(abs(value - wanted) <= 1e-9 * max(abs(wanted), scale))

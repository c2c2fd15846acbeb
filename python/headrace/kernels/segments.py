"""What the kernels work on: the values of one field over the windows of many entities."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Indexes: TypeAlias = NDArray[np.int64]


@dataclass(slots=True)
class Segments:
    """The known values of one field of `n` entities, one entity after the other, and the windows in them.

    What is null, and what `where` leaves out, is gone. An entity's rows stand in (timestamp, position) order,
    and each of its windows is the stretch from a low to a high; stretches may overlap and may be empty (low =
    high).
    """

    values: Floats
    """Shape ``(rows + 1,)``; the last is a stop of any content, so that every high is an index."""
    times: Indexes
    """Timestamps of the values, microseconds, shape ``(rows + 1,)``."""
    lows: Indexes
    """Shape ``(windows, n)``."""
    highs: Indexes
    """Shape ``(windows, n)``."""

"""What is asked for, and the rows that were gathered for it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headrace.kernels.segments import Indexes
from headrace.memory.rows import FIELDS, Part, Rows, Words
from headrace.memory.shards import Shards
from headrace.selection.reading import Reading


@dataclass(slots=True)
class Asked:
    """Whose values are asked for, and of which moment."""

    shards: Shards
    """The rows. Entities of shards that are not owned, and code -1, are entities without events."""
    codes: NDArray[np.int32]
    """The entities, shape ``(n,)``."""
    as_of: int
    """Microseconds."""
    fence: int
    """Events with a greater position are not known."""

    def rows(self, source: str, entity: str, i: int) -> tuple[Rows, int]:
        """Return the rows of the shard of one of the entities, which is owned, and its local index."""
        count = self.shards.shard_count
        code = int(self.codes[i])
        return self.shards.rows(source, entity)[code % count], code // count


@dataclass(slots=True)
class Gathered:
    """The rows of `n` entities, and what is known of their windows."""

    words: Words
    """Rows side by side, entity after entity, shape ``(columns, rows + 1)``; the last column is a stop. Only
    what the reading names is sure to be there."""
    lows: Indexes
    """Where each window begins among them, shape ``(selections, n)``; of no meaning where it was left to
    tiles."""
    highs: Indexes
    """Where it ends."""
    counts: Indexes
    """How many rows each window has before filters and the rest, shape ``(selections, n)``."""
    long: list[tuple[int, list[Part], list[int]]]
    """Entities that have windows which are put together from tiles: index, parts, selections."""
    valid_until: Indexes
    """The next moment at which a row enters or leaves a window without a filter, shape ``(n,)``."""
    event_time: Indexes
    """Greatest timestamp in these, ``-FAR`` where there is none, shape ``(n,)``."""


def side_by_side(reading: Reading, shards: Shards, pieces: list[Words], total: int) -> Words:
    """Put rows together with a stop; columns that are not read are left as they happen to be."""
    words = np.empty((FIELDS + len(shards.needs.sources[reading.source].fields), total + 1), np.int64)
    words[:, total] = 0
    if pieces:
        for column in reading.columns:
            np.concatenate([piece[column] for piece in pieces], out=words[column, :total])
    return words

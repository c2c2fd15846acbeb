"""All rows that a worker holds, by shard.

The shard of an entity code is ``code % shard_count``, its index within the shard ``code // shard_count``.
Which sources, entity kinds and fields are kept follows from the plans (:class:`Needs`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.memory.rows import FIELDS, POSITION, TIME, Rows, Words
from headrace.wire.frames import SchemaSpec
from headrace.wire.plan import Plan

PIECES_MAX: Final = 256
"""Pending pieces of a shard past which they are merged, asked about or not."""

FEW: Final = 48
"""Up to so many events are cheaper one by one than split by shard all at once."""


@dataclass(slots=True)
class SourceNeeds:
    """What plans read of one source."""

    entities: set[str] = field(default_factory=set)
    fields: list[str] = field(default_factory=list)


class Needs:
    """Which sources, entity kinds and fields are to be kept."""

    def __init__(self, plans: Iterable[Plan] = ()) -> None:
        """Collect what the plans that are served read."""
        self.sources: dict[str, SourceNeeds] = {}
        for plan in plans:
            for source in plan["sources"]:
                needs = self.sources.setdefault(source["name"], SourceNeeds())
                needs.entities.add(plan["entity"])
                known = set(needs.fields)
                needs.fields += [item["name"] for item in source["fields"] if item["name"] not in known]

    def cover(self, other: "Needs") -> bool:
        """Tell whether rows kept for these needs serve the other's too."""
        for name, needs in other.sources.items():
            own = self.sources.get(name)
            if own is None or not needs.entities <= own.entities or not set(needs.fields) <= set(own.fields):
                return False
        return True

    def column(self, source: str, name: str) -> int:
        """Return the row of a field in a matrix of words."""
        return FIELDS + self.sources[source].fields.index(name)


class Shards:
    """The shards that a worker owns, with their leases and rows."""

    def __init__(self, needs: Needs, shard_count: int = 1) -> None:
        """Own nothing yet.

        Parameters
        ----------
        needs
            What is kept.
        shard_count
            Number of virtual shards.
        """
        self.needs = needs
        self.shard_count = shard_count
        self.leases: dict[int, int] = {}
        self._leases = np.zeros(shard_count, np.uint32)
        self._rows: dict[tuple[str, str], dict[int, Rows]] = {}
        for source, own in needs.sources.items():
            for entity in own.entities:
                self._rows[source, entity] = {}

    def own(self, leases: dict[int, int]) -> None:
        """Make these the owned shards (shard to lease): new ones are empty, ones not listed are dropped."""
        self.leases = dict(leases)
        self._leases = np.zeros(self.shard_count, np.uint32)
        self._leases[list(leases)] = list(leases.values())
        for (source, _), stores in self._rows.items():
            for shard in [shard for shard in stores if shard not in leases]:
                del stores[shard]
            for shard in leases:
                if shard not in stores:
                    stores[shard] = Rows(len(self.needs.sources[source].fields))

    def take(self, other: "Shards") -> None:
        """Take over the shards of another, which had the same needs and is not used after."""
        self.leases.update(other.leases)
        self._leases |= other._leases
        for key, stores in other._rows.items():
            self._rows[key].update(stores)

    def lease_of(self, codes: NDArray[np.int32]) -> NDArray[np.uint32]:
        """Return the lease of each entity's shard, 0 where it is not owned; code -1 goes by shard 0."""
        leases: NDArray[np.uint32] = self._leases[np.maximum(codes, 0) % self.shard_count]
        return leases

    def rows(self, source: str, entity: str) -> dict[int, Rows]:
        """Return the rows of one source and entity kind by owned shard."""
        return self._rows[source, entity]

    def all_rows(self) -> list[Rows]:
        """Return the rows of every shard, source and entity kind."""
        return [rows for stores in self._rows.values() for rows in stores.values()]

    def row_count(self) -> int:
        """Return the number of rows held, over all sources, entity kinds and shards."""
        return sum(map(len, self.all_rows()))

    def append(
        self,
        schema: SchemaSpec,
        columns: Sequence[NDArray[Any]],
        positions: NDArray[np.int64],
        keep: NDArray[np.bool_] | None,
    ) -> None:
        """Add the events of a batch, each to the shards of its entities that are owned.

        Parameters
        ----------
        schema
            Names the columns.
        columns
            Of `n` values each, in the order of the schema.
        positions
            Positions of the events, ascending, shape ``(n,)``.
        keep
            Which of the events to take, shape ``(n,)``; ``None`` for all.
        """
        needs = self.needs.sources.get(schema["source"])
        if needs is None or not self.leases:
            return
        by_name = {column["name"]: values for column, values in zip(schema["columns"], columns, strict=True)}
        words = _words(needs, schema, by_name, positions)
        for entity in needs.entities:
            codes = by_name.get(f"@{entity}")
            if codes is None:
                continue
            stores = self._rows[schema["source"], entity]
            if len(codes) <= FEW:
                self._append_each(stores, codes, words, keep)
            else:
                self._append_all(stores, codes, words, keep)

    def _append_each(
        self, stores: dict[int, Rows], codes: NDArray[Any], words: Words, keep: NDArray[np.bool_] | None
    ) -> None:
        count = self.shard_count
        kept = keep.tolist() if keep is not None else None
        for i, code in enumerate(codes.tolist()):
            if code < 0 or (kept is not None and not kept[i]):
                continue
            rows = stores.get(code % count)
            if rows is not None:
                rows.append(code // count, words[:, i])

    def _append_all(
        self, stores: dict[int, Rows], codes: NDArray[Any], words: Words, keep: NDArray[np.bool_] | None
    ) -> None:
        shards = codes % self.shard_count
        mask = (self._leases[shards] > 0) & (codes >= 0)
        if keep is not None:
            mask &= keep
        chosen = np.flatnonzero(mask)
        shards = shards[chosen].astype(np.uint16)
        chosen = chosen[np.argsort(shards, kind="stable")]
        locals_ = codes[chosen].astype(np.int64) // self.shard_count
        pieces = words.take(chosen, axis=1)
        low = 0
        busiest: Rows | None = None
        for shard, size in enumerate(np.bincount(shards).tolist()):
            if size:
                rows = stores[shard]
                rows.extend(locals_[low : low + size], pieces[:, low : low + size])
                low += size
                if busiest is None or rows.pieces > busiest.pieces:
                    busiest = rows
        # One shard a batch: all of them at once would be a long pause.
        if busiest is not None and busiest.pieces > PIECES_MAX:
            busiest.settle()


def _words(
    needs: SourceNeeds, schema: SchemaSpec, by_name: dict[str, NDArray[Any]], positions: NDArray[np.int64]
) -> Words:
    """Make the matrix of words of a batch; a field that the schema lacks is null."""
    words = np.empty((FIELDS + len(needs.fields), len(positions)), np.int64)
    words[TIME] = by_name["@timestamp"]
    words[POSITION] = positions
    fields = words.view(np.float64)
    dtypes = {column["name"]: column["dtype"] for column in schema["columns"]}
    for row, name in enumerate(needs.fields, FIELDS):
        values = by_name.get(name)
        if values is None:
            fields[row] = np.nan
        else:
            fields[row] = values
            if dtypes[name] == "i4":
                fields[row][values < 0] = np.nan
    return words

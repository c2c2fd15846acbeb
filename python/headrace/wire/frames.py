"""Frames between the engine and its workers: the twin of ``src/wire/frames.ts``, which describes the layout.

A frame is one ZeroMQ message part: eight fixed bytes (type, wire version, two zeros, header length as
uint32), the header as a MessagePack map, zeros up to a multiple of 8, and the body: blocks of columns
(:mod:`headrace.wire.columns`). Whole numbers of a header may come as floats; whoever reads one calls
:class:`int` on it."""

import struct
from typing import Any, Final, Literal, NamedTuple, NotRequired, TypedDict

import msgpack

from headrace.wire.columns import pad8
from headrace.wire.plan import Plan

WIRE_VERSION: Final = 1

HELLO: Final = 1
RELOAD: Final = 2
ASSIGN: Final = 3
READY: Final = 4
APPLY: Final = 5
COMPUTE: Final = 6
VALUES: Final = 7
BEAT: Final = 8
ERROR: Final = 9
DRAIN: Final = 10

_FIXED: Final = struct.Struct("<BBHI")


class HelloHeader(TypedDict):
    """Worker to engine, first of all."""

    pid: int
    python: str
    numpy: str


class SchemaColumn(TypedDict):
    """One column of a batch; `dictionary` names the table of an ``i4`` column's codes."""

    name: str
    dtype: str
    dictionary: NotRequired[str]


class SchemaSpec(TypedDict):
    """The columns of a source's batches, in order."""

    source: str
    columns: list[SchemaColumn]


class ReloadHeader(TypedDict):
    """The registry as the worker needs it: plans by definition hash, schemas by id."""

    plans: dict[str, Plan]
    schemas: dict[str, SchemaSpec]
    folder: str


class AssignHeader(TypedDict):
    """The whole set of shards that the worker owns from now on, as pairs of shard and lease."""

    log: str
    position: int
    shard_count: int
    shards: list[tuple[int, int]]


class ReadyHeader(TypedDict):
    """All assigned shards are loaded up to `position`."""

    position: int
    rows: int
    load_ms: float


class BatchHeader(TypedDict):
    """A batch of `n` events: its schema, the position of its last event, the indexes of late ones."""

    schema: int
    position: int
    n: int
    late: NotRequired[list[int]]


class GroupHeader(TypedDict):
    """A plan to compute for `n` entities at one moment; position ``None``: all that is applied by then."""

    hash: str
    as_of: int
    position: int | None
    n: int
    request: NotRequired[int]


DictionaryDelta = TypedDict("DictionaryDelta", {"name": str, "from": int, "values": list[str]})
"""New entries of a dictionary; ``from`` is the code of the first."""


class WorkHeader(TypedDict):
    """An apply, or a compute where there are no batches."""

    id: int
    previous: int
    position: int
    batches: NotRequired[list[BatchHeader]]
    dictionaries: NotRequired[list[DictionaryDelta]]
    groups: list[GroupHeader]


class GroupError(TypedDict):
    """Why a group has no values."""

    code: str
    message: str


class FeatureFailure(TypedDict):
    """A Python feature that failed, and is null, in some rows; `feature` is its index in the plan."""

    feature: int
    rows: int
    reason: Literal["raised", "timed_out", "wrong_output"]
    message: str


class GroupAnswer(TypedDict):
    """One group of a values frame; without `error` a block of columns stands in the body."""

    hash: str
    as_of: int
    position: int
    n: int
    error: NotRequired[GroupError]
    failures: NotRequired[list[FeatureFailure]]


class ValuesHeader(TypedDict):
    """The answer to one apply or compute."""

    id: int
    position: int
    took_us: int
    groups: list[GroupAnswer]


class BeatHeader(TypedDict):
    """Progress of a load: events read and to read."""

    loaded: int
    total: int


class ErrorHeader(TypedDict):
    """An apply or compute that failed as a whole; id 0 where the frame could not be read."""

    id: int
    code: str
    message: str


class Frame(NamedTuple):
    """A decoded frame; `body` is where the body begins in `data`, in bytes."""

    type: int
    header: Any
    data: bytes
    body: int


def encode_frame(type_: int, header: Any, body: bytes = b"") -> bytes:
    """Write a frame; `body` is a multiple of 8 long, as blocks of columns are."""
    packed: bytes = msgpack.packb(header)
    fixed = _FIXED.pack(type_, WIRE_VERSION, 0, len(packed))
    return b"".join((fixed, packed, bytes(-len(packed) % 8), body))


def decode_frame(data: bytes) -> Frame:
    """Read a frame.

    Raises
    ------
    ValueError
        Where the bytes are not a frame of this wire version.
    """
    if len(data) < _FIXED.size:
        raise ValueError(f"a frame has at least {_FIXED.size} bytes, this one has {len(data)}")
    type_, version, _, length = _FIXED.unpack_from(data)
    if version != WIRE_VERSION:
        raise ValueError(f"the frame has wire version {version}, this worker speaks {WIRE_VERSION}")
    end = _FIXED.size + length
    if end > len(data):
        raise ValueError(f"the header ends at byte {end}, but the frame has only {len(data)}")
    try:
        header = msgpack.unpackb(memoryview(data)[_FIXED.size : end])
    except Exception as error:
        raise ValueError(f"the header is not MessagePack: {error!r}") from error
    if not isinstance(header, dict):
        raise ValueError(f"the header is no map but {type(header).__name__}")
    return Frame(type_, header, data, pad8(end))

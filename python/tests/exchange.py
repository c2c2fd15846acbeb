"""The engine's side of the wire, for tests of the worker."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from headrace.wire import frames
from headrace.wire.columns import decode_columns, encode_columns
from headrace.wire.frames import decode_frame, encode_frame
from headrace.wire.plan import Plan
from material import SCHEMA, Events

DTYPES = {"float64": "f8", "int64": "i8", "timestamp": "i8", "bool": "u1", "string": "str"}


def reload_frame(plans: dict[str, Plan], schemas: Sequence[str] = ("1",), folder: str = "/nowhere") -> bytes:
    header = {"plans": plans, "schemas": dict.fromkeys(schemas, SCHEMA), "folder": folder}
    return encode_frame(frames.RELOAD, header)


def assign_frame(log: Path, position: int, shards: dict[int, int], shard_count: int = 4) -> bytes:
    header = {
        "log": str(log),
        "position": position,
        "shard_count": shard_count,
        "shards": [list(pair) for pair in shards.items()],
    }
    return encode_frame(frames.ASSIGN, header)


def group(
    hash_: str, codes: Sequence[int], as_of: int, position: int | None = None
) -> tuple[dict[str, Any], list[int]]:
    return {"hash": hash_, "as_of": float(as_of), "position": position, "n": len(codes)}, list(codes)


def work_frame(
    previous: int,
    position: int,
    groups: Sequence[tuple[dict[str, Any], list[int]]] = (),
    batches: Sequence[Events] = (),
    dictionaries: Sequence[dict[str, Any]] = (),
    id_: int = 7,
) -> bytes:
    header: dict[str, Any] = {
        "id": id_,
        "previous": previous,
        "position": position,
        "groups": [header for header, _ in groups],
    }
    body = b"".join(batch.block for batch in batches)
    if batches:
        header["batches"] = [
            {"schema": 1, "position": int(batch.positions[-1]), "n": len(batch)}
            | ({"late": np.flatnonzero(batch.late).tolist()} if batch.late.any() else {})
            for batch in batches
        ]
    if dictionaries:
        header["dictionaries"] = list(dictionaries)
    body += b"".join(encode_columns([("i4", np.array(codes, np.int32))]) for _, codes in groups)
    return encode_frame(frames.APPLY if batches else frames.COMPUTE, header, body)


def read_values(data: bytes, plan: Plan) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the header of a values frame and, for each group without error, its columns by name."""
    frame = decode_frame(data)
    assert frame.type == frames.VALUES, frame.header
    offset = frame.body
    blocks = []
    names = ["code", "lease", "valid_until", "event_time"]
    dtypes: list[Any] = ["i4", "u4", "i8", "i8"]
    for feature in plan["features"]:
        names += [feature["name"], feature["name"] + "?"]
        dtypes += [DTYPES[feature["output"]], "u1"]
    for answered in frame.header["groups"]:
        if "error" in answered:
            continue
        columns, offset = decode_columns(data, dtypes, answered["n"], offset)
        values = [column if isinstance(column, list) else column.tolist() for column in columns]
        blocks.append(dict(zip(names, values, strict=True)))
    assert offset == len(data)
    return frame.header, blocks

"""Columns as bytes: the twin of ``src/wire/columns.ts``, which describes the layout.

A block is the columns one after the other, each starting at a multiple of 8 bytes from the block's start and
the whole block a multiple of 8 long, little-endian. Names, dtypes and the number of rows stand elsewhere (a
schema, a frame's header), so decoding needs them. Numbers are decoded without a copy where the machine is
little-endian."""

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Dtype: TypeAlias = Literal["f8", "i8", "i4", "u4", "u1", "str"]

Numbers: TypeAlias = NDArray[Any]
"""A column of numbers: one-dimensional."""

Texts: TypeAlias = Sequence[str | None]
"""A column of texts; ``None`` takes no bytes (a validity column beside it tells it from the empty text)."""

NULL_I8: Final = -(2**63)
"""The null of an ``i8`` column."""

NUMBERS: Final[dict[str, np.dtype[Any]]] = {
    name: np.dtype("<" + name) for name in ("f8", "i8", "i4", "u4", "u1")
}


def pad8(size: int) -> int:
    """Return the least multiple of 8 that holds `size` bytes."""
    return (size + 7) & ~7


def encode_columns(columns: Iterable[tuple[Dtype, Numbers | Texts]]) -> bytes:
    """Write a block.

    Parameters
    ----------
    columns
        Pairs of dtype and values; numbers are cast to the dtype.
    """
    parts: list[bytes] = []
    for dtype, values in columns:
        if dtype == "str":
            parts += _encode_texts(values)
            continue
        data = np.asarray(values, NUMBERS[dtype]).tobytes()
        parts.append(data)
        if len(data) % 8:
            parts.append(bytes(-len(data) % 8))
    return b"".join(parts)


def decode_columns(
    buffer: bytes | bytearray | memoryview, dtypes: Iterable[Dtype], n: int, offset: int = 0
) -> tuple[list[Any], int]:
    """Read a block of `n` rows.

    Parameters
    ----------
    buffer
        The bytes; the arrays returned look into them.
    dtypes
        The block's columns.
    n
        Number of rows.
    offset
        Where the block begins, in bytes.

    Returns
    -------
    columns
        A NumPy array a column; a list of texts for ``str``.
    end
        Where the block ends, in bytes.

    Raises
    ------
    ValueError
        Where the buffer is too short for the block.
    """
    columns: list[Any] = []
    for dtype in dtypes:
        if dtype == "str":
            texts, offset = _decode_texts(buffer, n, offset)
            columns.append(texts)
            continue
        kind = NUMBERS[dtype]
        columns.append(np.frombuffer(buffer, kind, n, offset) if n else np.empty(0, kind))
        offset += pad8(kind.itemsize * n)
    if offset > len(buffer):
        raise ValueError(f"the block ends at byte {offset}, but there are only {len(buffer)}")
    return columns, offset


def _encode_texts(texts: Iterable[Any]) -> list[bytes]:
    data = [b"" if text is None else str(text).encode() for text in texts]
    offsets = accumulate(map(len, data), initial=0)
    head = struct.pack(f"<{len(data) + 1}i", *offsets)
    body = b"".join(data)
    return [head, bytes(-len(head) % 8), body, bytes(-len(body) % 8)]


def _decode_texts(buffer: bytes | bytearray | memoryview, n: int, offset: int) -> tuple[list[str], int]:
    bounds = np.frombuffer(buffer, NUMBERS["i4"], n + 1, offset).tolist()
    start = offset + pad8(4 * (n + 1))
    end = start + pad8(bounds[-1])
    if end > len(buffer):
        raise ValueError(f"the texts end at byte {end}, but there are only {len(buffer)}")
    data = bytes(memoryview(buffer)[start : start + bounds[-1]])
    return [data[a:b].decode() for a, b in pairwise(bounds)], end

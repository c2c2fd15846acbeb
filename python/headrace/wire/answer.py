"""The body of a values frame: one block of columns a group (``ValuesHeader`` in ``src/wire/frames.ts``)."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from headrace.compute import CompiledPlan, Values
from headrace.wire.columns import encode_columns, pad8


def encode_values(
    plan: CompiledPlan,
    codes: NDArray[np.int32],
    leases: NDArray[np.uint32],
    values: Values,
    texts: Mapping[int, Sequence[str | None]],
) -> bytes:
    """Write the block of one group.

    Parameters
    ----------
    plan
        Says what each feature's value is.
    codes, leases
        The entities and the leases of their shards, shape ``(n,)``.
    values
        What was computed.
    texts
        The values of the features whose output is a text, by row.
    """
    n = len(codes)
    head = encode_columns(
        (("i4", codes), ("u4", leases), ("i8", values.valid_until), ("i8", values.event_time))
    )
    numbers = values.features
    valid = np.isfinite(numbers)
    # Values of 8 bytes with the validity behind them: one line of bytes a feature, written for all at once.
    lines = np.zeros((len(numbers), 8 * n + pad8(n)), np.uint8)
    lines[:, : 8 * n] = numbers.view(np.uint8)
    lines[:, 8 * n : 9 * n] = valid
    if plan.whole:
        whole = np.where(valid[plan.whole], numbers[plan.whole], 0.0).astype(np.int64)
        lines[plan.whole, : 8 * n] = whole.view(np.uint8)
    parts = [head]
    start = 0
    for row in plan.narrow:
        parts.append(lines[start:row].tobytes())
        if row in texts:
            present = np.array([text is not None for text in texts[row]], np.bool_)
            parts.append(encode_columns((("str", texts[row]), ("u1", present))))
        else:
            truth = valid[row] & (numbers[row] != 0.0)
            parts.append(encode_columns((("u1", truth), ("u1", valid[row]))))
        start = row + 1
    parts.append(lines[start:].tobytes())
    return b"".join(parts)

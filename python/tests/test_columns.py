from typing import Any

import numpy as np
import pytest
from headrace.wire.columns import decode_columns, encode_columns
from material import read_vectors, vector_values


@pytest.mark.parametrize("block", read_vectors("columns.json")["blocks"], ids=lambda block: block["name"])
def test_golden_blocks(block: dict[str, Any]) -> None:
    columns = [(column["dtype"], vector_values(column)) for column in block["columns"]]
    data = bytes.fromhex(block["hex"])
    assert encode_columns(columns).hex() == block["hex"]
    decoded, end = decode_columns(data, [dtype for dtype, _ in columns], block["n"])
    assert end == len(data)
    for (dtype, values), got in zip(columns, decoded, strict=True):
        if dtype == "str":
            assert got == [value or "" for value in values]
        else:
            assert got.dtype == np.dtype("<" + dtype)
            assert got.tobytes() == values.tobytes()


def test_blocks_follow_one_another() -> None:
    first = encode_columns([("u1", np.array([1, 2, 3])), ("str", ["a", None])])
    second = encode_columns([("f8", np.array([0.5]))])
    _, middle = decode_columns(first + second, ["u1"], 3)
    texts, end = decode_columns(first + second, ["str"], 2, middle)
    assert texts == [["a", ""]]
    assert end == len(first)
    (numbers,), _ = decode_columns(first + second, ["f8"], 1, end)
    assert numbers.tolist() == [0.5]


def test_numbers_are_not_copied() -> None:
    data = encode_columns([("f8", np.arange(4.0))])
    (numbers,), _ = decode_columns(data, ["f8"], 4)
    assert not numbers.flags.owndata
    assert not numbers.flags.writeable


@pytest.mark.parametrize("dtype", ["f8", "u1", "str"])
def test_short_buffers_are_refused(dtype: Any) -> None:
    values: Any = ["abc", "defgh", "ijklmnopq"] if dtype == "str" else np.ones(3)
    data = encode_columns([(dtype, values)])
    with pytest.raises(ValueError, match=r"buffer|ends? at"):
        decode_columns(data[:-4], [dtype], 3)

from typing import Any

import pytest
from headrace.wire import frames
from headrace.wire.columns import decode_columns, encode_columns, pad8
from headrace.wire.frames import decode_frame, encode_frame
from material import read_vectors, vector_values


@pytest.mark.parametrize("vector", read_vectors("frames.json")["frames"], ids=lambda vector: vector["name"])
def test_golden_frames(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    frame = decode_frame(data)
    assert frame.type == getattr(frames, vector["type"].upper())
    assert frame.header == vector["header"]
    offset = frame.body
    body = b""
    for block in vector["body"]:
        columns = [(column["dtype"], vector_values(column)) for column in block["columns"]]
        decoded, offset = decode_columns(data, [dtype for dtype, _ in columns], block["n"], offset)
        body += encode_columns(columns)
        for (dtype, values), got in zip(columns, decoded, strict=True):
            if dtype == "str":
                assert got == [value or "" for value in values]
            else:
                assert got.tobytes() == values.tobytes()
    assert offset == len(data)
    # The header's bytes are the writer's choice; all else is the same.
    written = encode_frame(frame.type, frame.header, body)
    again = decode_frame(written)
    assert again.header == vector["header"]
    assert written[:4] == data[:4]
    assert written[again.body :] == data[frame.body :] == body
    assert again.body == pad8(8 + int.from_bytes(written[4:8], "little"))
    if vector["from"] == "worker":
        assert written == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "at least 8 bytes"),
        (b"\x06\x01\x00", "at least 8 bytes"),
        (b"\x06\x02\x00\x00\x01\x00\x00\x00\x80", "wire version 2"),
        (b"\x06\x01\x00\x00\x09\x00\x00\x00\x80", "ends at byte 17"),
        (b"\x06\x01\x00\x00\x01\x00\x00\x00\x90", "no map but list"),
        (b"\x06\x01\x00\x00\x01\x00\x00\x00\xc1", "not MessagePack"),
    ],
)
def test_bad_frames_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_frame(data)

import numpy as np
import pytest
from headrace.memory.rows import FAR, POSITION, TAIL_MAX, TIME, Rows
from headrace.memory.shards import FEW, PIECES_MAX, Needs, Shards, SourceNeeds
from headrace.selection.pieces import read
from headrace.wire.frames import SchemaSpec
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray


def words(times: list[int], first: int) -> NDArray[np.int64]:
    """One field, which repeats the position."""
    positions = np.arange(first, first + len(times))
    matrix = np.array([times, positions, positions], np.int64).reshape(3, len(times))
    matrix.view(np.float64)[2] = positions
    return matrix


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_windows_hold_what_was_added(data: st.DataObject) -> None:
    rows = Rows(1)
    known: list[tuple[int, int, int]] = []
    for _ in range(data.draw(st.integers(0, 12))):
        size = data.draw(st.integers(1, 60))
        locals_ = data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
        times = data.draw(st.lists(st.integers(0, 30), min_size=size, max_size=size))
        first = len(known) + 1
        matrix = words(times, first)
        known += zip(locals_, times, range(first, first + size), strict=True)
        if data.draw(st.booleans()):
            rows.extend(np.array(locals_), matrix)
        else:
            for i, local in enumerate(locals_):
                rows.append(local, matrix[:, i])
        if data.draw(st.booleans()):
            rows.settle()
    assert len(rows) == len(known)
    local = data.draw(st.integers(0, 6))
    after, until = sorted(data.draw(st.tuples(st.integers(-1, 31), st.integers(-1, 31))))
    fence = data.draw(st.one_of(st.just(FAR), st.integers(0, len(known))))
    parts = rows.parts(local, after, fence)
    wanted = sorted((time, position) for who, time, position in known if who == local and position <= fence)
    inside = [pair for pair in wanted if after <= pair[0] < until]
    if not parts:
        assert not inside
        return
    matrix = read(parts, after, until)
    assert list(zip(matrix[TIME, :-1].tolist(), matrix[POSITION, :-1].tolist(), strict=True)) == inside
    assert matrix.view(np.float64)[2, :-1].tolist() == [position for _, position in inside]
    later = sorted(time for _, times, low, high in parts for time in times[low:high] if time >= after)
    assert later == [time for time, _ in wanted if time >= after]


@pytest.mark.parametrize("ascending", [True, False])
def test_a_long_tail_is_merged(ascending: bool) -> None:
    rows = Rows(1)
    n = 3 * TAIL_MAX
    times = list(range(n)) if ascending else list(range(n, 0, -1))
    matrix = words(times, 1)
    for i in range(n):
        rows.append(i % 3, matrix[:, i])
    found = read(rows.parts(1, 0, FAR), 0, n + 1)
    assert found[TIME, :-1].tolist() == sorted(times[1::3])


def test_large_pieces_are_merged_by_themselves() -> None:
    rows = Rows(1)
    for i in range(5):
        rows.extend(np.zeros(20_000, np.int64), words(list(range(20_000)), 1 + i * 20_000))
    found = read(rows.parts(0, 0, FAR), 0, 11)
    assert found[TIME, :-1].tolist() == [time for time in range(11) for _ in range(5)]
    assert found[POSITION, :-1].tolist() == [1 + time + 20_000 * i for time in range(11) for i in range(5)]


def test_many_entities() -> None:
    rows = Rows(1)
    n = 70_000  # more than 16 bits of local indexes
    rows.extend(np.arange(n)[::-1].copy(), words([5] * n, 1))
    rows.extend(np.array([n - 1, 0]), words([4, 6], n + 1))
    found = read(rows.parts(n - 1, 1, FAR), 1, 10)
    assert found[POSITION, :-1].tolist() == [n + 1, 1]


def test_pieces_that_nobody_asks_about_are_merged_in_turn() -> None:
    schema: SchemaSpec = {
        "source": "s",
        "columns": [{"name": "@timestamp", "dtype": "i8"}, {"name": "@e", "dtype": "i4"}],
    }
    needs = Needs([])
    needs.sources["s"] = SourceNeeds({"e"})
    shards = Shards(needs, 2)
    shards.own({0: 1, 1: 1})
    n = 2 * (FEW + 1)
    batches = PIECES_MAX + 10
    for i in range(batches):
        columns = [np.full(n, i), np.arange(n, dtype=np.int32)]
        shards.append(schema, columns, np.arange(i * n, (i + 1) * n), None)
        assert all(rows.pieces <= PIECES_MAX + 2 for rows in shards.all_rows())
    assert shards.row_count() == n * batches

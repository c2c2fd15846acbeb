"""The contract of everything that makes a value of a window's rows, as one list of checks.

The kernels and the user's own functions go through the same list: each is a *subject*, and a check is a
function of a subject that finds a fault or none. The rows are made up, the same ones each time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np

from headrace.kernels.segments import Floats, Indexes
from headrace.memory.rows import FIELDS, POSITION, TIME, Words
from headrace.wire.plan import Field, FieldType, OutputType

AS_OF: Final = 1_704_067_200_000_000
"""The moment at which subjects are asked, microseconds."""

SPAN: Final = 3_600_000_000
"""All rows lie less than this before ``AS_OF``; a subject's window must hold them."""

TEXTS: Final = ("pear", "apple", "quince", "fig", "plum")
"""The texts of categories."""

Result: TypeAlias = tuple[float | str | None, ...]
"""The values of a subject's outputs for one entity; truth as 0 and 1, times as microseconds."""


class BrokenError(Exception):
    """A subject gave no values; the message says why."""


class Loaded(Protocol):
    """A subject that has got rows."""

    def values(self, entities: Sequence[int]) -> list[Result]:
        """Return the values of some of the entities, computed together.

        Raises
        ------
        BrokenError
            Where there are none.
        """

    def changed(self) -> bool:
        """Tell whether the rows are no longer as they were given."""


class Subject(Protocol):
    """What is checked."""

    name: str
    fields: Sequence[Field]
    """The columns of the rows."""
    outputs: Sequence[OutputType]

    def load(self, entities: "Sequence[Rows]") -> Loaded:
        """Give it the rows of some entities, whose numbers are their places."""


@dataclass(slots=True)
class Rows:
    """The rows of one entity in position order."""

    times: Indexes
    """Shape ``(n,)``."""
    columns: Floats
    """Shape ``(fields, n)``: NaN is null, a category is an index of ``TEXTS``."""

    def words(self) -> Words:
        """Return them as the workers hold them, sorted by time."""
        order = np.argsort(self.times, kind="stable")
        words = np.empty((FIELDS + len(self.columns), len(order)), np.int64)
        words[TIME] = self.times[order]
        words[POSITION] = 1 + order
        words[FIELDS:].view(np.float64)[:] = self.columns[:, order]
        return words


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check."""

    name: str
    passed: bool
    sentence: str
    """What was wrong and what to do; empty where nothing was."""


def check(subject: Subject) -> list[Finding]:
    """Run every check on a subject, in the order of ``CHECKS``, or the first where it fails on any rows."""
    findings = []
    for name, function in CHECKS.items():
        broken = False
        try:
            sentence = function(subject)
        except BrokenError as error:
            sentence, broken = f"it failed on rows like any others: {error}", True
        findings.append(Finding(name, sentence is None, sentence or ""))
        if broken and function is _output_type:
            break  # so would all the others, and tell of something else
    return findings


Check: TypeAlias = Callable[[Subject], str | None]
"""Returns what is wrong and what to do, or ``None``."""


def _empty_window(subject: Subject) -> str | None:
    return _stands(subject, [_some(subject, 0)], "no rows", "return None where the window is empty")


def _one_row(subject: Subject) -> str | None:
    return _stands(subject, [_some(subject, 1)], "one row", "return None where one row is too few")


def _ties(subject: Subject) -> str | None:
    rows = _some(subject, 12)
    rows.columns[:] = rows.columns[:, :1]
    return _stands(subject, [rows], "rows of equal values", "return None where values must differ")


def _nulls(subject: Subject) -> str | None:
    many, all_null = _some(subject, 40), _some(subject, 7)
    many.columns[np.random.default_rng(2).random(many.columns.shape) < 0.4] = np.nan
    all_null.columns[:] = np.nan
    advice = "leave nulls out (dropna), and return None where nothing is left"
    return _stands(subject, [many], "nulls among the values", advice) or _stands(
        subject, [all_null], "nothing but nulls", advice
    )


def _stands(subject: Subject, entities: "Sequence[Rows]", rows: str, advice: str) -> str | None:
    """Tell what is wrong where a subject fails on some rows."""
    try:
        subject.load(entities).values(range(len(entities)))
    except BrokenError as error:
        return f"given {rows}, it failed: {error}; {advice}"
    return None


def _equal_timestamps(subject: Subject) -> str | None:
    """Rows of one time count in position order: not in another one, to which their values would be nearer."""
    rows = _some(subject, 40)
    n = len(rows.times)
    rows.times[:] = AS_OF - n
    apart = AS_OF - n + np.arange(n)
    # What a sort that is not stable makes of equal keys, and what one that is turned round does.
    wrong = [np.argsort(rows.times), np.arange(n)[::-1]]
    orders = [Rows(apart, rows.columns[:, order]) for order in (np.arange(n), *wrong)]
    tied, right, *others = subject.load([rows, *orders]).values(range(4))
    if not _near(tied, right) and any(_near(tied, other) for other in others):
        return (
            "rows of one timestamp came out of order: the later position counts as the later row;"
            ' do not sort the rows again, or sort with kind="stable"'
        )
    return None


def _one_and_many(subject: Subject) -> str | None:
    entities = [_some(subject, n, seed) for seed, n in enumerate((40, 0, 1, 300, 2, 7, 40))]
    # Rows too few for it are the fault that another check finds.
    entities = [rows for rows in entities if len(rows.times) > 1 or not _stands(subject, [rows], "", "")]
    loaded = subject.load(entities)
    together = loaded.values(range(len(entities)))
    for entity, among in enumerate(together):
        (alone,) = loaded.values([entity])
        if alone != among:
            return (
                f"an entity of {len(entities[entity].times)} rows gave {_shown(alone)} by itself and"
                f" {_shown(among)} among others; each entity's value must depend on its own rows alone,"
                " to the last bit"
            )
    return None


def _no_mutation(subject: Subject) -> str | None:
    loaded = subject.load([_some(subject, 40), _some(subject, 7, 1)])
    loaded.values([0, 1])
    loaded.values([0])
    if loaded.changed():
        return "it changed the rows that it was given; work on a copy (window.copy(), window.assign(…))"
    return None


def _deterministic(subject: Subject) -> str | None:
    entities = [_some(subject, 40), _some(subject, 3, 1)]
    loaded = subject.load(entities)
    first = loaded.values([0, 1])
    for again in (loaded.values([0, 1]), subject.load(entities).values([0, 1])):
        if again != first:
            return (
                f"it gave {_shown(first[0])} and then {_shown(again[0])} for the same rows; let it depend on"
                " nothing but the rows and as_of: no clock, no random numbers, nothing kept between calls"
            )
    return None


def _output_type(subject: Subject) -> str | None:
    (result,) = subject.load([_some(subject, 40)]).values([0])
    if len(result) != len(subject.outputs):
        return f"it gave {len(result)} values where {len(subject.outputs)} are declared"
    for value, output in zip(result, subject.outputs, strict=True):
        if value is not None and not _is(value, output):
            return (
                f"it gave {value!r}, which is no {output}; return what is declared, or declare another type"
            )
    return None


CHECKS: Final[dict[str, Check]] = {
    "output_type": _output_type,
    "empty_window": _empty_window,
    "one_row": _one_row,
    "ties": _ties,
    "nulls": _nulls,
    "equal_timestamps": _equal_timestamps,
    "one_and_many": _one_and_many,
    "no_mutation": _no_mutation,
    "deterministic": _deterministic,
}
"""All checks by name."""


def _some(subject: Subject, n: int, seed: int = 0) -> Rows:
    """Make up rows like those of any source: no nulls, some ties, a few of one time."""
    rng = np.random.default_rng((seed, n))
    times = AS_OF - np.sort(rng.integers(0, SPAN // 1_000_000, n))[::-1] * 1_000_000
    columns = np.empty((len(subject.fields), n))
    for column, field in zip(columns, subject.fields, strict=True):
        column[:] = _values(rng, field["type"], n)
    return Rows(times, columns)


def _values(rng: np.random.Generator, type_: FieldType, n: int) -> Floats | Indexes:
    if type_ == "float":
        # Every second number is round, for ties.
        values = rng.lognormal(3.0, 1.0, n)
        return np.where(rng.random(n) < 0.5, np.round(values), values)
    if type_ == "timestamp":
        return AS_OF - rng.integers(0, 30 * 24 * SPAN, n)
    return rng.integers(0, {"int": 30, "bool": 2, "category": len(TEXTS)}[type_], n)


def _is(value: float | str, output: OutputType) -> bool:
    """Tell whether a value is of a type."""
    if isinstance(value, str) or output == "string":
        return isinstance(value, str) and output == "string"
    if output == "float64":
        return bool(np.isfinite(value))
    return value in (0.0, 1.0) if output == "bool" else float(value).is_integer()


def _near(one: Result, other: Result) -> bool:
    """Tell whether results are the same but for what a few microseconds may do to them."""
    return all(
        bool(np.isclose(a, b, rtol=1e-6, atol=1e-9))
        if isinstance(a, float) and isinstance(b, float)
        else a == b
        for a, b in zip(one, other, strict=True)
    )


def _shown(result: Result) -> str:
    """Return a result as a sentence shows it."""
    return ", ".join("null" if value is None else repr(value) for value in result)

"""Features written in Python: the decorator, the types of what they return, and what can go wrong in them.

Examples
--------
>>> import pandas as pd
>>> from headrace import feature
>>> @feature
... def late_share(window: pd.DataFrame, as_of: pd.Timestamp) -> float | None:
...     return (window["delay"] > 15).mean() if len(window) else None
>>> late_share.outputs
{None: 'float64'}
>>> window = pd.DataFrame({"delay": [3.0, 20.0, 0.0, 16.0]})
>>> float(late_share(window, pd.Timestamp("2024-01-02", tz="UTC")))
0.5
"""

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np

from headrace.wire.plan import OutputType

Outputs: TypeAlias = Mapping[str | None, OutputType]
"""Types by output, in order; the name of an only output is ``None``."""

WHOLE_MAX: Final = 2**53
"""Values travel as float64: beyond it not every whole number is one."""

TEXT_MAX: Final = 65_536
"""Most characters of a text: it is kept, sent and pushed whole."""

_OUTPUTS: Final[dict[Any, OutputType]] = {
    float: "float64",
    np.float64: "float64",
    int: "int64",
    np.int64: "int64",
    bool: "bool",
    np.bool_: "bool",
    str: "string",
    datetime: "timestamp",
}
_WORDS: Final[dict[OutputType, str]] = {
    "float64": "a float",
    "int64": "an int",
    "bool": "a bool",
    "string": "a str",
    "timestamp": "a datetime",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class FeatureError(Exception):
    """What is wrong with a feature's source, and where.

    Examples
    --------
    >>> error = FeatureError("it takes 1 argument", "delays.py", 3)
    >>> str(error), error.file, error.line
    ('delays.py:3: it takes 1 argument', 'delays.py', 3)
    """

    def __init__(self, message: str, file: str | None, line: int | None) -> None:
        """Say what is wrong.

        Parameters
        ----------
        message
            What was found, what was expected, what to do.
        file, line
            The place; ``None`` where there is none.
        """
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line

    def __str__(self) -> str:
        """Return place and sentence."""
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return f"{place}: {self.message}" if place else self.message


class WrongOutput(Exception):  # noqa: N818 (it is a value that is wrong, and always caught)
    """A function returned what its outputs do not allow."""


class Feature:
    """A function that computes a feature, with the types of its outputs; made by :func:`feature`.

    Calling it calls the function as it stands.
    """

    def __init__(
        self, function: Callable[..., Any], outputs: Outputs, batch: Callable[..., Any] | None
    ) -> None:
        """Hold a function that was checked."""
        self.function = function
        self.outputs = outputs
        self.batch_function = batch
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, window: Any, as_of: Any) -> Any:
        """Call the single form."""
        return self.function(window, as_of)

    def batch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Take a function as the batch form, which computes many entities at once.

        It gets the rows of all of them in one DataFrame, with a column `entity` in front (whole numbers; an
        entity's rows stand together, in the order of the single form), and `as_of`. It returns a value for
        each entity: a Series by `entity`, or a DataFrame with a column for each output. It must give what the
        single form gives.

        Examples
        --------
        >>> import pandas as pd
        >>> from headrace import feature
        >>> @feature(outputs=float)
        ... def late_share(window, as_of):
        ...     return (window["delay"] > 15).mean()
        >>> @late_share.batch
        ... def late_shares(windows, as_of):
        ...     return (windows["delay"] > 15).groupby(windows["entity"]).mean()
        >>> windows = pd.DataFrame({"entity": [0, 0, 1], "delay": [3.0, 20.0, 30.0]})
        >>> late_shares(windows, pd.Timestamp("2024-01-01", tz="UTC")).tolist()
        [0.5, 1.0]
        """
        _check_arity(function)
        self.batch_function = function
        return function


@typing.overload
def feature(function: Callable[..., Any], /) -> Feature: ...
@typing.overload
def feature(
    *, outputs: Any = None, batch: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Any]], Feature]: ...
def feature(
    function: Callable[..., Any] | None = None,
    /,
    *,
    outputs: Any = None,
    batch: Callable[..., Any] | None = None,
) -> Feature | Callable[[Callable[..., Any]], Feature]:
    """Mark a function as a feature; the registry names it ``module:function``.

    The function takes the rows of an entity's window as a DataFrame, with the columns `timestamp` and the
    fields of the feature, ordered by (timestamp, position), and `as_of`, the moment that the value is of. It
    returns a value, or a dict of values by output; ``None``, NaN and NaT are null. It must depend on nothing
    else: no clock, no random numbers, no file that changes.

    Parameters
    ----------
    function
        The function, where the decorator stands without brackets.
    outputs
        ``float``, ``int``, ``bool``, ``str`` or ``datetime``, or a dict of these by name. Where left out, the
        return annotation says it: one of these, one of these or ``None``, or a ``TypedDict`` of these.
    batch
        The batch form; see :meth:`Feature.batch`.

    Raises
    ------
    FeatureError
        Where the types are unknown or the function does not take two arguments.

    Examples
    --------
    >>> import pandas as pd
    >>> from headrace import feature
    >>> @feature(outputs={"worst": float, "carrier": str})
    ... def worst(window, as_of):
    ...     if window.empty:
    ...         return {"worst": None, "carrier": None}
    ...     row = window.loc[window["delay"].idxmax()]
    ...     return {"worst": row["delay"], "carrier": row["carrier"]}
    >>> window = pd.DataFrame({"delay": [3.0, 20.0], "carrier": ["AA", "DL"]})
    >>> worst(window, pd.Timestamp("2024-01-01", tz="UTC"))["carrier"]
    'DL'
    """

    def make(function: Callable[..., Any]) -> Feature:
        if not inspect.isfunction(function):
            raise FeatureError(f"@feature stands before {function!r}, which is not a function", None, None)
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise _wrong(function, "is async or yields; a feature returns its value")
        _check_arity(function)
        if batch is not None:
            _check_arity(batch)
        return Feature(function, _outputs(function, outputs), batch)

    return make if function is None else make(function)


def checked(value: Any, output: OutputType) -> float | str | None:
    """Return a value as it is stored: a number, a text, or ``None`` for null.

    Parameters
    ----------
    value
        What a function returned.
    output
        What it should be.

    Returns
    -------
    float or str or None
        Truth as 0 and 1, times as microseconds. What is not finite is null.

    Raises
    ------
    WrongOutput
        Where it is something else.

    Examples
    --------
    >>> checked(True, "bool"), checked(float("nan"), "float64"), checked("AA", "string")
    (1.0, None, 'AA')
    >>> checked("AA", "float64")
    Traceback (most recent call last):
    headrace.functions.feature.WrongOutput: it returned 'AA' where a float is expected
    """
    if value is None or _is_missing(value):
        return None
    if output == "string":
        if isinstance(value, str):
            return _text(value)
    elif output == "bool":
        if isinstance(value, bool | np.bool_):
            return float(value)
    elif output == "timestamp":
        if isinstance(value, datetime):
            return _micros(value)
        if isinstance(value, np.datetime64):
            return _whole(int(value.astype("M8[us]").astype(np.int64)))
    elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return _number(value, output)
    raise WrongOutput(f"it returned {_shown(value)} where {_WORDS[output]} is expected")


def _number(value: Any, output: OutputType) -> float | None:
    number = float(value)
    if not math.isfinite(number):
        return None
    if output == "float64":
        return number + 0.0
    if number != math.floor(number):
        raise WrongOutput(f"it returned {_shown(value)} where an int is expected")
    return _whole(int(value))


def _whole(value: int) -> float:
    if abs(value) > WHOLE_MAX:
        raise WrongOutput(f"it returned {value}, which is beyond 2^53; whole numbers are exact up to it")
    return float(value)


def _micros(value: datetime) -> float:
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    # A pandas timestamp may hold nanoseconds; whole microseconds of it count.
    return _whole((aware - _EPOCH) // _MICROSECOND)


def _text(value: str) -> str:
    if len(value) > TEXT_MAX:
        raise WrongOutput(f"it returned a text of {len(value)} characters; {TEXT_MAX} are the most")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WrongOutput(f"it returned {_shown(value)}, which is no valid Unicode text") from None
    return str(value)


def _is_missing(value: Any) -> bool:
    """Tell whether a value is NaN, NaT or pandas' NA, without asking for pandas."""
    if type(value).__name__ == "NAType":
        return True
    if isinstance(value, float | np.floating | datetime | np.datetime64):
        return bool(value != value)
    return False


def _shown(value: Any) -> str:
    """Return a value as a sentence shows it."""
    name = type(value).__name__
    if name in ("Series", "DataFrame", "ndarray", "Index") or isinstance(value, dict | list | tuple | set):
        return f"a {name}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}…"


def _outputs(function: Callable[..., Any], declared: Any) -> Outputs:
    annotated = _annotation(function)
    if declared is None:
        if annotated is None:
            raise _wrong(
                function,
                "does not say what it returns; write -> float (or int, bool, str, datetime)"
                " or @feature(outputs=…)",
            )
        return _types(function, annotated)
    outputs = _types(function, declared)
    known = _OUTPUTS.get(annotated)
    if list(outputs) == [None] and known is not None and known != outputs[None]:
        raise _wrong(function, f"is declared with outputs of {outputs[None]} but annotated with {known}")
    return outputs


def _types(function: Callable[..., Any], declared: Any) -> Outputs:
    if not isinstance(declared, dict) and not typing.is_typeddict(declared):
        return {None: _type(function, declared)}
    fields = declared if isinstance(declared, dict) else declared.__annotations__
    if not fields:
        raise _wrong(function, "has no outputs; name at least one")
    for name in fields:
        if not isinstance(name, str) or not name.isidentifier():
            raise _wrong(function, f"has the output {name!r}; names are letters, digits and '_'")
    return {name: _type(function, _resolved(function, value)) for name, value in fields.items()}


def _type(function: Callable[..., Any], found: Any) -> OutputType:
    known = _OUTPUTS.get(found) if isinstance(found, type) else None
    if known is None and isinstance(found, type) and issubclass(found, datetime):
        known = "timestamp"  # pandas' Timestamp
    if known is None:
        shown = getattr(found, "__name__", None) or repr(found)
        raise _wrong(
            function, f"returns {shown}; the types of outputs are float, int, bool, str and datetime"
        )
    return known


def _annotation(function: Callable[..., Any]) -> Any:
    """Return what a function is annotated to return, without ``| None``; ``None`` where it is not."""
    return _resolved(function, getattr(function, "__annotations__", {}).get("return"))


def _resolved(function: Callable[..., Any], found: Any) -> Any:
    if isinstance(found, typing.ForwardRef):
        found = found.__forward_arg__
    if isinstance(found, str):
        try:
            found = eval(found, getattr(function, "__globals__", {}))  # as typing.get_type_hints does
        except Exception as error:
            raise _wrong(function, f"has the annotation {found!r}, which cannot be read: {error}") from error
    if typing.get_origin(found) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(found) if kind is not type(None)]
        if len(kinds) == 1:
            return kinds[0]
    return found


def _check_arity(function: Callable[..., Any]) -> None:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        raise _wrong(function, f"is called with (window, as_of), which it does not take: {error}") from error


def _wrong(function: Callable[..., Any], what: str) -> FeatureError:
    code = getattr(function, "__code__", None)
    name = getattr(function, "__name__", repr(function))
    file, line = (code.co_filename, code.co_firstlineno) if code is not None else (None, None)
    return FeatureError(f"{name} {what}", file, line)

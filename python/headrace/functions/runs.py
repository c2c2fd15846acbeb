"""Running one function over the windows of many entities."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.functions.calls import Failure, FunctionCall, Selected, line_suffix
from headrace.functions.feature import Feature, Outputs, WrongOutput
from headrace.functions.limits import Budget, TimedOut, limited
from headrace.functions.loader import Modules, describe
from headrace.functions.window_frame import Texts, window_frame
from headrace.memory.rows import Words

COLD_S: Final = 2.0
"""A function's first call may take so long at least: pandas loads some of its parts when first used."""


class Run:
    """One function over the windows of many entities at one moment."""

    def __init__(
        self,
        call: FunctionCall,
        loaded: Feature,
        as_of: int,
        texts: Texts,
        modules: Modules | None,
        budget: Budget | None,
        complain: Callable[[Failure], None],
    ) -> None:
        """Make a run ready.

        Parameters
        ----------
        call, loaded
            What to call.
        as_of
            The moment, microseconds.
        texts
            Gives the texts of a category's dictionary.
        modules
            Tells where in the user's source an error arose.
        budget
            How long all may take; ``None``: as long as their own limits allow.
        complain
            Is told of a batch form that failed.
        """
        import pandas as pd  # a worker without Python features does without

        self._call = call
        self._loaded = loaded
        self._as_of = pd.Timestamp(as_of, unit="us", tz="UTC")
        self._texts = texts
        self._modules = modules
        self._budget = budget
        self._complain = complain

    def all(self, selected: Selected) -> list[Any]:
        """Return, by entity, what the function returned, or why it did not."""
        sizes = selected.highs - selected.lows
        full = np.flatnonzero(sizes)
        outcomes: list[Any] = [None] * len(sizes)
        if len(full) < len(sizes):
            # All empty windows are the same.
            empty = self._single(self._frame(selected.words[:, :0]))
            for i in np.flatnonzero(sizes == 0).tolist():
                outcomes[i] = empty
        several = self._batch(selected, full, sizes[full]) if len(full) > 1 else None
        if several is None:
            several = self._each(selected, full)
        for i, outcome in zip(full.tolist(), several, strict=True):
            outcomes[i] = outcome
        return outcomes

    def _frame(self, words: Words) -> Any:
        return window_frame(words, self._call.columns, self._texts)

    def _each(self, selected: Selected, full: NDArray[np.intp]) -> list[Any]:
        """Call the single form for each."""
        if not len(full):
            return []
        lows, highs = selected.lows[full], selected.highs[full]
        start = int(lows.min())
        # One frame that is sliced costs a tenth of one frame each.
        whole = self._frame(selected.words[:, start : int(highs.max())])
        outcomes = []
        for low, high in zip((lows - start).tolist(), (highs - start).tolist(), strict=True):
            outcomes.append(self._single(whole.iloc[low:high].reset_index(drop=True)))
        return outcomes

    def _batch(
        self, selected: Selected, full: NDArray[np.intp], sizes: NDArray[np.int64]
    ) -> list[Any] | None:
        """Call the batch form; ``None`` where there is none, or where it fails."""
        batch = self._loaded.batch_function
        if batch is None:
            return None
        ends = np.cumsum(sizes)
        rows = np.arange(ends[-1]) + np.repeat(selected.lows[full] - (ends - sizes), sizes)
        frame = self._frame(selected.words[:, rows])
        frame.insert(0, "entity", np.repeat(np.arange(len(full)), sizes))
        returned = self._limited(batch, frame, len(full))
        if not isinstance(returned, Failure):
            try:
                return by_entity(returned, self._loaded.outputs, len(full))
            except WrongOutput as error:
                returned = Failure("wrong_output", self._said(str(error)))
        text = f"{returned.message} (in the batch form; each entity was computed by itself)"
        self._complain(Failure(returned.reason, text))
        return None

    def _single(self, frame: Any) -> Any:
        return self._limited(self._loaded.function, frame)

    def _limited(self, function: Callable[..., Any], frame: Any, entities: int = 1) -> Any:
        """Call a function within its time; return what it returns, or a :class:`Failure`."""
        limit = self._call.timeout_s * entities
        if self._call.cold:
            limit = max(limit, COLD_S)
        if self._budget is not None:
            left = self._budget.left
            if left <= 0:
                taken = f"the {self._budget.seconds:.3g} s that were left for it had gone by"
                return Failure("timed_out", self._said(f"was not called, since {taken}"))
            # A batch form leaves time for the single one, should it fail.
            limit = min(limit, left if entities == 1 else left / 2)
        try:
            returned = limited(limit, lambda: function(frame, self._as_of))
        except TimedOut as error:
            return Failure("timed_out", self._said(f"took more than {limit * 1000:.0f} ms", error))
        except Exception as error:
            return Failure("raised", self._said(describe(error), error))
        except BaseException as error:  # SystemExit, asyncio's CancelledError, …
            if self._place(error) is None:
                raise  # it is not the function's
            return Failure("raised", self._said(describe(error), error))
        finally:
            self._call.cold = False
        return returned

    def _place(self, error: BaseException) -> tuple[str, int] | None:
        return None if self._modules is None else self._modules.place(error)

    def _said(self, what: str, error: BaseException | None = None) -> str:
        place = None if error is None else self._place(error)
        file, line = place or (self._call.module, self._loaded.function.__code__.co_firstlineno)
        return f"{file}{line_suffix(line)}, {self._call.name}: {what}"


def by_entity(returned: Any, outputs: Outputs, n: int) -> list[Any]:
    """Take apart what a batch form returned.

    Parameters
    ----------
    returned
        A Series, or a DataFrame with a column for each output, by `entity`.
    outputs
        Of the function.
    n
        Number of entities.

    Returns
    -------
    list
        For each entity what the single form would return.

    Raises
    ------
    WrongOutput
        Where it is none of these or has not each entity once.

    Examples
    --------
    >>> import pandas as pd
    >>> by_entity(pd.Series([0.5, 1.0], index=[1, 0]), {None: "float64"}, 2)
    [1.0, 0.5]
    """
    import pandas as pd

    named = list(outputs) != [None]
    wanted = "a DataFrame" if named else "a Series"
    if not isinstance(returned, pd.DataFrame if named else pd.Series):
        raise WrongOutput(f"it returned {type(returned).__name__} where {wanted} by entity is expected")
    index = returned.index
    if len(index) != n or not index.is_unique or not pd.RangeIndex(n).isin(index).all():
        raise WrongOutput(f"it returned {len(index)} rows where one for each of {n} entities is expected")
    ordered: Any = returned.reindex(range(n)) if list(index) != list(range(n)) else returned
    if not named:
        return list(ordered.tolist())
    columns = {str(name): ordered[name].tolist() for name in ordered.columns}
    return [{name: values[i] for name, values in columns.items()} for i in range(n)]

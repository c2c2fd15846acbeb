"""Time limits of calls."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

AGAIN_S: Final = 0.1
"""Pause after which a call that went on past its end is ended again."""


class TimedOut(BaseException):
    """A call took too long. Not an :class:`Exception`, so that the function called does not catch it by
    chance."""


class _Alarm:
    """The process's one timer."""

    def __init__(self) -> None:
        self.armed = False
        self.fired = False

    def ring(self, *_: Any) -> None:
        if self.armed:
            self.fired = True
            raise TimedOut


_alarm = _Alarm()


def limited(seconds: float, function: Callable[[], T]) -> T:
    """Call a function, and end it where it takes too long.

    The limit is of real time and is kept by a signal, which Python looks at between two instructions: code in
    C that does not return is ended by no limit here, but by the engine, which ends a worker that hangs. Where
    the function catches the signal and goes on (``except:`` in a loop), it is sent again and again.
    Outside the main thread, where Python takes no signals, there is no limit.

    Parameters
    ----------
    seconds
        The limit, more than 0.
    function
        What to call.

    Raises
    ------
    TimedOut
        Where it took longer.

    Examples
    --------
    >>> limited(1.0, lambda: 3)
    3
    >>> def endless():
    ...     while True:
    ...         pass
    >>> limited(0.01, endless)
    Traceback (most recent call last):
    headrace.functions.limits.TimedOut
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    before = signal.signal(signal.SIGALRM, _alarm.ring)
    _alarm.fired, _alarm.armed = False, True
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        try:
            result = function()
        finally:
            _alarm.armed = False
    finally:
        # Where the timer fired before it was disarmed above, it does not fire again so soon.
        _alarm.armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if _alarm.fired:
        raise TimedOut  # the function caught it, by `except:`
    return result


class Budget:
    """How long all calls for one frame may take together."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Hold a budget; :meth:`begin` starts it.

        Parameters
        ----------
        seconds
            How long the calls may take.
        monotonic
            Seconds from an arbitrary start.

        Examples
        --------
        >>> now = 0.0
        >>> budget = Budget(5.0, lambda: now)
        >>> budget.begin()
        >>> now = 6.0
        >>> budget.left
        -1.0
        """
        self.seconds = seconds
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def begin(self) -> None:
        """Start anew."""
        self._end = self._monotonic() + self.seconds

    def share(self, of: int) -> "Budget":
        """Return a budget of what is left, shared evenly, begun.

        Parameters
        ----------
        of
            How many share it, 1 or more.

        Examples
        --------
        >>> Budget(6.0, lambda: 0.0).share(3).left
        2.0
        """
        return Budget(max(self.left, 0.0) / of, self._monotonic)

    @property
    def left(self) -> float:
        """Seconds left; 0 or less where there are none."""
        return self._end - self._monotonic()

"""Standard output for answers alone."""

import os
import sys
from typing import TextIO


def own_stdout() -> TextIO:
    """Take standard output for answers; whatever else is written to it goes to standard error from now on.

    That holds for what a user's module prints, and also for what goes past Python: ``os.write``, a library in
    C, a process that it starts.

    Returns
    -------
    TextIO
        Where the answers go.
    """
    sys.stdout.flush()
    outlet = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return outlet


def leave(outlet: TextIO, status: int) -> None:
    """End the process at once, so that a thread that a user's module has started does not keep it.

    Parameters
    ----------
    outlet
        Where the answers went; all of them are written first.
    status
        The exit status.
    """
    for stream in (outlet, sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)

"""The contract checks on the Python features of a registry: ``python -m headrace.check``.

``headrace check`` starts it once the registry is found right. It reads ``{"folder": "…", "plans": […]}`` from
standard input, writes a line for each check to standard output, and ends with 1 where one failed. What the
functions print goes to standard error."""

import json
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from headrace.checks.contract import check
from headrace.checks.function_subject import FunctionSubject
from headrace.functions.calls import Failure, FunctionCall, compile_calls
from headrace.functions.loader import Modules
from headrace.functions.outlet import leave, own_stdout
from headrace.wire.plan import Plan


def check_plans(folder: str, plans: Iterable[Plan], write: Callable[[str], Any]) -> bool:
    """Run the checks on every function that plans call; tell whether all passed.

    Parameters
    ----------
    folder
        The registry's folder.
    plans
        The plans.
    write
        Is given lines of text.

    Examples
    --------
    >>> check_plans(".", [], print)
    the registry has no Python features
    True
    """
    modules = Modules(folder)
    calls = _different(call for plan in plans for call in compile_calls(plan, lambda *_: 0, modules))
    run = failed = 0
    for call in calls:
        fields = ", ".join(column.name for column in call.columns)
        write(f"{call.function} over {call.source}{f' ({fields})' if fields else ''}")
        for name, sentence in _findings(call, modules):
            run += 1
            failed += sentence != ""
            write(f"  ✗ {name}: {sentence}" if sentence else f"  ✓ {name}")
    if calls:
        functions = f"{len(calls)} {'function' if len(calls) == 1 else 'functions'}"
        write(f"{functions}, {run} checks, {failed} failed")
    else:
        write("the registry has no Python features")
    return failed == 0


def _findings(call: FunctionCall, modules: Modules) -> Iterable[tuple[str, str]]:
    """Name each check, with what is wrong; empty where nothing is."""
    if isinstance(call.loaded, Failure):
        return [("loads", call.loaded.message)]
    findings = check(FunctionSubject(call, modules))
    return [(finding.name.replace("_", " "), finding.sentence) for finding in findings]


def _different(calls: Iterable[FunctionCall]) -> list[FunctionCall]:
    """Leave out calls that differ in windows alone, but take all outputs that any of them has."""
    known: dict[str, FunctionCall] = {}
    for call in calls:
        columns = [(column.name, column.type) for column in call.columns]
        first = known.setdefault(repr((call.function, call.source, columns)), call)
        have = {result for _, result, _ in first.members}
        first.members += [member for member in call.members if member[1] not in have]
    return list(known.values())


def main() -> None:
    """Answer the question on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is no failure of the function that it meets
    outlet = own_stdout()
    question = json.load(sys.stdin)
    passed = check_plans(
        question["folder"], question["plans"], lambda line: print(line, file=outlet, flush=True)
    )
    leave(outlet, 0 if passed else 1)


if __name__ == "__main__":
    main()

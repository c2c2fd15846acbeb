"""What the registry must know of the functions that it names: ``python -m headrace.inspect``.

It reads ``{"folder": "…", "functions": ["delays:late_share"]}`` from standard input and writes a JSON object
by function to standard output: ``{"outputs": "float64", "digest": "…"}``, where `outputs` is an object of
types by name (``{"worst": "float64", "carrier": "string"}``) for a function with named outputs; or
``{"error": "…", "file": "delays.py", "line": 12}`` where it cannot be used, file and line null where there
are none. What the modules print goes to standard error."""

import json
import sys
from collections.abc import Iterable
from typing import Any, cast

from headrace.functions.feature import FeatureError
from headrace.functions.loader import Modules
from headrace.functions.outlet import leave, own_stdout


def inspect(folder: str, functions: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Load functions and tell their outputs and digests, or what is wrong.

    Parameters
    ----------
    folder
        The registry's folder.
    functions
        As the registry names them, ``module:function``.

    Examples
    --------
    >>> inspect(".", ["no_such:share"])["no_such:share"]["error"]
    'there is no no_such.py beside the registry; check the name'
    """
    modules = Modules(folder)
    found: dict[str, dict[str, Any]] = {}
    for function in functions:
        try:
            feature, digest = modules.find(function)
        except FeatureError as error:
            found[function] = {"error": error.message, "file": error.file, "line": error.line}
        else:
            outputs = cast("dict[str | None, str]", feature.outputs)
            found[function] = {"outputs": outputs.get(None, outputs), "digest": digest}
    return found


def main() -> None:
    """Answer the question on standard input."""
    outlet = own_stdout()
    question = json.load(sys.stdin)
    json.dump(inspect(question["folder"], question["functions"]), outlet)
    leave(outlet, 0)


if __name__ == "__main__":
    main()

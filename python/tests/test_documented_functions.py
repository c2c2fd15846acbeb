"""The functions of docs/PYTHON_FEATURES.md keep the contract."""

import re
from pathlib import Path
from typing import Any

import pytest
from headrace.checks.contract import check
from headrace.checks.function_subject import FunctionSubject
from headrace.functions.calls import FunctionCall
from headrace.functions.loader import Modules
from headrace.functions.window_frame import Column

DOCUMENT = Path(__file__).parents[2] / "docs" / "PYTHON_FEATURES.md"
COLUMNS = [Column("delay", "float", 2, ""), Column("carrier", "category", 3, "departures.carrier")]


@pytest.mark.parametrize("name", ["late_share", "worst"])
def test_a_documented_function_passes_every_check(tmp_path: Path, name: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "delays.py").write_text("\n".join(blocks))
    modules = Modules(tmp_path)
    function, _ = modules.find(f"delays:{name}")
    assert (function.batch_function is not None) == (name == "late_share")
    members: list[Any] = [(i, *output) for i, output in enumerate(function.outputs.items())]
    call = FunctionCall(f"delays:{name}", function, "departures", {"time": 1}, None, COLUMNS, 5.0, members)
    assert [finding for finding in check(FunctionSubject(call, modules)) if not finding.passed] == []

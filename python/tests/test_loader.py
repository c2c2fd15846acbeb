import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from headrace.functions.feature import FeatureError
from headrace.functions.loader import Modules

HEAD = "from headrace import feature\n"
ONE = "@feature\ndef one(window, as_of) -> float:\n    return {}\n"


def write(folder: Path, **sources: str) -> Modules:
    for name, source in sources.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    return Modules(folder)


def wrong(modules: Modules, function: str) -> str:
    with pytest.raises(FeatureError) as caught:
        modules.find(function)
    return str(caught.value)


def value(modules: Modules, function: str) -> Any:
    return modules.find(function)[0](None, None)


def test_a_digest_is_of_all_that_is_imported_from_the_folder(tmp_path: Path) -> None:
    source = HEAD + "import helpers\n" + ONE.format("helpers.number()")
    modules = write(
        tmp_path, m=source, helpers="def number():\n    import deep\n    return deep.N\n", deep="N = 1\n"
    )
    write(tmp_path, other="N = 5\n")
    first, digest = modules.find("m:one")
    assert first(None, None) == 1
    write(tmp_path, other="N = 6\n")
    assert modules.find("m:one")[1] == digest, "of nothing else"
    write(tmp_path, deep="N = 2\n")
    second, changed = modules.find("m:one")
    assert changed != digest
    assert (first(None, None), second(None, None)) == (1, 2), "both live side by side"
    write(tmp_path, deep="N = 1\n")
    assert modules.find("m:one") == (first, digest)


def test_a_digest_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    source = HEAD + ONE.format("1")
    assert (
        write(tmp_path / "a", m=source).find("m:one")[1] == write(tmp_path / "b", m=source).find("m:one")[1]
    )


def test_packages_and_relative_imports(tmp_path: Path) -> None:
    modules = write(
        tmp_path,
        models__delays=HEAD
        + "from . import limits\nfrom .limits import N as n\n"
        + ONE.format("limits.N + n + far.N"),
        models__limits="N = 3\n",
        far="N = 10\n",
    )
    (tmp_path / "models/__init__.py").touch()
    path = tmp_path / "models/delays.py"
    path.write_text(path.read_text() + "import far\nimport models.limits\nassert models.limits.N == 3\n")
    assert value(modules, "models.delays:one") == 16


def test_nothing_is_left_in_the_way_of_other_modules(tmp_path: Path) -> None:
    modules = write(
        tmp_path, json_like=HEAD + "import json, string_tools\n" + ONE.format("1"), string_tools=""
    )
    before = set(sys.path)
    assert value(modules, "json_like:one") == 1
    assert "json_like" not in sys.modules
    assert "string_tools" not in sys.modules
    assert set(sys.path) == before


def test_what_is_not_imported_by_a_statement_is_not_there(tmp_path: Path) -> None:
    modules = write(
        tmp_path, m=HEAD + "import importlib\n" + ONE.format("importlib.import_module('far').N"), far="N=1"
    )
    with pytest.raises(ModuleNotFoundError):
        value(modules, "m:one")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "def one(window, as_of): return 1\n",
            "m.py:2: one is not marked as a feature; write @feature before it",
        ),
        ("x = 1\n", "m.py: m has no feature one; it has none; write @feature before a function"),
        ("@feature\ndef two(w, a) -> int: ...\n", "m.py: m has no feature one; it has two"),
        ("def f(:\n", "m.py:2: it is no Python: invalid syntax"),
        ("\nx = 1 / 0\n", "m.py:3: it cannot be imported: ZeroDivisionError: division by zero"),
        ("import nowhere\n", "m.py:2: it cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit\n", "m.py:2: it cannot be imported: SystemExit"),
        (
            "@feature\ndef one(window) -> float: ...\n",
            "m.py:2: one is called with (window, as_of), which it does not take:"
            " too many positional arguments",
        ),
        (
            "@feature\ndef one(window, as_of): ...\n",
            "m.py:2: one does not say what it returns; write -> float (or int, bool, str, datetime)"
            " or @feature(outputs=…)",
        ),
        (
            "@feature\ndef one(window, as_of) -> list: ...\n",
            "m.py:2: one returns list; the types of outputs are float, int, bool, str and datetime",
        ),
        (
            "@feature\ndef one(window, as_of) -> 'Nowhere': ...\n",
            "m.py:2: one has the annotation 'Nowhere', which cannot be read: name 'Nowhere' is not defined",
        ),
        (
            "@feature(outputs=int)\ndef one(window, as_of) -> str: ...\n",
            "m.py:2: one is declared with outputs of int64 but annotated with string",
        ),
        (
            "@feature(outputs={})\ndef one(window, as_of): ...\n",
            "m.py:2: one has no outputs; name at least one",
        ),
        (
            "@feature(outputs={'a b': int})\ndef one(window, as_of): ...\n",
            "m.py:2: one has the output 'a b'; names are letters, digits and '_'",
        ),
        (
            "@feature\nasync def one(window, as_of) -> float: ...\n",
            "m.py:2: one is async or yields; a feature returns its value",
        ),
    ],
)
def test_what_is_wrong_with_a_module_is_told_at_its_place(tmp_path: Path, source: str, said: str) -> None:
    assert wrong(write(tmp_path, m=HEAD + source), "m:one") == said


def test_a_wrong_helper_is_named(tmp_path: Path) -> None:
    modules = write(tmp_path, m=HEAD + "import helpers\n" + ONE.format("1"), helpers="\n\noops\n")
    assert wrong(modules, "m:one") == (
        "helpers.py:3: it cannot be imported: NameError: name 'oops' is not defined"
    )
    assert wrong(modules, "n:one") == "n.py: there is no n.py beside the registry; check the name"
    assert wrong(modules, "../m:one") == (
        "'../m:one' is no function; write module:function, as in delays:late_share"
    )


@pytest.mark.parametrize(
    ("annotation", "outputs"),
    [
        ("-> float | None", "float64"),
        ("-> 'float | None'", "float64"),
        ("-> Optional[int]", "int64"),
        ("-> bool", "bool"),
        ("-> str", "string"),
        ("-> datetime", "timestamp"),
        ("-> pd.Timestamp", "timestamp"),
        ("-> np.float64", "float64"),
        ("-> Pair", {"b": "int64", "a": "string"}),
    ],
)
def test_types_come_from_the_annotation(tmp_path: Path, annotation: str, outputs: Any) -> None:
    head = (
        HEAD + "from datetime import datetime\nfrom typing import Optional, TypedDict\n"
        "import numpy as np, pandas as pd\n"
        "class Pair(TypedDict):\n    b: int\n    a: 'str | None'\n"
    )
    modules = write(tmp_path, m=f"{head}@feature\ndef one(window, as_of) {annotation}: ...\n")
    found = modules.find("m:one")[0].outputs
    assert found == (outputs if isinstance(outputs, dict) else {None: outputs})
    assert list(found) == list(outputs if isinstance(outputs, dict) else {None: 0})


def test_nothing_that_a_module_does_spoils_the_answer(tmp_path: Path) -> None:
    source = (
        "import atexit, os, threading, time\n"
        "os.write(1, b'past Python')\n"
        "os.system('echo from a shell')\n"
        "atexit.register(print, 'at the end')\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
    )
    write(tmp_path, m=HEAD + source + ONE.format("1"))
    done = subprocess.run(
        [sys.executable, "-m", "headrace.inspect"],
        input=json.dumps({"folder": str(tmp_path), "functions": ["m:one"]}),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
        timeout=60,
    )
    assert list(json.loads(done.stdout)) == ["m:one"]
    assert "past Python" in done.stderr
    assert "from a shell" in done.stderr


def test_the_command_answers_for_each_function(tmp_path: Path) -> None:
    write(
        tmp_path, m=HEAD + "print('loading')\n" + ONE.format("1") + "@feature\ndef bad(window) -> int: ...\n"
    )
    (tmp_path / "m2.py").write_text(HEAD + "@feature(outputs={'b': str, 'a': int})\ndef two(w, t): ...\n")
    done = subprocess.run(
        [sys.executable, "-m", "headrace.inspect"],
        input=json.dumps({"folder": str(tmp_path), "functions": ["m:one", "m2:two", "m2:nope"]}),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    answer = json.loads(done.stdout)
    assert answer["m:one"] == {
        "error": "bad is called with (window, as_of), which it does not take: too many positional arguments",
        "file": "m.py",
        "line": 6,
    }
    assert answer["m2:two"]["outputs"] == {"b": "string", "a": "int64"}
    assert list(answer["m2:two"]["outputs"]) == ["b", "a"]
    assert len(answer["m2:two"]["digest"]) == 16
    assert answer["m2:nope"] == {"error": "m2 has no feature nope; it has two", "file": "m2.py", "line": None}
    assert "loading" in done.stderr

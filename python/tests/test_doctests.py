import doctest
import importlib
import pkgutil

import headrace
import pytest

MODULES = sorted(module.name for module in pkgutil.walk_packages(headrace.__path__, "headrace."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_what_a_user_calls_shows_how() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in ("feature", "Feature", "FeatureError"):
        found = finder.find(getattr(headrace, name), f"headrace.{name}")
        assert any(example for one in found for example in one.examples), name

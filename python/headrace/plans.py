"""The plans that a worker computes by, made ready as they are asked for."""

import traceback
from collections.abc import Mapping
from pathlib import Path

from headrace.compute import CompiledPlan
from headrace.expressions.request import CompiledRequest
from headrace.functions.loader import Modules
from headrace.functions.warm import warm_pandas
from headrace.memory.shards import Needs
from headrace.selection.predicates import Dictionary
from headrace.wire.plan import Plan


class Plans:
    """Plans by definition hash."""

    def __init__(self, dictionary: Dictionary) -> None:
        """Know no plan yet.

        Parameters
        ----------
        dictionary
            Gives the texts of categories.
        """
        self._dictionary = dictionary
        self._plans: Mapping[str, Plan] = {}
        self._compiled: dict[str, CompiledPlan] = {}
        self._requests: dict[str, CompiledRequest] = {}
        self._modules: Modules | None = None
        self._warm = False
        """pandas was used before."""

    def replace(self, plans: Mapping[str, Plan], folder: Path, same_rows: bool) -> None:
        """Go over to other plans.

        Parameters
        ----------
        plans
            All plans from now on.
        folder
            Where the modules of Python features lie.
        same_rows
            The rows in memory stay as they are, so plans that were made ready for them serve on.
        """
        self._plans = plans
        self._requests = {}
        if self._modules is None or self._modules.folder != folder:
            self._modules = Modules(folder)
        # A function that could not be loaded may be there by now.
        kept = {key: plan for key, plan in self._compiled.items() if key in plans and not plan.calls}
        self._compiled = kept if same_rows else {}

    def load_functions(self, needs: Needs) -> None:
        """Load the functions of Python features, and pandas with them, before anyone waits for a value."""
        for key in self._plans:
            if self.calls(key):
                try:
                    if not self._warm:
                        self._warm = True
                        warm_pandas()
                    self.plan(key, needs)
                except Exception:
                    traceback.print_exc()  # whoever asks for the plan is told

    def calls(self, key: str) -> bool:
        """Tell whether a plan has Python features."""
        plan = self._plans.get(key)
        return plan is not None and any(feature["type"] == "python" for feature in plan["features"])

    def plan(self, key: str, needs: Needs) -> CompiledPlan:
        """Return a plan made ready.

        Parameters
        ----------
        key
            Its definition hash.
        needs
            What the rows in memory hold.

        Raises
        ------
        ValueError
            Where there is no such plan, or it has what this worker does not know.
        """
        compiled = self._compiled.get(key)
        if compiled is None:
            plan = self._plans.get(key)
            if plan is None:
                raise ValueError(f"this worker has no plan {key}")
            compiled = self._compiled[key] = CompiledPlan(plan, needs, self._dictionary, self._modules)
        return compiled

    def request(self, key: str) -> CompiledRequest:
        """Return the part of a plan that depends on requests, made ready."""
        compiled = self._requests.get(key)
        if compiled is None:
            compiled = self._requests[key] = CompiledRequest(self._plans[key])
        return compiled

    def names(self, key: str) -> list[str]:
        """Return the names of a plan's features."""
        return [feature["name"] for feature in self._plans[key]["features"]]

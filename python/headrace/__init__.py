"""The Python half of Headrace: workers that hold sorted columns of events and compute features from them.

The engine starts ``python -m headrace.worker``. The names below are for other programs: the same kernels
over the same log give the same bits.
"""

from headrace.compute import CompiledPlan, Values, compute
from headrace.functions import Feature, FeatureError, feature
from headrace.log import Log, LogBatch
from headrace.plan import Plan
from headrace.shards import Needs, Shards

__all__ = [
    "CompiledPlan",
    "Feature",
    "FeatureError",
    "Log",
    "LogBatch",
    "Needs",
    "Plan",
    "Shards",
    "Values",
    "compute",
    "feature",
]

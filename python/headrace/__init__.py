"""The Python half of Headrace: workers that hold sorted columns of events and compute features from them.

The engine starts ``python -m headrace.worker``. The names below are for other programs: the same kernels
over the same log give the same bits.
"""

from headrace.compute import CompiledPlan, Values, compute
from headrace.functions.feature import Feature, FeatureError, feature
from headrace.memory.log import Log, LogBatch
from headrace.memory.shards import Needs, Shards
from headrace.wire.plan import Plan

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

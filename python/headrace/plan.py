"""Plans as the registry sends them, twins of those in ``src/registry/view.ts``. Times are microseconds."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

FieldType: TypeAlias = Literal["float", "int", "bool", "category", "timestamp"]
OutputType: TypeAlias = Literal["float64", "int64", "bool", "string", "timestamp"]

Expression: TypeAlias = Any
"""A number, ``['ref', feature]``, or an operator and its arguments: ``['/', a, b]``."""


class Field(TypedDict):
    """A field of a source."""

    name: str
    type: FieldType


class PlanSource(TypedDict):
    """The part of a source that decides values."""

    name: str
    template: list[str]
    timestamp: str
    fields: list[Field]
    retention: int


class PlanFeature(TypedDict):
    """A feature; which of the optional keys are there depends on `type`."""

    name: str
    type: Literal["statistical", "time_series", "expression"]
    output: OutputType
    source: NotRequired[str]
    field: NotRequired[str]
    aggregation: NotRequired[str]
    function: NotRequired[str]
    window: NotRequired[int]
    q: NotRequired[float]
    expression: NotRequired[Expression]


class Plan(TypedDict):
    """What decides the values of a view version; in `order` each feature follows those it refers to."""

    entity: str
    sources: list[PlanSource]
    features: list[PlanFeature]
    order: list[int]

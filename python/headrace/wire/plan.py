"""Plans as the registry sends them, twins of those in ``src/registry/view.ts``. Times are microseconds."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

FieldType: TypeAlias = Literal["float", "int", "bool", "category", "timestamp"]
OutputType: TypeAlias = Literal["float64", "int64", "bool", "string", "timestamp"]

Expression: TypeAlias = Any
"""A number, ``['ref', feature]`` or another leaf, or an operator and its arguments: ``['/', a, b]``."""


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


class Window(TypedDict):
    """Which events a feature of a source sees; see ``Window`` in ``src/registry/view.ts``."""

    time: int
    rows: NotRequired[int]
    gap: NotRequired[int]
    closed: NotRequired[Literal["left", "both", "neither"]]
    offset: NotRequired[int]


class PlanFeature(TypedDict):
    """A feature; which of the optional keys are there depends on `type`."""

    name: str
    type: Literal["statistical", "time_series", "expression", "python"]
    output: OutputType
    source: NotRequired[str]
    field: NotRequired[str]
    window: NotRequired[Window]
    where: NotRequired[Expression]
    aggregation: NotRequired[str]
    q: NotRequired[float]
    rank: NotRequired[int]
    approximate: NotRequired[float]
    function: NotRequired[str]
    result: NotRequired[str | None]
    per: NotRequired[int]
    half_life: NotRequired[int]
    step: NotRequired[int]
    lag: NotRequired[int]
    recent: NotRequired[int]
    expression: NotRequired[Expression]
    digest: NotRequired[str]
    fields: NotRequired[list[str]]
    timeout_ms: NotRequired[int]


class RequestFeature(TypedDict):
    """A feature that depends on the request."""

    name: str
    output: OutputType
    expression: Expression
    runs: Literal["main", "fleet"]


class RequestPlan(TypedDict):
    """What is made of the values of a plan and of a request."""

    inputs: list[Field]
    features: list[RequestFeature]


class Plan(TypedDict):
    """What decides the values of a view version; in `order` each feature follows those it refers to."""

    entity: str
    sources: list[PlanSource]
    features: list[PlanFeature]
    order: list[int]
    request: NotRequired[RequestPlan]

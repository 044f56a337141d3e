"""The bodies that the API documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema

if TYPE_CHECKING:
    from service.drift import Verdict


@dataclass
class Health:
    """How the process is."""

    status: Literal["alive", "ready"]


@dataclass
class Version:
    """Which model answers."""

    name: str
    version: str


@dataclass
class Predictions:
    """For each row, in order, the probabilities of a legitimate and of a fraudulent transaction."""

    predictions: list[tuple[float, float]]


@dataclass
class Problem:
    """Why a request was not answered."""

    detail: str


@dataclass
class FeatureDrift:
    """The strongest evidence against one feature; it drifted if the score is above the threshold."""

    drifted: bool
    score: float
    threshold: float
    method: str


@dataclass
class Drift:
    """Whether the last rows look like the reference."""

    status: Literal["ok", "insufficient_data"]
    drift_detected: bool
    n_observed: int
    window_size: int
    reference_size: int
    features: dict[str, FeatureDrift]

    @classmethod
    def of(cls, verdict: Verdict) -> Drift:
        """What the monitor says, as the API says it."""
        return cls(
            status=verdict.status,
            drift_detected=verdict.drift_detected,
            n_observed=verdict.n_observed,
            window_size=verdict.window_size,
            reference_size=verdict.reference_size,
            features={
                name: FeatureDrift(finding.drifted, finding.score, finding.threshold, finding.method)
                for name, finding in verdict.features.items()
            },
        )


def _object(required: dict[str, Schema], **optional: Schema) -> Schema:
    return Schema(
        type=OpenAPIType.OBJECT,
        required=list(required),
        properties=required | optional,
        additional_properties=False,
    )


_ARRAY = Schema(type=OpenAPIType.ARRAY)
_SPLIT = _object(
    {
        "columns": Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING)),
        "data": Schema(type=OpenAPIType.ARRAY, items=_ARRAY),
    },
    index=_ARRAY,
)
_RECORDS = Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.OBJECT))
_BODY = Schema(one_of=[_object({"dataframe_split": _SPLIT}), _object({"dataframe_records": _RECORDS})])


@dataclass
class Invocation(Operation):
    """POST /invocations. It reads its body itself, so Litestar cannot know what is in it."""

    request_body: RequestBody = field(
        default_factory=lambda: RequestBody(content={"application/json": OpenAPIMediaType(schema=_BODY)}, required=True)
    )


SCORED = ResponseHeader(
    name="X-Model-Version", description="The version that made this answer.", documentation_only=True
)
NOT_LOADED = {503: ResponseSpec(Problem, description="Not loaded yet", generate_examples=False)}
PROBLEMS = {
    status: ResponseSpec(Problem, description=text, generate_examples=False)
    for status, text in {
        400: "Malformed request",
        408: "The body took too long to arrive",
        413: "The body is too long",
        415: "The body is not declared as JSON",
        503: "Not loaded yet, or too many requests are waiting",
    }.items()
}

"""The bodies that the API documents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

VERSION_HEADER = "X-Model-Version"


class Health(BaseModel):
    """How the process is."""

    status: Literal["alive", "ready"]


class Version(BaseModel):
    """Which model answers."""

    name: str
    version: str


class Predictions(BaseModel):
    """For each row, in order, the probabilities of a legitimate and of a fraudulent transaction."""

    predictions: list[tuple[float, float]]


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str


class FeatureDrift(BaseModel):
    """The strongest evidence against one feature; it drifted if the score is above the threshold."""

    drifted: bool
    score: float
    threshold: float
    method: str


class Drift(BaseModel):
    """Whether the last rows look like the reference."""

    status: Literal["ok", "insufficient_data"]
    drift_detected: bool
    n_observed: int
    window_size: int
    reference_size: int
    features: dict[str, FeatureDrift]


_SPLIT = {
    "type": "object",
    "required": ["columns", "data"],
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "data": {"type": "array", "items": {"type": "array"}},
        "index": {"type": "array"},
    },
    "additionalProperties": False,
}
INVOCATION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {
                            "type": "object",
                            "required": [key],
                            "properties": {key: value},
                            "additionalProperties": False,
                        }
                        for key, value in (
                            ("dataframe_split", _SPLIT),
                            ("dataframe_records", {"type": "array", "items": {"type": "object"}}),
                        )
                    ]
                }
            }
        },
    }
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "Malformed request",
        408: "The body took too long to arrive",
        413: "The body is too long",
        415: "The body is not declared as JSON",
        503: "Not loaded yet, or too many requests are waiting",
    }.items()
}
SCORED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {VERSION_HEADER: {"description": "The version that made this answer.", "schema": {"type": "string"}}}
    }
}

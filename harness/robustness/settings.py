"""How much the robustness stage sends."""

from __future__ import annotations

from pydantic import Field

from grading.evidence import Record


class Settings(Record):
    """How much is sent, and what counts rows."""

    request_seconds: float = Field(5.0, gt=0)
    """How long an answer may take."""
    oversized_mb: int = Field(32, ge=1)
    drip_seconds: float = Field(3.0, gt=0)
    callers: int = Field(8, ge=2)
    fuzzing_examples: int = Field(30, ge=1)
    """Generated requests beside those that cover the schema's edges."""
    fuzzing_seconds: float = Field(30, gt=0)
    """After this the fuzzer is stopped, however far it got."""
    counter: str = "model_predictions_total"
    drift_path: str = "/monitoring/drift"
    live_path: str = "/livez"

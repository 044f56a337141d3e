"""How a rollout is made, and how long it may take."""

from __future__ import annotations

from pydantic import Field

from grading.evidence import Record


class Settings(Record):
    """All times are in seconds."""

    alias: str = "champion"
    switch_seconds: float = Field(15, gt=0)
    """After a promotion or a rollback; every request that is sent later must be answered by the new version."""
    patience_seconds: float = Field(30, gt=0)
    """After it, until a service that answers by the old version is no longer watched."""
    settle_seconds: float = Field(3, gt=0)
    """A switch is over once nothing but the new version answered for so long."""
    settle_answers: int = Field(20, ge=1)
    """And so many requests."""
    callers: int = Field(4, ge=1)
    """Each with one request at a time, on a connection of its own, so that all workers of a service have their turn."""
    pause_seconds: float = Field(0.02, ge=0)
    """Between an answer and the caller's next request; a gap that is not much longer could fall between two."""
    request_seconds: float = Field(10, gt=0)
    """How long any one answer may take."""
    questions: int = Field(200, ge=1)
    """Different request bodies, asked over and over."""
    rows: int = Field(3, ge=1)
    """Of one request."""
    agree_seconds: float = Field(3, gt=0)
    """How long metrics and `/version` may lag behind the answers."""

    version_path: str = "/version"
    info: str = "model_info"
    counter: str = "model_predictions_total"

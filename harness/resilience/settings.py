"""How much the resilience stage sends, and what it waits for."""

from __future__ import annotations

from pydantic import Field

from grading.evidence import Record


class Settings(Record):
    """How much is sent, and how long it may take. All times are in seconds."""

    live_path: str = "/livez"
    request_seconds: float = Field(30, gt=0)
    """How long any one answer may take."""
    first_callers: int = Field(4, ge=1)
    """Callers that do not lose a moment once the service says that it is ready."""
    settle_seconds: float = Field(5, gt=0)
    """How long a first answer that is not right is asked for again, to see what it should have been; while there is
    none, or a server error, for as long as a start may take."""

    heavy_seconds: float = Field(0.25, gt=0)
    """What one of the predictions takes that are in flight at SIGTERM, if the service were left alone with it."""
    heavy_rows: int = Field(6000, ge=1)
    """It has no more rows than this, so that a service which large requests end is not found out twice."""
    in_flight: int = Field(6, ge=1)
    grace_seconds: float = Field(2.0, ge=0)
    """After SIGTERM, before new requests have to be turned away. The worker threads of gunicorn look for the signal
    once a second."""
    draining_seconds: float = Field(3.0, gt=0)
    """After SIGTERM, until the last request in flight has arrived whole; new ones are tried until then."""

    usual_rows: int = Field(2000, ge=1)
    """Rows of a request that every service has to take, as the brief asks."""
    large_rows: int = Field(16_000, ge=1)
    """Rows of a request that a service may refuse, with 413, 429 or 503."""
    large_requests: int = Field(6, ge=1)
    """So many of them at once."""
    growth_callers: int = Field(4, ge=1)
    growth_requests: int = Field(24, ge=1)
    """Requests of one round."""
    growth_rounds: int = Field(3, ge=1)
    """Rounds over which memory is watched, after one to warm up."""
    growth_seconds: float = Field(4, gt=0)
    """Requests have fewer rows where a round of a slow service would take longer than this."""
    growth_share: float = Field(0.002, gt=0)
    """Share of the memory limit by which memory may grow in each of the rounds. See `harness/resilience/memory.py`."""

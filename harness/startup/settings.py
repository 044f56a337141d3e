"""How the startup stage varies its starts."""

from __future__ import annotations

from pydantic import Field

from grading.evidence import Record


class Settings(Record):
    """How starts are varied, and how long the varied ones may take."""

    other_port: int = Field(9090, ge=1024, le=65535)
    margin_seconds: float = Field(10, gt=0)
    """What a start under other conditions may take beyond three times the first one."""
    quick_seconds: float = Field(10, gt=0)
    """A start within this is quick on any machine. One that takes longer counts only where nothing else keeps the
    machine busy."""
    busy: float = Field(0.25, gt=0, le=1)
    """Share of a core that others may use before a slow start is as likely theirs as the service's."""

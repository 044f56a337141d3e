"""What was delivered, and what became of it: each delivery once, each commit of a repository once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from harness.hooks.pushes import Push


class State(StrEnum):
    """How far a push has come."""

    RECEIVED = "received"
    FETCHING = "fetching"
    QUEUED = "queued"
    GRADED = "graded"
    FAILED = "failed"
    """It was not graded; delivering it again tries again."""


@dataclass(frozen=True)
class Kept:
    """A push in the store."""

    id: int
    push: Push
    state: State
    received_at: datetime
    """When it was delivered first."""
    note: str = ""
    """Why it failed, or the digest of the submission that it became."""


class Deliveries(Protocol):
    """A store of deliveries; every method is safe to call from several threads."""

    def record(self, delivery: str, push: Push) -> tuple[Kept, bool]:
        """Keep a delivery and its push; True if there is something to do that nobody does yet."""

    def claim(self, number: int) -> Kept | None:
        """Take a received push in hand; None if somebody else has."""

    def move(self, number: int, state: State, note: str = "") -> Kept:
        """Say how far a push has come."""

    def end(self, number: int, state: State) -> Kept:
        """Say that a push's grading has ended; its note stays."""

    def reopen(self) -> Sequence[int]:
        """The pushes that were in hand when the process ended, and those that nobody took; all are received again."""

    def queued(self) -> Sequence[Kept]:
        """The pushes that are in the queue, as far as the provider was told."""

    def of(self, digest: str) -> Sequence[Kept]:
        """The pushes that became a submission."""

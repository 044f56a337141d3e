"""What an intake refuses, in the words that the other side gets."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """A request that is not granted: an HTTP status, what happened and why, and what to do next."""

    def __init__(self, status: int, detail: str, next_step: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.next = status, detail, next_step
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, str]:
        """As JSON."""
        return {"detail": self.detail, "next": self.next}

"""A person's judgement of a criterion that no machine can decide."""

from __future__ import annotations

from pydantic import Field

from grading.evidence import Record


class Review(Record):
    """One judgement. Reviews are appended, never edited; the last one on a criterion counts."""

    criterion: str
    points: float = Field(ge=0)
    reason: str = Field(min_length=1)
    reviewer: str = Field(min_length=1)
    at: str
    """UTC, ISO 8601."""


def latest(reviews: tuple[Review, ...]) -> dict[str, Review]:
    """The last review of each criterion, by criterion id."""
    return {review.criterion: review for review in reviews}

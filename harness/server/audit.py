"""The audit log: what happened at the intake, by its clock. Lines are added and never changed."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.orm import Session

from grading.evidence import Record
from harness.server.tables import Entry

LONGEST = 1000
"""Characters of a detail."""


class Line(Record):
    """One line of the log."""

    at: AwareDatetime
    event: str
    invitation: str
    digest: str
    address: str
    detail: str


def record(
    session: Session, event: str, *, invitation: str = "", digest: str = "", address: str = "", detail: str = ""
) -> None:
    """Add a line, in the transaction of what it tells."""
    session.add(
        Entry(
            at=datetime.now(UTC), event=event, invitation_id=invitation, digest=_one_line(digest)[:64],
            address=_one_line(address)[:100], detail=_one_line(detail)[:LONGEST],
        )
    )  # fmt: skip


def _one_line(text: str) -> str:
    """A text in which control characters are written out: a stranger's words must not look like another line."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def read(session: Session, *, invitation: str = "", limit: int = 100) -> list[Line]:
    """The latest lines, the oldest of them first; only those of one invitation where it is named."""
    wanted = select(Entry).order_by(Entry.id.desc()).limit(limit)
    if invitation:
        wanted = wanted.where(Entry.invitation_id == invitation)
    return [
        Line(
            at=e.at, event=e.event, invitation=e.invitation_id, digest=e.digest, address=e.address, detail=e.detail
        )
        for e in reversed(session.scalars(wanted).all())
    ]  # fmt: skip

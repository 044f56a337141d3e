"""Invitations: made, shown, changed, and recognized by their token, of which only a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from grading.evidence import Record
from harness.errors import UsageError
from harness.server import audit
from harness.server.refusals import Refused
from harness.server.tables import Invitation, Job, Submission

NAME = re.compile(r"inv-[0-9a-f]{8}")
NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""What a token is compared with where its invitation does not exist."""


class Shown(Record):
    """An invitation as its issuer sees it."""

    id: str
    candidate: str
    challenge: str
    deadline: AwareDatetime | None
    extra_seconds: int
    """Added to the deadline for this candidate."""
    attempts: int
    used: int
    gradings: dict[str, int]
    """How many of its submissions are queued, grading, graded, or failed through our own fault."""
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None


def create(
    session: Session,
    *,
    candidate: str,
    challenge: str,
    deadline: datetime | None,
    attempts: int,
    extra_seconds: int = 0,
) -> tuple[Shown, str]:
    """A new invitation, and its token, which is nowhere to be found afterwards.

    Raises:
        UsageError: the name is empty, or more than a line of text.
    """
    if not candidate.strip() or not candidate.isprintable():
        raise UsageError(
            "a candidate's name is a line of text", "It stands in their receipts: --candidate 'Ada Lovelace'."
        )
    name = f"inv-{secrets.token_hex(4)}"
    token = f"{name}.{secrets.token_urlsafe(32)}"
    row = Invitation(
        id=name, token_sha256=_hash(token), candidate=candidate, challenge=challenge, deadline=deadline,
        extra_seconds=extra_seconds, attempts=attempts, created_at=datetime.now(UTC),
    )  # fmt: skip
    session.add(row)
    told = f"{challenge}, deadline {_told(deadline)}, extra {extra_seconds} s, attempts {attempts}"
    audit.record(session, "invitation created", invitation=name, detail=told)
    return _shown(session, row), token


def every(session: Session) -> list[Shown]:
    """All invitations, the latest first."""
    return [_shown(session, row) for row in session.scalars(select(Invitation).order_by(Invitation.created_at.desc()))]


def existing(session: Session, name: str) -> None:
    """See that there is an invitation of that name.

    Raises:
        UsageError: there is not.
    """
    _named(session, name)


def extend(
    session: Session, name: str, *, deadline: datetime | None, extra_seconds: int | None, attempts: int | None
) -> Shown:
    """Change the deadline, the extra time or the attempts of an invitation; what is None stays.

    Raises:
        UsageError: there is no such invitation, or fewer attempts are left to it than were made.
    """
    row = _named(session, name)
    shown = _shown(session, row)
    if attempts is not None and attempts < shown.used:
        raise UsageError(f"{name} has made {shown.used} attempts already, more than {attempts}")
    row.deadline = row.deadline if deadline is None else deadline
    row.extra_seconds = row.extra_seconds if extra_seconds is None else extra_seconds
    row.attempts = row.attempts if attempts is None else attempts
    told = f"deadline {_told(row.deadline)}, extra {row.extra_seconds} s, attempts {row.attempts}"
    audit.record(session, "invitation extended", invitation=name, detail=told)
    return _shown(session, row)


def revoke(session: Session, name: str) -> Shown:
    """Let an invitation's token open nothing any more. What was handed in stays, and is graded.

    Raises:
        UsageError: there is no such invitation.
    """
    row = _named(session, name)
    if row.revoked_at is None:
        row.revoked_at = datetime.now(UTC)
        audit.record(session, "invitation revoked", invitation=name)
    return _shown(session, row)


def authenticate(session: Session, token: str) -> Invitation:
    """The invitation of a token.

    Raises:
        Refused: it is nobody's, or was revoked.
    """
    name = token.partition(".")[0]
    found = session.get(Invitation, name) if NAME.fullmatch(name) else None
    # In the same time whether the token is wrong in its first character, in its last, or altogether.
    same = hmac.compare_digest(_hash(token), found.token_sha256 if found else NOBODY)
    if found is None or not same:
        raise Refused(
            401,
            "the token is not that of an invitation",
            "Copy it whole from your invitation; it begins with 'inv-'.",
            {"WWW-Authenticate": "Bearer"},
        )
    if found.revoked_at:
        raise Refused(403, "the invitation was revoked", "Ask those who invited you.")
    return found


def admit(session: Session, invitation: Invitation, at: datetime) -> int:
    """The number of the attempt that a submission of that moment would be.

    Raises:
        Refused: it is late, or there are no attempts left.
    """
    until = closes(invitation)
    if until and at > until:
        late = timedelta(seconds=int((at - until).total_seconds()) + 1)
        extra = f" and {timedelta(seconds=invitation.extra_seconds)} of extra time" if invitation.extra_seconds else ""
        raise Refused(
            403,
            f"the deadline was {_told(invitation.deadline)}{extra}; this came {late} later",
            "Ask those who invited you for more time; the bundle that you have stays valid.",
        )
    used = _used(session, invitation.id)
    if used >= invitation.attempts:
        raise Refused(
            409,
            f"all {invitation.attempts} attempts of this invitation are used",
            "What you handed in last counts. Ask those who invited you if you need one more.",
        )
    return used + 1


def closes(invitation: Invitation) -> datetime | None:
    """The moment after which a submission is late."""
    extra = timedelta(seconds=invitation.extra_seconds)
    return invitation.deadline + extra if invitation.deadline else None


def _named(session: Session, name: str) -> Invitation:
    row = session.get(Invitation, name, with_for_update=True)
    if row is None:
        raise UsageError(f"there is no invitation '{name}'", "'harness invite list' shows them.")
    return row


def _used(session: Session, name: str) -> int:
    return session.scalar(select(func.count()).where(Submission.invitation_id == name)) or 0


def _gradings(session: Session, name: str) -> dict[str, int]:
    wanted = select(Job.state, func.count()).join(Submission).where(Submission.invitation_id == name)
    return {str(state): count for state, count in session.execute(wanted.group_by(Job.state).order_by(Job.state))}


def _shown(session: Session, row: Invitation) -> Shown:
    return Shown(
        id=row.id, candidate=row.candidate, challenge=row.challenge, deadline=row.deadline,
        extra_seconds=row.extra_seconds, attempts=row.attempts, used=_used(session, row.id),
        gradings=_gradings(session, row.id), created_at=row.created_at, revoked_at=row.revoked_at,
    )  # fmt: skip


def _told(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="seconds") if moment else "none"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

"""The queue: a table in which each acknowledged submission has one row, and of each row one worker has the claim.

A claim is a number that grows each time a job is taken, and a lease that has to be renewed. Whoever was thought dead
and comes back finds a higher number there, and can end nothing.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil
from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.server import audit
from harness.server.tables import Invitation, Job, State, Submission

CLOCK_SECONDS = 10
"""What two readings of the moment at which a process began may differ by."""
LOOKED_AT = 50
"""Jobs that one look at the queue takes in: more than are graded at any one time."""


@dataclass(frozen=True)
class Claim:
    """One job in one worker's hands."""

    submission: int
    number: int
    invitation: str
    challenge: str
    digest: str
    attempt: int


def owner() -> str:
    """What names this process: its host, its id, and when it began, since ids are used again."""
    return f"{platform.node()}/{os.getpid()}/{psutil.Process().create_time()}"


def enqueue(session: Session, submission_id: int) -> None:
    """Queue a submission, in the transaction that acknowledges it; one that is queued already is left alone."""
    if session.get(Job, submission_id) is None:
        session.add(Job(submission_id=submission_id, state=State.QUEUED, queued_at=datetime.now(UTC)))
        session.flush()


def take(session: Session, owner: str, lease_seconds: float) -> Claim | None:
    """Claim the next job: one that waits, or one whose worker is dead; None where there is none."""
    now = datetime.now(UTC)
    waits = and_(Job.state == State.QUEUED, or_(Job.not_before.is_(None), Job.not_before <= now))
    # A job is taken by one worker: on PostgreSQL rows that another looks at are skipped, on SQLite it has to wait.
    wanted = select(Job).where(or_(waits, Job.state == State.GRADING)).order_by(Job.queued_at, Job.submission_id)
    for job in session.scalars(wanted.limit(LOOKED_AT).with_for_update(skip_locked=True)):
        if job.state == State.GRADING and not _abandoned(job, owner, now):
            continue
        job.state, job.claim, job.owner = State.GRADING, job.claim + 1, owner
        job.lease_until = now + timedelta(seconds=lease_seconds)
        job.stage = job.message = job.done = ""
        return _claim(session, job)
    return None


def renew(session: Session, claim: Claim, lease_seconds: float, *, stage: str, message: str, done: str) -> bool:
    """Keep a claim, and say how far it is; False if it is another's by now."""
    until = datetime.now(UTC) + timedelta(seconds=lease_seconds)
    return _change(session, claim, lease_until=until, stage=stage, message=message, done=done)


def finish(session: Session, claim: Claim, state: State, *, run: str = "", error: str = "") -> bool:
    """End a job for good; False if it is another's by now."""
    now = datetime.now(UTC)
    fields = {"state": state, "run": run, "error": error, "finished_at": now, "owner": "", "lease_until": None}
    if not _change(session, claim, **fields):
        return False
    told = run if state is State.GRADED else f"{error}; 'harness invite regrade {claim.digest[:12]}' grades it again"
    audit.record(session, state.value, invitation=claim.invitation, digest=claim.digest, detail=told)
    return True


def put_back(session: Session, claim: Claim, *, error: str = "", pause_seconds: float = 0) -> bool:
    """Let a job wait again: this worker stops, or (`error`) the grading broke off. False if it is another's by now."""
    later = datetime.now(UTC) + timedelta(seconds=pause_seconds) if pause_seconds else None
    failed = {"failures": Job.failures + 1, "error": error} if error else {}
    if not _change(session, claim, state=State.QUEUED, owner="", lease_until=None, not_before=later, **failed):
        return False
    told = error or "the server stopped; it starts again with the next one"
    audit.record(session, "grading broken off", invitation=claim.invitation, digest=claim.digest, detail=told)
    return True


def requeue(session: Session, digest: str) -> list[str]:
    """Let failed gradings of a submission start anew; returns the invitations that they belong to.

    Raises:
        UsageError: none has failed.
    """
    wanted = select(Job, Submission).join(Submission).where(Submission.digest.startswith(digest, autoescape=True))
    found = session.execute(wanted.where(Job.state == State.FAILED)).all()
    if not found:
        raise UsageError(f"no grading of a submission {digest} has failed", "'harness invite log' shows which have.")
    for job, submission in found:
        job.state, job.failures, job.not_before, job.error = State.QUEUED, 0, None, ""
        audit.record(session, "queued again", invitation=submission.invitation_id, digest=submission.digest)
    return [submission.invitation_id for _, submission in found]


def ahead(session: Session, job: Job) -> int:
    """How many jobs come before one that waits."""
    before = or_(
        Job.queued_at < job.queued_at, and_(Job.queued_at == job.queued_at, Job.submission_id < job.submission_id)
    )
    first = or_(Job.state == State.GRADING, and_(Job.state == State.QUEUED, before))
    others = first & (Job.submission_id != job.submission_id)
    return session.scalar(select(func.count()).select_from(Job).where(others)) or 0


def waiting(session: Session) -> int:
    """How many jobs have not ended."""
    open_states = (State.QUEUED, State.GRADING)
    return session.scalar(select(func.count()).select_from(Job).where(Job.state.in_(open_states))) or 0


def _abandoned(job: Job, asker: str, now: datetime) -> bool:
    if job.owner == asker or job.lease_until is None or job.lease_until < now:
        return True
    host, pid, began = job.owner.rsplit("/", 2)
    if host != platform.node():
        return False
    try:
        # Not to the digit: the moment is computed from that of the machine's start, which moves when its clock is set.
        return abs(psutil.Process(int(pid)).create_time() - float(began)) > CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return True


def _change(session: Session, claim: Claim, **fields: object) -> bool:
    mine = and_(Job.submission_id == claim.submission, Job.claim == claim.number, Job.state == State.GRADING)
    return len(session.execute(update(Job).where(mine).values(**fields).returning(Job.submission_id)).all()) == 1


def _claim(session: Session, job: Job) -> Claim:
    submission = session.get_one(Submission, job.submission_id)
    invitation = session.get_one(Invitation, submission.invitation_id)
    audit.record(
        session, "grading started", invitation=invitation.id, digest=submission.digest, detail=f"claim {job.claim}"
    )
    return Claim(
        job.submission_id, job.claim, invitation.id, invitation.challenge, submission.digest, submission.attempt
    )

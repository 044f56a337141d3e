"""What the database holds. A change here wants a migration beside it (`harness/server/migrations`)."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import DateTime, ForeignKey, MetaData, String, Text, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class State(StrEnum):
    """Where a submission is on its way to a grade."""

    QUEUED = "queued"
    GRADING = "grading"
    GRADED = "graded"
    FAILED = "failed"
    """Broke off through our own fault, more than once: a person has to look."""


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, also where the database keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        del dialect
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        del dialect
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: Moment(), State: String(16)}  # noqa: RUF012  # as SQLAlchemy wants it


class Invitation(Base):
    """Who may hand in what, until when, how often."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64))
    candidate: Mapped[str] = mapped_column(Text)
    challenge: Mapped[str] = mapped_column(String(100))
    deadline: Mapped[datetime | None]
    extra_seconds: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Submission(Base):
    """A bundle that was acknowledged."""

    __tablename__ = "submissions"
    __table_args__ = (UniqueConstraint("invitation_id", "digest"), UniqueConstraint("invitation_id", "attempt"))

    id: Mapped[int] = mapped_column(primary_key=True)
    invitation_id: Mapped[str] = mapped_column(ForeignKey("invitations.id"))
    digest: Mapped[str] = mapped_column(String(64), index=True)
    attempt: Mapped[int]
    received_at: Mapped[datetime]
    receipt: Mapped[str] = mapped_column(Text)
    """As JSON, so that whoever asks again gets the same one."""


class Job(Base):
    """The grading of one submission. Its state says whose turn it is; only who holds the claim may end it."""

    __tablename__ = "jobs"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), primary_key=True, autoincrement=False)
    state: Mapped[State] = mapped_column(String(16), index=True)
    queued_at: Mapped[datetime]
    not_before: Mapped[datetime | None]
    claim: Mapped[int] = mapped_column(default=0)
    """How often it was taken: the number of the latest claim, which no earlier one can pass for."""
    owner: Mapped[str] = mapped_column(String(200), default="")
    lease_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    stage: Mapped[str] = mapped_column(String(100), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    done: Mapped[str] = mapped_column(Text, default="")
    """The stages that have ended, with commas between."""
    finished_at: Mapped[datetime | None]
    run: Mapped[str] = mapped_column(Text, default="")
    """The run folder's name."""
    error: Mapped[str] = mapped_column(Text, default="")
    """What broke it off last, for us and not for the candidate."""


class Entry(Base):
    """One line of the audit log. The database itself refuses to change or remove one."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    event: Mapped[str] = mapped_column(String(100))
    invitation_id: Mapped[str] = mapped_column(String(32), default="", index=True)
    digest: Mapped[str] = mapped_column(String(64), default="")
    address: Mapped[str] = mapped_column(String(100), default="")
    detail: Mapped[str] = mapped_column(Text, default="")


class HookPush(Base):
    """One commit of one repository that a webhook told of."""

    __tablename__ = "hook_pushes"
    __table_args__ = (UniqueConstraint("provider", "repository", "sha"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(String(16))
    repository: Mapped[str] = mapped_column(Text)
    sha: Mapped[str] = mapped_column(String(64))
    branch: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)
    """How far it has come (`harness.hooks.deliveries.State`), which is not how far its grading has."""
    note: Mapped[str] = mapped_column(Text, default="")
    received_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class HookDelivery(Base):
    """One delivery of a provider, by the id that it gave it."""

    __tablename__ = "hook_deliveries"

    provider: Mapped[str] = mapped_column(String(16), primary_key=True)
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    push_id: Mapped[int] = mapped_column(ForeignKey("hook_pushes.id"))
    received_at: Mapped[datetime]

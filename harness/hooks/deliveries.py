"""What was delivered, and what became of it: each delivery once, each commit of a repository once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from sqlalchemy import DateTime, Engine, ForeignKey, UniqueConstraint, create_engine, event, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from harness.hooks.pushes import Push

TRIES = 5
"""How often a record is tried that others write at the same time."""


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
    note: str = ""
    """Why it failed, or where its grading can be followed."""


class Deliveries(Protocol):
    """A store of deliveries; every method is safe to call from several threads."""

    def record(self, delivery: str, push: Push) -> tuple[Kept, bool]:
        """Keep a delivery and its push; True if there is something to do that nobody does yet."""

    def claim(self, number: int) -> Kept | None:
        """Take a received push in hand; None if somebody else has."""

    def move(self, number: int, state: State, note: str = "") -> Kept:
        """Say how far a push has come."""

    def reopen(self) -> list[int]:
        """The pushes that were in hand when the process ended, and those that nobody took; all are received again."""


class Base(DeclarativeBase):
    """The tables of webhooks; a database that others use too may hold them."""


class PushRow(Base):
    """One commit of one repository."""

    __tablename__ = "hook_pushes"
    __table_args__ = (UniqueConstraint("provider", "repository", "sha"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str]
    repository: Mapped[str]
    sha: Mapped[str]
    branch: Mapped[str]
    state: Mapped[str] = mapped_column(default=State.RECEIVED.value, index=True)
    note: Mapped[str] = mapped_column(default="")
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))


class DeliveryRow(Base):
    """One delivery of a provider, by the id that it gave it."""

    __tablename__ = "hook_deliveries"
    provider: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    push_id: Mapped[int] = mapped_column(ForeignKey("hook_pushes.id"))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))


class SqlDeliveries:
    """Deliveries in a database, by default an SQLite file (`sqlite:///deliveries.db`)."""

    def __init__(self, engine: Engine | str) -> None:
        self._engine = create_engine(engine) if isinstance(engine, str) else engine
        if isinstance(engine, str) and self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
        Base.metadata.create_all(self._engine)

    def record(self, delivery: str, push: Push) -> tuple[Kept, bool]:
        """See `Deliveries`."""
        for left in reversed(range(TRIES)):
            try:
                with Session(self._engine) as session, session.begin():
                    return self._record(session, delivery, push)
            except IntegrityError:
                # Another thread kept the same delivery or push in this very moment: now it is there to be read.
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _record(self, session: Session, delivery: str, push: Push) -> tuple[Kept, bool]:
        key = {"provider": push.provider, "repository": push.repository, "sha": push.sha}
        known = session.get(DeliveryRow, (push.provider, delivery))
        row = session.get(PushRow, known.push_id) if known else session.scalar(select(PushRow).filter_by(**key))
        new = row is None
        if row is None:
            row = PushRow(**key, branch=push.branch, state=State.RECEIVED.value)
            session.add(row)
            session.flush()
        if known is None:
            session.add(DeliveryRow(provider=push.provider, id=delivery, push_id=row.id))
        again = not new and self._shift(session, row.id, State.FAILED, State.RECEIVED)
        session.flush()
        session.refresh(row)
        return _kept(row), new or again

    def claim(self, number: int) -> Kept | None:
        """See `Deliveries`."""
        with Session(self._engine) as session, session.begin():
            if not self._shift(session, number, State.RECEIVED, State.FETCHING):
                return None
            return _kept(session.get_one(PushRow, number))

    def move(self, number: int, state: State, note: str = "") -> Kept:
        """See `Deliveries`."""
        with Session(self._engine) as session, session.begin():
            row = session.get_one(PushRow, number)
            row.state, row.note, row.changed_at = state.value, note, datetime.now(UTC)
            session.flush()
            return _kept(row)

    def reopen(self) -> list[int]:
        """See `Deliveries`."""
        with Session(self._engine) as session, session.begin():
            open_ones = select(PushRow.id).where(PushRow.state.in_([State.RECEIVED.value, State.FETCHING.value]))
            numbers = list(session.scalars(open_ones.order_by(PushRow.id)))
            for number in numbers:
                self._shift(session, number, State.FETCHING, State.RECEIVED)
            return numbers

    @staticmethod
    def _shift(session: Session, number: int, before: State, after: State) -> bool:
        change = update(PushRow).where(PushRow.id == number, PushRow.state == before.value)
        moved = change.values(state=after.value, note="", changed_at=datetime.now(UTC)).returning(PushRow.id)
        return session.scalar(moved) is not None


def _prepare_sqlite(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # a DBAPI connection, which has no type of its own
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()


def _kept(row: PushRow) -> Kept:
    push = Push(provider=row.provider, repository=row.repository, sha=row.sha, branch=row.branch)  # type: ignore[arg-type]
    return Kept(row.id, push, State(row.state), row.note)

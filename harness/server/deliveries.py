"""Deliveries of webhooks in the intake's database; see `harness.hooks.deliveries`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from harness.hooks.deliveries import Kept, State
from harness.hooks.pushes import Push
from harness.server.database import Database
from harness.server.tables import HookDelivery, HookPush

TRIES = 5
"""How often a record is tried that others write at the same time."""


class SqlDeliveries:
    """The store of deliveries that an intake has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, delivery: str, push: Push) -> tuple[Kept, bool]:
        """See `Deliveries`."""
        for left in reversed(range(TRIES)):
            try:
                with self._database.write() as session:
                    return self._record(session, delivery, push)
            except IntegrityError:
                # Another process kept the same delivery or push in this very moment: now it is there to be read.
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _record(self, session: Session, delivery: str, push: Push) -> tuple[Kept, bool]:
        key = {"provider": push.provider, "repository": push.repository, "sha": push.sha}
        known = session.get(HookDelivery, (push.provider, delivery))
        row = session.get(HookPush, known.push_id) if known else session.scalar(select(HookPush).filter_by(**key))
        new, now = row is None, datetime.now(UTC)
        if row is None:
            row = HookPush(**key, branch=push.branch, state=State.RECEIVED, received_at=now, changed_at=now)
            session.add(row)
            session.flush()
        if known is None:
            session.add(HookDelivery(provider=push.provider, id=delivery, push_id=row.id, received_at=now))
        again = not new and self._shift(session, row.id, State.FAILED, State.RECEIVED)
        session.flush()
        session.refresh(row)
        return _kept(row), new or again

    def claim(self, number: int) -> Kept | None:
        """See `Deliveries`."""
        with self._database.write() as session:
            if not self._shift(session, number, State.RECEIVED, State.FETCHING):
                return None
            return _kept(session.get_one(HookPush, number))

    def move(self, number: int, state: State, note: str = "") -> Kept:
        """See `Deliveries`."""
        with self._database.write() as session:
            row = session.get_one(HookPush, number)
            row.state, row.note, row.changed_at = state, note, datetime.now(UTC)
            return _kept(row)

    def end(self, number: int, state: State) -> Kept:
        """See `Deliveries`."""
        with self._database.write() as session:
            row = session.get_one(HookPush, number)
            row.state, row.changed_at = state, datetime.now(UTC)
            return _kept(row)

    def reopen(self) -> Sequence[int]:
        """See `Deliveries`."""
        with self._database.write() as session:
            open_ones = select(HookPush.id).where(HookPush.state.in_([State.RECEIVED, State.FETCHING]))
            numbers = session.scalars(open_ones.order_by(HookPush.id)).all()
            for number in numbers:
                self._shift(session, number, State.FETCHING, State.RECEIVED)
            return numbers

    def queued(self) -> Sequence[Kept]:
        """See `Deliveries`."""
        with self._database.read() as session:
            return [_kept(row) for row in session.scalars(select(HookPush).where(HookPush.state == State.QUEUED))]

    def of(self, digest: str) -> Sequence[Kept]:
        """See `Deliveries`."""
        with self._database.read() as session:
            return [_kept(row) for row in session.scalars(select(HookPush).where(HookPush.note == digest))]

    @staticmethod
    def _shift(session: Session, number: int, before: State, after: State) -> bool:
        change = update(HookPush).where(HookPush.id == number, HookPush.state == before)
        moved = change.values(state=after, note="", changed_at=datetime.now(UTC)).returning(HookPush.id)
        return session.scalar(moved) is not None


def _kept(row: HookPush) -> Kept:
    push = Push(provider=row.provider, repository=row.repository, sha=row.sha, branch=row.branch)  # type: ignore[arg-type]
    return Kept(row.id, push, State(row.state), row.received_at, row.note)

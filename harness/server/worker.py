"""Takes one job after another and has it graded, until it is told to stop."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from harness.errors import InfrastructureError
from harness.server import queue
from harness.server.database import Database
from harness.server.grading import Grading, Progress
from harness.server.queue import Claim
from harness.server.settings import Settings
from harness.server.tables import Job, State

LOOK_SECONDS = 1.0
"""Between looks at the queue where nobody wakes us; others may queue too."""
WATCH_SECONDS = 0.25
TROUBLE_SECONDS = 5.0
"""Before a database that does not answer is asked again."""
OnEnd = Callable[[Claim, State, str], None]
"""Told of a job that has ended for good: its claim, its state, and its run folder's name."""
log = logging.getLogger(__name__)


class Stopped(Exception):
    """The worker was told to stop."""


class Lost(Exception):
    """The claim is another worker's by now."""


class Worker:
    """A thread that grades. One grading at a time: a second one would only disturb the first one's measurements."""

    def __init__(self, settings: Settings, database: Database, on_end: OnEnd | None = None) -> None:
        self._settings, self._database, self._on_end = settings, database, on_end
        self._owner = queue.owner()
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name="worker", daemon=True)

    def start(self) -> None:
        """Begin with what waits."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue now."""
        self._woken.set()

    def stop(self) -> None:
        """End what is being graded and put it back; returns when that is done."""
        self._stopping.set()
        self._woken.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                with self._database.write() as session:
                    claim = queue.take(session, self._owner, self._settings.lease_seconds)
                if claim:
                    self._carry_out(claim)
                else:
                    self._woken.wait(LOOK_SECONDS)
            except Exception:
                # Whatever it was, the queue must go on being worked at; the job is taken again, by its lease.
                log.exception("the queue could not be worked at; trying again")
                self._stopping.wait(TROUBLE_SECONDS)

    def _carry_out(self, claim: Claim) -> None:
        log.info("grading %s of %s", claim.digest[:12], claim.invitation)
        grading = Grading(self._settings, claim)
        try:
            if not grading.ended:
                self._follow(claim, grading)
            result = grading.result()
        except Stopped:
            log.info("%s of %s is put back, and starts again with the next server", claim.digest[:12], claim.invitation)
            self._change(lambda session: queue.put_back(session, claim))
        except Lost:
            log.warning("%s of %s was taken over by another worker", claim.digest[:12], claim.invitation)
        except InfrastructureError as error:
            grading.forget()
            self._broke_off(claim, str(error))
        except Exception as error:
            # Of ours, and not foreseen: it may not stop the queue, nor be tried for ever.
            log.exception("an error of the intake's own")
            grading.forget()
            self._broke_off(claim, f"{type(error).__name__}: {error}")
        else:
            if result.void:
                grading.forget()
                self._broke_off(claim, f"void, run {result.run}: {result.void}", result.run)
            elif self._finish(claim, State.GRADED, run=result.run):
                shutil.rmtree(grading.place, ignore_errors=True)

    def _follow(self, claim: Claim, grading: Grading) -> None:
        """See a grading through: learn from what it says, keep its lease, and end it where it must not go on."""
        said = grading.begin()
        progress, due = Progress(), 0.0
        limit = time.monotonic() + self._settings.grading_seconds
        try:
            while not grading.wait(WATCH_SECONDS):
                self._go_on(limit)
                lines = said.lines()
                for line in lines:
                    progress.take(line)
                if lines or time.monotonic() > due:
                    due = time.monotonic() + self._settings.lease_seconds / 4
                    self._renew(claim, progress)
        except BaseException:
            grading.end()
            raise

    def _go_on(self, limit: float) -> None:
        if self._stopping.is_set():
            raise Stopped
        if time.monotonic() > limit:
            raise InfrastructureError(f"the grading had not ended after {self._settings.grading_seconds:g} s")

    def _renew(self, claim: Claim, progress: Progress) -> None:
        try:
            with self._database.write() as session:
                told = {"stage": progress.stage, "message": progress.message, "done": ",".join(progress.done)}
                kept = queue.renew(session, claim, self._settings.lease_seconds, **told)
        except SQLAlchemyError:
            # A database that is restarted must not cost a grading; if the lease runs out meanwhile, `finish` will tell.
            log.warning("the database did not take a sign of life", exc_info=True)
        else:
            if not kept:
                raise Lost

    def _broke_off(self, claim: Claim, error: str, run: str = "") -> None:
        log.warning("the grading of %s of %s broke off: %s", claim.digest[:12], claim.invitation, error)
        with self._database.read() as session:
            failures = session.get_one(Job, claim.submission).failures + 1
        if failures >= self._settings.failures:
            self._finish(claim, State.FAILED, run=run, error=error)
        else:
            pause = self._settings.pause_seconds * 4 ** (failures - 1)
            self._change(lambda session: queue.put_back(session, claim, error=error, pause_seconds=pause))

    def _finish(self, claim: Claim, state: State, *, run: str = "", error: str = "") -> bool:
        done = self._change(lambda session: queue.finish(session, claim, state, run=run, error=error))
        if done:
            log.info("%s of %s: %s", claim.digest[:12], claim.invitation, state.value)
            if self._on_end:
                self._on_end(claim, state, run)
        return done

    def _change(self, change: Callable[[Session], bool]) -> bool:
        """Write something that must not be lost, however long the database does not answer."""
        while True:
            try:
                with self._database.write() as session:
                    return change(session)
            except SQLAlchemyError:
                log.exception("the database did not take the end of a grading")
                if self._stopping.wait(TROUBLE_SECONDS):
                    # The next server reads it from the work folder.
                    return False

"""Pushes at the intake: a commit that a webhook told of becomes a submission under its repository's invitation."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError

from grading.report import Report
from harness import bundle, hooks
from harness.errors import InfrastructureError, UsageError
from harness.hooks.courier import Courier, Verdict
from harness.hooks.deliveries import Kept
from harness.hooks.settings import HookSettings, Repository
from harness.hooks.statuses import Statuses
from harness.server import audit, submissions
from harness.server.deliveries import SqlDeliveries
from harness.server.intake import Intake
from harness.server.queue import Claim
from harness.server.refusals import Refused
from harness.server.status import STANDSTILL
from harness.server.submissions import Arrived
from harness.server.tables import Invitation, Job, State
from harness.submission import Submission

log = logging.getLogger(__name__)


class Webhooks:
    """The webhooks of an intake.

    Raises:
        UsageError: the settings name an invitation that there is not.
    """

    def __init__(self, settings: HookSettings, intake: Intake) -> None:
        self._intake = intake
        for provider in filter(None, (settings.github, settings.gitlab)):
            for repository in provider.repositories:
                self._invitation(repository)
        deliveries = SqlDeliveries(intake.database)
        self._courier = Courier(settings, deliveries, self, Statuses(settings))
        self.router: APIRouter = hooks.router(settings, deliveries, self._courier, self._log)

    def resume(self) -> None:
        """Carry on, in a thread, with what was in hand when the last server ended."""
        _aside(self._courier.resume)

    def ended(self, claim: Claim, state: State, run: str) -> None:
        """Tell the provider of a grading that has ended, if the submission was pushed."""
        del state, run
        _aside(self._courier.ended, claim.digest)

    def take(self, kept: Kept, repository: Repository, submission: Submission) -> None:
        """Acknowledge a fetched commit as any other submission, and queue it.

        Raises:
            UsageError: it is late, one too many, or its invitation is gone or revoked.
        """
        here, invitation = self._intake, self._invitation(repository)
        with tempfile.TemporaryDirectory(dir=here.settings.incoming) as folder:
            path = Path(folder) / "bundle.tar"
            bundle.pack(submission, invitation.challenge, path)
            arrived = Arrived(path, bundle.sha256(path), kept.received_at, f"{kept.push.provider} {repository.name}")
            try:
                _, new = submissions.accept(here.settings, here.database, invitation.id, submission.digest, arrived)
            except Refused as refused:
                told = {"invitation": invitation.id, "digest": submission.digest, "address": arrived.address}
                with here.database.write() as session:
                    audit.record(session, "refused", **told, detail=f"{refused.status}: {refused.detail}")
                raise UsageError(refused.detail, refused.next) from refused
        if new:
            here.queued()

    def verdict(self, digest: str, repository: Repository) -> Verdict | None:
        """How the grading of a submission ended; None as long as it has not.

        Raises:
            InfrastructureError: its report cannot be read.
        """
        with self._intake.database.read() as session:
            found = submissions.find(session, repository.invitation, digest)
            job = session.get_one(Job, found.id) if found else None
        if job is None or job.state not in STANDSTILL:
            return None
        if job.state == State.FAILED:
            return Verdict(0, 0, void=True)
        path = self._intake.settings.runs / job.run / "report.json"
        try:
            report = Report.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise InfrastructureError(f"{path} cannot be read: {error}") from error
        return Verdict(report.points, report.decided_points)

    def _invitation(self, repository: Repository) -> Invitation:
        with self._intake.database.read() as session:
            found = session.get(Invitation, repository.invitation)
        if found is None:
            raise UsageError(
                f"{repository.name} counts against the invitation '{repository.invitation}', which there is not",
                "'harness invite list' shows those that there are; 'harness invite create' makes one.",
            )
        return found

    def _log(self, event: str, address: str, detail: str) -> None:
        # What was received is carried, whether or not this can be written.
        try:
            with self._intake.database.write() as session:
                audit.record(session, event, address=address, detail=detail)
        except SQLAlchemyError:
            log.exception("%s: %s of %s is not in the audit log", event, detail, address)


def _aside(work: Callable[..., None], *given: str) -> None:
    # Providers may be slow to answer: the worker does not wait for them, nor does a server that is stopped. What was
    # not told is told by the next one.
    threading.Thread(target=work, args=given, name="webhooks", daemon=True).start()

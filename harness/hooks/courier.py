"""A push that was received is fetched, handed to the queue, and its end told to the provider."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.errors import HarnessError
from harness.hooks.deliveries import Deliveries, Kept, State
from harness.hooks.fetching import fetch
from harness.hooks.settings import HookSettings, Repository
from harness.hooks.statuses import Statuses
from harness.submission import Submission

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """How a grading ended, as far as a commit status tells."""

    points: float
    of: float
    """The most that the decided criteria could have given."""
    void: bool = False


class Queue(Protocol):
    """What grades, one after another."""

    def take(self, kept: Kept, repository: Repository, submission: Submission) -> None:
        """Queue a fetched submission, whose export is gone afterwards.

        After a crash it may come again for the same push, so it goes by the digest.
        """

    def verdict(self, digest: str, repository: Repository) -> Verdict | None:
        """How the grading of a submission ended; None as long as it has not."""


class Courier:
    """Carries pushes from their delivery to the queue, and verdicts back."""

    def __init__(self, settings: HookSettings, deliveries: Deliveries, queue: Queue, statuses: Statuses) -> None:
        self._settings, self._deliveries, self._queue, self._statuses = settings, deliveries, queue, statuses

    def carry(self, number: int) -> None:
        """Fetch a push and hand it to the queue; what goes wrong is told to the provider and kept in the store."""
        kept = self._deliveries.claim(number)
        if kept is None:
            return
        push = kept.push
        try:
            self._statuses.post(push, "pending", "received; waiting to be graded")
            digest = self._hand_over(kept)
        except Exception as error:
            self._deliveries.move(number, State.FAILED, str(error))
            if isinstance(error, HarnessError):
                log.warning("%s@%s was not queued: %s", push.repository, push.sha[:12], error)
            else:
                log.exception("%s@%s was not queued", push.repository, push.sha[:12])
            self._statuses.post(push, "error", f"not graded: {_public(error)}")
            return
        log.info("%s@%s is queued", push.repository, push.sha[:12])
        # The same files may have been graded already, pushed by another commit.
        self._tell(self._deliveries.move(number, State.QUEUED, digest))

    def resume(self) -> None:
        """Carry on with what was in hand when the process ended. Call it once when the server starts, in a thread."""
        for kept in self._deliveries.queued():
            self._tell(kept)
        for number in self._deliveries.reopen():
            self.carry(number)

    def ended(self, digest: str) -> None:
        """Tell of the grading of a submission, which has just ended, wherever it was pushed."""
        for kept in self._deliveries.of(digest):
            self._tell(kept)

    def _tell(self, kept: Kept) -> None:
        try:
            _, repository = self._settings.of(kept.push)
            verdict = self._queue.verdict(kept.note, repository)
        except HarnessError as error:
            log.warning("%s@%s: nothing can be told of it: %s", kept.push.repository, kept.push.sha[:12], error)
            return
        if verdict:
            self.graded(kept.id, verdict)

    def graded(self, number: int, verdict: Verdict) -> bool:
        """Keep how a push was graded, and tell the provider; False where the provider could not be told."""
        kept = self._deliveries.end(number, State.FAILED if verdict.void else State.GRADED)
        if verdict.void:
            message = "not graded: the harness or its machine failed, not the commit; those who run it look into it"
            return self._statuses.post(kept.push, "error", message)
        under = self._settings.fail_under
        passed = under is None or verdict.points >= under
        said = f"{verdict.points:g} of {verdict.of:g} points" if self._settings.show_points else "graded"
        said += "" if passed else f"; {under:g} are needed" if self._settings.show_points else "; not enough points"
        return self._statuses.post(kept.push, "success" if passed else "failure", said)

    def _hand_over(self, kept: Kept) -> str:
        provider, repository = self._settings.of(kept.push)
        with tempfile.TemporaryDirectory(prefix="harness-push-") as folder:
            submission = fetch(
                provider.clone.format(repository=kept.push.repository),
                kept.push.sha,
                Path(folder) / "submission",
                protocols=provider.protocols,
                token=provider.token(),
                cap_mb=self._settings.fetch_mb,
                seconds=self._settings.fetch_seconds,
            )
            self._queue.take(kept, repository, submission)
            return submission.digest


def _public(error: Exception) -> str:
    # What we did not foresee may hold anything, and a commit status is read by the candidate.
    what, _, remedy = str(error if isinstance(error, HarnessError) else "an error of the server's").partition("\n")
    return f"{what}; {remedy.strip() or 'push or deliver it again'}"

"""A push that was received is fetched, handed to the queue, and its end told to the provider."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.hooks.deliveries import Deliveries, Kept, State
from harness.hooks.fetching import fetch
from harness.hooks.settings import HookSettings, Repository
from harness.hooks.statuses import Statuses
from harness.submission import Submission

Enqueue = Callable[[Kept, Repository, Submission], str]
"""Takes a fetched submission into the queue and returns the address where its grading can be followed, if there is one.

The export is gone once it returns. After a crash it may be called again for the same push, so it goes by the digest.
"""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """How a grading ended, as far as a commit status tells."""

    points: float
    of: float
    """The most that the decided criteria could have given."""
    void: bool = False
    url: str = ""
    """Where the report can be read, by those who may."""


class Courier:
    """Carries pushes from their delivery to the queue, and verdicts back."""

    def __init__(self, settings: HookSettings, deliveries: Deliveries, enqueue: Enqueue, statuses: Statuses) -> None:
        self._settings, self._deliveries, self._enqueue, self._statuses = settings, deliveries, enqueue, statuses

    def carry(self, number: int) -> None:
        """Fetch a push and hand it to the queue; what goes wrong is told to the provider and kept in the store."""
        kept = self._deliveries.claim(number)
        if kept is None:
            return
        push = kept.push
        try:
            self._statuses.post(push, "pending", "received; waiting to be graded")
            url = self._hand_over(kept)
        except Exception as error:
            self._deliveries.move(number, State.FAILED, str(error))
            if isinstance(error, HarnessError):
                log.warning("%s@%s was not queued: %s", push.repository, push.sha[:12], error)
            else:
                log.exception("%s@%s was not queued", push.repository, push.sha[:12])
            self._statuses.post(push, "error", f"not graded: {_public(error)}; push or deliver it again")
            return
        self._deliveries.move(number, State.QUEUED, url)
        log.info("%s@%s is queued", push.repository, push.sha[:12])

    def resume(self) -> None:
        """Carry on with what was in hand when the process ended. Call it once when the server starts, in a thread."""
        for number in self._deliveries.reopen():
            self.carry(number)

    def graded(self, number: int, verdict: Verdict) -> bool:
        """Keep how a push was graded, and tell the provider; False where the provider could not be told."""
        kept = self._deliveries.move(number, State.FAILED if verdict.void else State.GRADED, verdict.url)
        if verdict.void:
            message = "not graded: the harness or its machine failed, not the commit; deliver it again"
            return self._statuses.post(kept.push, "error", message, verdict.url)
        under = self._settings.fail_under
        passed = under is None or verdict.points >= under
        said = f"{verdict.points:g} of {verdict.of:g} points" if self._settings.show_points else "graded"
        said += "" if passed else f"; {under:g} are needed" if self._settings.show_points else "; not enough points"
        return self._statuses.post(kept.push, "success" if passed else "failure", said, verdict.url)

    def _hand_over(self, kept: Kept) -> str:
        provider, repository = self._settings.of(kept.push)
        with tempfile.TemporaryDirectory(prefix="harness-push-") as folder:
            submission = fetch(
                provider.clone.format(repository=kept.push.repository),
                kept.push.sha,
                Path(folder) / plain(repository.candidate or repository.name),
                protocols=provider.protocols,
                token=provider.token(),
                cap_mb=self._settings.fetch_mb,
                seconds=self._settings.fetch_seconds,
            )
            return self._enqueue(kept, repository, submission)


def plain(name: str) -> str:
    """A name that can be a folder's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").lower()[:60] or "submission"


def _public(error: Exception) -> str:
    # What we did not foresee may hold anything, and a commit status is read by the candidate.
    return str(error).splitlines()[0] if isinstance(error, HarnessError) else "an error of the server's"

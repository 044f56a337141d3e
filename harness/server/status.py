"""Where a submission is, for its candidate: as the API says it, and as a page."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import AwareDatetime, ValidationError
from sqlalchemy.orm import Session

from grading.evidence import Record
from grading.report import Report
from harness import challenge as challenges
from harness.errors import HarnessError
from harness.receipts import Receipt
from harness.server import public, queue, submissions
from harness.server.public import PublicReport
from harness.server.refusals import Refused
from harness.server.settings import Settings
from harness.server.tables import Job, State

MESSAGES = {
    State.GRADED: "All stages have run.",
    State.FAILED: "The grading broke off, through no fault of yours. A person looks into it; you need do nothing.",
}
STANDSTILL = (State.GRADED, State.FAILED)
"""States that stay."""


class Status(Record):
    """Where a submission is."""

    state: State
    stage: str
    """The stage at work, where it is being graded."""
    message: str
    position: int | None
    """How many submissions come before it, where it waits."""
    report: str | None
    """Where the report is, as far as it may be seen."""


class Details(Record):
    """A status with what a page shows beside it."""

    status: Status
    receipt: Receipt
    done: tuple[str, ...]
    stages: tuple[str, ...]
    """All stages of the challenge, in order; empty if the challenge is no longer there."""
    finished_at: AwareDatetime | None
    run: str

    @property
    def over(self) -> bool:
        """Whether the status will not change any more by itself."""
        return self.status.state in STANDSTILL


def read(session: Session, invitation: str, digest: str) -> Details:
    """The status of a submission.

    Raises:
        Refused: this invitation has handed in no such submission.
    """
    submission = submissions.find(session, invitation, digest)
    if submission is None:
        raise Refused(
            404,
            f"no submission {digest[:12]} was received under this invitation",
            "Hand it in with 'harness submit'; your receipt names the whole digest.",
        )
    job = session.get_one(Job, submission.id)
    state = State(job.state)
    position = queue.ahead(session, job) if state is State.QUEUED else None
    receipt = submissions.receipt(submission)
    status = Status(
        state=state, stage=job.stage, message=_message(job, state, position), position=position,
        report=f"/v1/submissions/{digest}/report" if state is State.GRADED else None,
    )  # fmt: skip
    done = tuple(name for name in job.done.split(",") if name)
    return Details(
        status=status, receipt=receipt, done=done, stages=_stages(receipt.challenge),
        finished_at=job.finished_at, run=job.run,
    )  # fmt: skip


def report(settings: Settings, details: Details) -> PublicReport:
    """What the candidate may see of a report.

    Raises:
        Refused: there is none yet, or it cannot be read.
    """
    if details.status.state is not State.GRADED:
        raise Refused(404, f"no report yet: the submission is {details.status.state.value}", "Ask again later.")
    folder = settings.runs / details.run
    try:
        # Read anew each time: a review changes it.
        found = Report.model_validate_json((folder / "report.json").read_bytes())
        return public.view(found, challenges.read_spec(folder).rubric.candidate_sees)
    except (OSError, ValidationError, HarnessError) as error:
        raise Refused(503, "the report cannot be read at the moment", "Tell those who invited you.") from error


def page(details: Details, found: PublicReport | None, nonce: str) -> str:
    """The status as a page that needs nothing from elsewhere."""
    values = {"details": details, "status": details.status, "receipt": details.receipt, "report": found}
    return _render("status.html.j2", nonce=nonce, **values)


def refusal_page(refused: Refused) -> str:
    """A refusal as a page."""
    return _render("refusal.html.j2", refused=refused)


def _render(name: str, **values: object) -> str:
    style = Path(__file__).with_name("status.css").read_text("utf-8")
    return _environment().get_template(name).render(style=style, **values)


def _message(job: Job, state: State, position: int | None) -> str:
    if state is State.QUEUED:
        if job.not_before:
            return "The grading broke off through no fault of yours, and is tried again soon."
        if not position:
            return "Next to be graded."
        return f"{position} submission{'s are' if position > 1 else ' is'} before it."
    return MESSAGES.get(state) or job.message or "Starting."


@cache
def _stages(challenge: str) -> tuple[str, ...]:
    try:
        return challenges.named(challenge).spec.stages
    except HarnessError:
        return ()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.server", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["moment"] = lambda moment: f"{_utc(moment)} UTC"
    return environment


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")

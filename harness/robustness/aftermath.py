"""What valid requests get: before and after bad ones, while others are slow, and many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grading.evidence import Check, Outcome
from harness.errors import SubmissionError
from harness.robustness import fuzzing, strain
from harness.robustness.target import TOO_OFTEN, Target

if TYPE_CHECKING:
    import pandas as pd

FEW = 2
ENOUGH_CASES = 30
"""Requests of the fuzzer that say something, if it had to be stopped."""


def baseline(target: Target, rows: pd.DataFrame) -> Any:
    """The answer to a valid request before anything else is sent.

    Raises:
        NotReady: the service does not come up.
        SubmissionError: there is no answer, so nothing can be told of bad requests.
    """
    client = target.client
    try:
        return strain.answer(client, rows.head(FEW))
    except SubmissionError as error:
        raise SubmissionError(f"whether it refuses bad requests cannot be told, for {error}") from error


def still_serves(target: Target, rows: pd.DataFrame, before: Any) -> None:
    """A valid request is answered as before, by the same service that got the bad ones."""
    problem = ""
    if target.deaths:
        what = " and ".join(target.deaths)
        problem = f"The service did not survive {what}. A bad request must harm nobody but its sender."
    else:
        try:
            after = strain.answer(target.client, rows.head(FEW), target.stage.settings.request_seconds)
            if not strain.same(before, after):
                problem = f"The same rows were answered {before} before the bad requests, and {after} after them."
        except SubmissionError as error:
            problem = f"After bad requests {error}."
    message = problem or "After bad requests a valid one is answered as before."
    target.stage.check("serves_after_bad_input", not problem, message)


def slow_callers(target: Target, rows: pd.DataFrame) -> None:
    """Others are answered while one request takes its time to arrive."""
    seconds = target.stage.settings.drip_seconds
    answered = 0 if target.spent else strain.answered_meanwhile(target.client.url, rows.head(FEW), seconds)
    blocked = (
        f"While one request took {seconds:g} s to arrive, no other was answered. Read bodies without holding up a "
        "worker or the event loop, or run more than one."
    )
    if not target.spent and not target.alive():
        target.bury("a slow request")
    message = "Others are answered while a slow request arrives."
    if not answered:
        message = TOO_OFTEN if target.spent else blocked
    target.stage.check(
        "slow_request_does_not_block", answered > 0, message, observed=f"{answered} answered in the meantime"
    )


def concurrent_callers(target: Target, rows: pd.DataFrame) -> None:
    """Many callers at once each get the answers to their own rows."""
    callers = target.stage.settings.callers
    wrong = TOO_OFTEN if target.spent else strain.mixed_up(target.client, rows, callers)
    if not target.spent and not target.alive():
        target.bury("concurrent requests")
    problem = wrong if wrong == TOO_OFTEN else f"With {callers} callers at once {wrong}. Let requests share no state."
    message = problem if wrong else f"{callers} callers at once each get their own answers."
    target.stage.check("concurrent_callers_get_their_own_answers", not wrong, message)


def fuzz(target: Target) -> None:
    """Generated requests, drawn from the contract's own document."""
    stage, name = target.stage, "contract_fuzzing"
    if target.spent:
        stage.check(name, False, TOO_OFTEN)
        return
    challenge = stage.subject.challenge
    found = fuzzing.fuzz(
        challenge.folder / challenge.spec.contract.openapi,
        target.client.url,
        seed=stage.subject.seed.child("fuzzing") % 2**32,
        seconds=stage.settings.fuzzing_seconds,
        examples=stage.settings.fuzzing_examples,
    )
    stage.text_artifact("fuzzing.txt", found.output)
    problem = found.problems[0] if found.problems else ""
    if not target.alive():
        problem = f"Generated requests ended the service. {problem}".strip()
    if found.stopped and not problem and found.cases < ENOUGH_CASES:
        few = f"The fuzzer had to be stopped after {found.cases} requests: too few to say anything."
        stage.record(Check(name=name, outcome=Outcome.ERROR, message=few))
        return
    message = problem or "Generated requests find no server error."
    stage.check(name, not problem, message, observed=f"{found.cases} generated requests were answered")

"""A service with a sound model: alive before it is ready, answering from the moment it says so, and after a SIGKILL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from harness.client import Client, NoAnswer, Reply, plain_http
from harness.errors import SubmissionError
from harness.readiness import NOTHING_LISTENS, NotReady, wait_ready
from harness.resilience.batches import Batch, Batches, send
from harness.resilience.settings import Settings
from harness.sandbox import Service
from harness.stages import Stage

INTERVAL = 0.01
"""Seconds between two looks at its readiness: a service that is ready too soon must not gain time by our sleep."""
AGAIN = 0.25
FEW = 8
"""Rows of a request that every service answers at once."""
SOME = 50
"""Rows of a request that is tried where larger ones are not answered."""


@dataclass(frozen=True)
class Pace:
    """How fast an undisturbed service is, so that what is sent takes long enough, and not too long."""

    start_seconds: float
    most_rows: int
    """Of a request that it was seen to answer."""
    row_seconds: float
    """For one row of such a request."""

    def rows(self, seconds: float, most: int) -> int:
        """Rows of a request that takes about so long, and never more than `most`."""
        return max(1, min(most, int(seconds / self.row_seconds)))


def first_answers(stage: Stage[Settings], service: Service, batches: Batches) -> Pace:
    """Wait until it is ready, ask it at once, and record how that went.

    Raises:
        NotReady: it does not come up.
        SubmissionError: it answers no valid request, so nothing can be told of any further ones.
    """
    contract, live = stage.subject.challenge.spec.contract, list[int]()
    callers = [batches.make(FEW) for _ in range(stage.settings.first_callers)]
    with httpx.Client(base_url=service.url, timeout=2.0, trust_env=False, verify=plain_http()) as http:

        def look(why: str) -> None:
            if why != NOTHING_LISTENS and (status := _status(http, stage.settings.live_path)):
                live.append(status)

        with stage.ledger.span("serving"):
            seconds = wait_ready(service, contract.ready_paths, contract.ready_seconds, look, interval=INTERVAL)
        with stage.ledger.span("measuring"):
            answers = _at_once(service, callers, stage.settings.request_seconds)
            look("")
            _live(stage, live)
            _judge(stage, service, batches, callers, answers)
            return _pace(stage, service, batches, seconds)


def restart(stage: Stage[Settings], service: Service, batches: Batches) -> None:
    """Kill it and start it again, and record whether it serves as before."""
    contract, batch = stage.subject.challenge.spec.contract, batches.make(FEW)
    seconds, problem = 0.0, ""
    with stage.ledger.span("serving"):
        service.restart()
        try:
            seconds = wait_ready(service, contract.ready_paths, contract.ready_seconds)
        except NotReady as error:
            problem = f"it did not come up again: {error}"
    if not problem:
        with stage.ledger.span("measuring"):
            _, problem = settled(stage, service, batches, [batch])
    advice = "Let a start depend on nothing that an earlier run has left, or has not put in order."
    stage.check(
        "restarts",
        not problem,
        f"After SIGKILL and a new start, {problem}. {advice}" if problem else "Killed and started again, it serves.",
        expected="ready again, and a right answer",
        observed=f"ready after {seconds:.2f} s" if seconds else "not ready",
    )


def _live(stage: Stage[Settings], live: list[int]) -> None:
    wrong = next((str(status) for status in live if status != 200), "" if live else "nothing")
    problem = (
        f"GET {stage.settings.live_path} answers {wrong} while the service serves. Let it answer 200 whatever the "
        "model does, or a platform restarts a service that only needs time."
    )
    stage.check(
        "live_before_ready",
        not wrong,
        problem if wrong else "The liveness route answers as soon as anything does.",
        expected="200",
        observed=", ".join(map(str, dict.fromkeys(live))),
    )


def _at_once(service: Service, batches: Sequence[Batch], seconds: float) -> list[Reply | NoAnswer]:
    """What each caller gets, on a connection of its own: of several workers, more than one should be met."""

    def ask(batch: Batch) -> Reply | NoAnswer:
        with Client(service.url) as client:
            try:
                return send(client, batch, seconds)
            except NoAnswer as error:
                return error

    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(ask, batches))


def _judge(
    stage: Stage[Settings],
    service: Service,
    batches: Batches,
    callers: list[Batch],
    first: list[Reply | NoAnswer],
) -> None:
    """Hold the first answers against the model's; or against later ones, if those are not the model's either.

    Raises:
        SubmissionError: there are no answers later either.
    """
    problem = _problem(batches, callers, first)
    later, still = settled(stage, service, batches, callers) if problem else (first, "")
    answered = all(isinstance(reply, Reply) and reply.status == 200 for reply in later)
    if still and answered:
        batches.strict = False
        alike = all(_value(one) == _value(two) for one, two in zip(first, later, strict=True))
        problem = "" if alike else "the same rows got other answers later"
    path = stage.subject.challenge.spec.contract.ready_paths[0]
    advice = "Say that you are ready once the model is loaded and has made a prediction, in every worker."
    stage.check(
        "ready_means_answering",
        not problem,
        f"Right after {path} said 200, {problem}. {advice}" if problem else "From the moment it is ready, it answers.",
        expected=f"{len(callers)} right answers to {len(callers)} callers",
    )
    if still and not answered:
        raise SubmissionError(f"how it takes strain cannot be told: to a valid request, {still}")


def settled(
    stage: Stage[Settings], service: Service, batches: Batches, callers: list[Batch]
) -> tuple[list[Reply | NoAnswer], str]:
    """The answers to several callers at once, as soon as all are right, or else the last ones.

    With them, what is wrong with the last ones, or an empty string.
    """
    begun = time.monotonic()
    while True:
        answers = _at_once(service, callers, stage.settings.request_seconds)
        problem = _problem(batches, callers, answers)
        # Whatever it says, one that cannot answer may still be starting; one that answers wrongly has started.
        starting = any(isinstance(reply, NoAnswer) or reply.status >= 500 for reply in answers)
        patience = stage.subject.challenge.spec.contract.ready_seconds if starting else stage.settings.settle_seconds
        if not problem or time.monotonic() - begun > patience:
            return answers, problem
        time.sleep(AGAIN)


def _problem(batches: Batches, sent: Sequence[Batch], answers: Sequence[Reply | NoAnswer]) -> str:
    """What is wrong with the first answer that is wrong, or an empty string."""
    wrong = (
        str(answer) if isinstance(answer, NoAnswer) else batches.wrong(answer, batch)
        for answer, batch in zip(answers, sent, strict=True)
    )
    return next(filter(None, wrong), "")


def _value(answer: Reply | NoAnswer) -> object:
    """Something that is equal for equal answers."""
    try:
        return answer.json() if isinstance(answer, Reply) and answer.status == 200 else None
    except SubmissionError:
        return None


def _pace(stage: Stage[Settings], service: Service, batches: Batches, start_seconds: float) -> Pace:
    with Client(service.url) as client:
        for rows in (stage.settings.usual_rows, SOME):
            try:
                # The first one may pay for what the second does not.
                send(client, batches.make(rows), stage.settings.request_seconds)
                reply = send(client, batches.make(rows), stage.settings.request_seconds)
            except NoAnswer as error:
                said = str(error)
                continue
            if reply.status == 200:
                return Pace(start_seconds, rows, reply.seconds / rows)
            said = f"it was answered {reply.status}"
    raise SubmissionError(f"how it takes strain cannot be told: a request of {SOME} rows got no answer: {said}")


def _status(http: httpx.Client, path: str) -> int:
    try:
        with http.stream("GET", path) as answer:
            return answer.status_code
    except httpx.HTTPError:
        # Before it is ready, a service may drop connections at any moment.
        return 0

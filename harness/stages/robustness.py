"""Malformed, oversized, slow and concurrent requests: the service refuses what it must and goes on serving."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import Field

from grading.evidence import Record
from harness.client import Client, NoAnswer, Reply
from harness.errors import InfrastructureError, SubmissionError
from harness.payloads import INVOCATIONS, predictions, split
from harness.robustness import fuzzing, malformed, strain
from harness.sandbox import Service
from harness.stages import Stage

if TYPE_CHECKING:
    import pandas as pd

NEEDS_SERVICE = True
RECORDS = (
    "empty_body", "broken_json", "not_an_object", "unknown_key", "missing_column", "text_in_numeric_column",
    "ragged_rows", "invalid_utf8", "wrong_content_type", "deep_nesting", "zero_rows", "oversized_body",
    "no_traceback", "errors_are_json", "serves_after_bad_input", "counters_ignore_bad_input",
    "slow_request_does_not_block", "concurrent_callers_get_their_own_answers", "not_found_and_method",
    "contract_fuzzing",
)  # fmt: skip
FAIR = "400, 413, 415 or 422"
LEAKS = ("Traceback (most recent call last)", "site-packages", 'File "/', "/app/")


class Settings(Record):
    """How much is sent."""

    oversized_mb: int = Field(64, ge=1)
    drip_seconds: float = Field(3.0, gt=0)
    drip_clients: int = Field(4, ge=1)
    callers: int = Field(8, ge=2)
    fuzzing_seconds: int = Field(6, ge=1)
    fuzzing_examples: int = Field(25, ge=1)
    counter: str = "model_predictions_total"
    drift_path: str = "/monitoring/drift"


def run(stage: Stage[Settings]) -> None:
    """Send bad input first and see what it left behind, then strain the service, then fuzz it."""
    import numpy as np

    subject = stage.subject
    rng = np.random.default_rng(subject.seed.child("robustness"))
    rows: pd.DataFrame = subject.challenge.data.sample(40, rng)
    with stage.service(model=subject.hidden_model()) as (service, client), stage.ledger.span("measuring"):
        stage.say("malformed requests")
        _bad_input(stage, service, client, rows.head(3))
        if not _answers(service, client):
            _not_reached(stage)
            return
        stage.say("slow and concurrent clients")
        _strain(stage, client, rows)
        stage.say("fuzzing against the contract")
        _fuzz(stage, service, client)


def _not_reached(stage: Stage[Settings]) -> None:
    """A service that bad input killed is not strained further: each wait for it would end at its deadline."""
    recorded = {check.name for check in stage.checks}
    for name in RECORDS:
        if name not in recorded:
            stage.check(name, False, "not reached: the service no longer answers after the malformed requests")


def _bad_input(stage: Stage[Settings], service: Service, client: Client, frame: pd.DataFrame) -> None:
    """Everything that must be refused, and what the service is like afterwards."""
    settings = stage.settings
    before = _valid(client, frame)
    counted = strain.counters(client, settings.counter, settings.drift_path)
    replies: list[tuple[str, Reply]] = []
    for case in malformed.requests(frame):
        if reply := _refused(stage, client, case):
            replies.append((case.what, reply))
    replies += _routes(stage, client)
    _says_nothing_of_its_inside(stage, replies)
    _counters_unmoved(stage, client, counted)
    _zero_rows(stage, client, frame)
    _oversized(stage, service, client, frame)
    after = _valid(client, frame)
    alive = service.state().running and not isinstance(after, str)
    passed = alive and not isinstance(before, str) and strain.same(before, after)
    message = "valid requests are answered as before once bad ones have been refused"
    if not passed:
        why = after if isinstance(after, str) else "its predictions changed"
        message = f"after the bad requests a valid one is no longer answered as before: {why}"
    stage.check("serves_after_bad_input", passed, message, expected=before, observed=after)


def _refused(stage: Stage[Settings], client: Client, case: malformed.Malformed) -> Reply | None:
    """Send one malformed request; any 4xx is right, and a broken connection is no answer."""
    try:
        reply = client.request("POST", INVOCATIONS, body=case.body, headers={"content-type": case.content_type})
    except NoAnswer as error:
        message = f"{case.what} got no answer: refuse it with a 4xx"
        stage.check(case.name, False, message, expected=FAIR, observed=str(error))
        return None
    passed = 400 <= reply.status < 500 and reply.status not in (404, 405)
    message = f"{case.what} was refused with {reply.status}"
    if not passed:
        message = f"{case.what} was answered {reply.status}: validate requests, and refuse this one with {FAIR}"
    observed = f"{reply.status} {reply.text[:200]}"
    stage.check(case.name, passed, message, expected=FAIR, observed=observed, seconds=reply.seconds)
    return reply


def _routes(stage: Stage[Settings], client: Client) -> list[tuple[str, Reply]]:
    """A route that is not there, and the wrong method on one that is."""
    asked = {"GET /no-such-route": ("/no-such-route", (404,)), f"GET {INVOCATIONS}": (INVOCATIONS, (404, 405))}
    replies, wrong = [], []
    for what, (path, fair) in asked.items():
        try:
            reply = client.get(path)
        except NoAnswer as error:
            wrong.append(f"{what}: {error}")
            continue
        replies.append((what, reply))
        if reply.status not in fair:
            wrong.append(f"{what} answers {reply.status} instead of {' or '.join(map(str, fair))}")
    stage.check("not_found_and_method", not wrong, "; ".join(wrong) or "unknown routes and methods are refused")
    return replies


def _says_nothing_of_its_inside(stage: Stage[Settings], replies: list[tuple[str, Reply]]) -> None:
    """Refusals are JSON, and tell the caller nothing of the code behind them."""
    leaks = [(what, leak) for what, reply in replies for leak in LEAKS if leak in reply.text]
    said = (
        f"the answer to {leaks[0][0]} holds {leaks[0][1]!r}: log exceptions, and answer without them" if leaks else ""
    )
    nothing = "no malformed request was answered at all"
    stage.check(
        "no_traceback", bool(replies) and not leaks, said or ("no answer tells of the inside" if replies else nothing)
    )
    errors = [(what, reply) for what, reply in replies if reply.status >= 400 and not what.startswith("GET ")]
    plain = [(what, reply) for what, reply in errors if not _is_json(reply)]
    message = f"the answer to {plain[0][0]} is not JSON: {plain[0][1].text[:80]!r}" if plain else "refusals are JSON"
    stage.check("errors_are_json", bool(errors) and not plain, message if errors else nothing)


def _is_json(reply: Reply) -> bool:
    with suppress(SubmissionError):
        reply.json()
        return True
    return False


def _counters_unmoved(stage: Stage[Settings], client: Client, before: dict[str, float]) -> None:
    after = strain.counters(client, stage.settings.counter, stage.settings.drift_path)
    if not before:
        message = f"there is no counter of scored rows to look at: neither {stage.settings.counter} nor n_observed"
        stage.check("counters_ignore_bad_input", False, message)
        return
    moved = [name for name in before if after.get(name) != before[name]]
    message = f"{' and '.join(moved)} moved though nothing was scored: count rows only once they have been scored"
    message = message if moved else "refused rows are not counted"
    stage.check("counters_ignore_bad_input", not moved, message, expected=before, observed=after)


def _zero_rows(stage: Stage[Settings], client: Client, frame: pd.DataFrame) -> None:
    body = malformed.zero_rows(frame)
    try:
        reply = client.request("POST", INVOCATIONS, body=body, headers={"content-type": malformed.JSON})
        passed = 400 <= reply.status < 500 or (reply.status == 200 and predictions(reply, 0) == [])
        observed = f"{reply.status} {reply.text[:200]}"
    except SubmissionError as error:
        passed, observed = False, str(error)
    message = (
        "a request without rows is answered"
        if passed
        else "answer a request without rows with no predictions, or refuse it"
    )
    stage.check("zero_rows", passed, message, expected="200 with no predictions, or a 4xx", observed=observed)


def _oversized(stage: Stage[Settings], service: Service, client: Client, frame: pd.DataFrame) -> None:
    """A body far over any sensible limit; a reset connection is as good as a 413."""
    size = stage.settings.oversized_mb
    body = malformed.oversized(frame, size * 2**20)
    try:
        reply = client.request("POST", INVOCATIONS, body=body, headers={"content-type": malformed.JSON}, seconds=20)
        passed, observed = 400 <= reply.status < 500, str(reply.status)
    except NoAnswer as error:
        # A service that died of the body closes the connection too.
        passed, observed = "within" not in str(error) and service.state().running, str(error)
    message = f"a body of {size} MB is refused"
    if not passed:
        message = f"a body of {size} MB was not refused ({observed}): limit the size of a body and answer 413"
    stage.check(
        "oversized_body", passed, message, expected="413, another 4xx, or a closed connection", observed=observed
    )


def _strain(stage: Stage[Settings], client: Client, rows: pd.DataFrame) -> None:
    settings = stage.settings
    try:
        taken = strain.answered_while_dripping(
            client, rows.head(3), clients=settings.drip_clients, seconds=settings.drip_seconds
        )
        passed, observed = True, f"the slowest of {len(taken)} took {max(taken):.3f} s"
    except SubmissionError as error:
        passed, observed = False, str(error)
    message = f"others are answered while {settings.drip_clients} slow clients send"
    if not passed:
        message = (
            f"while {settings.drip_clients} slow clients were sending, others were not answered: don't block on a body"
        )
    stage.check("slow_request_does_not_block", passed, message, observed=observed)
    try:
        changed = strain.mixed_up(client, rows, callers=settings.callers)
        passed, observed = changed is None, "" if changed is None else str(changed)
    except SubmissionError as error:
        passed, observed = False, str(error)
    message = f"{settings.callers} callers at once each get their own answers"
    if not passed:
        message = (
            f"with {settings.callers} callers at once an answer was missing or another's: share no state between them"
        )
    stage.check("concurrent_callers_get_their_own_answers", passed, message, observed=observed)


def _fuzz(stage: Stage[Settings], service: Service, client: Client) -> None:
    settings, challenge = stage.settings, stage.subject.challenge
    try:
        found = fuzzing.fuzz(
            challenge.folder / challenge.spec.contract.openapi,
            service.url,
            stage.artifact_path("fuzzing.txt").parent,
            seed=stage.subject.seed.child("fuzzing") % 2**32,
            seconds=settings.fuzzing_seconds,
            examples=settings.fuzzing_examples,
        )
    except TimeoutError as error:
        if _answers(service, client):
            raise InfrastructureError(str(error)) from error
        stage.check("contract_fuzzing", False, "the service stopped answering while unusual requests were sent to it")
        return
    stage.text_artifact("fuzzing.txt", found.output)
    message = f"{found.operations} operations keep to the contract's OpenAPI document"
    if found.failures:
        message = f"an answer breaks the contract: {found.failures[0][:600]}"
    stage.check("contract_fuzzing", found.operations > 0 and not found.failures, message)


def _answers(service: Service, client: Client) -> bool:
    with suppress(NoAnswer):
        client.get("/livez", seconds=3)
        return service.state().running
    return False


def _valid(client: Client, frame: pd.DataFrame) -> list[object] | str:
    """The answer to a valid request, or why there is none."""
    try:
        return predictions(client.post(INVOCATIONS, split(frame)), len(frame))
    except SubmissionError as error:
        return str(error)

"""Resilience: readiness that tells the truth, a drain on SIGTERM, a restart after SIGKILL, and memory under strain.

Each part has a service of its own, and they run beside each other: nothing here is graded by how long it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.errors import SubmissionError
from harness.readiness import wait_ready
from harness.resilience import drain, memory, sound, unready
from harness.resilience.batches import Batches
from harness.resilience.settings import Settings
from harness.resilience.sound import FEW, Pace
from harness.sandbox import Service
from harness.stages import Stage

__all__ = ["NEEDS_SERVICE", "RECORDS", "TIMED", "Settings", "run"]
NEEDS_SERVICE = True
TIMED = False
RECORDS = (
    "not_ready_without_model", "not_ready_with_damaged_model", "not_ready_says_why", "live_before_ready",
    "ready_means_answering", "drops_no_request", "accepts_no_new_request", "stops_in_time", "exit_code", "restarts",
    "survives_large_batches", "memory_does_not_grow", "stop_seconds", "memory_growth",
)  # fmt: skip
SETTLING = 1.0
"""Seconds beyond twice a sound start in which a service without a sound model may still make up its mind."""
Known = Future[tuple[Batches, Pace]]
"""What the service with a sound model tells the others; or why it could not."""
Examine = Callable[[Stage[Settings], Service, Batches, Pace], None]


def run(stage: Stage[Settings]) -> None:
    """Examine services with a sound, a damaged and no model beside each other.

    Raises:
        NotReady: it does not come up with a sound model.
        SubmissionError: it answers no valid request.
    """
    subject = stage.subject
    model, _ = subject.hidden_model(), stage.image
    known: Known = Future()
    with unready.damaged(subject.published_model) as damaged, ThreadPoolExecutor(5) as pool:
        stage.say("starts, with a model and without one")
        enough, nowhere = _enough(stage, known), {"MODEL_URI": unready.NOWHERE}
        missing = pool.submit(unready.watch, stage, "no_model", enough, env=nowhere)
        broken = pool.submit(unready.watch, stage, "damaged_model", enough, env={}, model=damaged)
        strained = [
            pool.submit(_strain, stage, name, model, known, examine)
            for name, examine in (("drain", drain.examine), ("memory", memory.examine))
        ]
        first = pool.submit(_first, stage, model, known)
        jobs: list[Future[Any]] = [first, *strained, missing, broken]
        errors = [error for job in jobs if (error := job.exception()) is not None]
        if missing.exception() is None and broken.exception() is None:
            unready.record(stage, missing.result(), broken.result())
    # What is ours comes before what is theirs: it leaves the stage undecided.
    for error in sorted(errors, key=lambda error: isinstance(error, SubmissionError)):
        raise error


def _first(stage: Stage[Settings], model: Path, known: Known) -> None:
    """The service that shows how fast it is, and is then killed and started again."""
    port = stage.subject.challenge.spec.contract.port
    try:
        # It takes seconds, in which the others start: before this service does, whose first moments are watched.
        batches = Batches(model, stage.subject.challenge.data.sample, stage.subject.seed.child("resilience"))
        with stage.launched("sound", env={"PORT": str(port)}, model=model) as service:
            pace = sound.first_answers(stage, service, batches)
            known.set_result((batches, pace))
            stage.say("SIGTERM, SIGKILL, and large requests")
            sound.restart(stage, service, batches)
    except BaseException as error:
        if not known.done():
            known.set_exception(error)
        raise


def _strain(stage: Stage[Settings], name: str, model: Path, known: Known, examine: Examine) -> None:
    """A service that is examined once it is known how fast it is."""
    contract = stage.subject.challenge.spec.contract
    with stage.launched(name, env={"PORT": str(contract.port)}, model=model) as service:
        with stage.ledger.span("serving"):
            wait_ready(service, contract.ready_paths, contract.ready_seconds)
        batches, pace = known.result()
        with stage.ledger.span("serving"):
            # One that says that it is ready too soon has lost `ready_means_answering`, and no other check by that.
            sound.settled(stage, service, batches, [batches.make(FEW) for _ in range(stage.settings.first_callers)])
        examine(stage, service, batches, pace)


def _enough(stage: Stage[Settings], known: Known) -> unready.Enough:
    """Without a sound model a service is watched for as long as a start takes with one, and as long again.

    One that is silent is watched up to the contract's own limit: of several that start at once, on a busy machine, the
    last may come late.
    """
    most = stage.subject.challenge.spec.contract.ready_seconds

    def enough(watched: float, answered: bool) -> bool:
        if known.done() and known.exception() is not None:
            return True
        if not known.done() or not answered:
            return watched > most
        return watched > 2 * known.result()[1].start_seconds + SETTLING

    return enough

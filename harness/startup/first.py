"""The first start, as the contract has it: does it come up, and how fast?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from grading.evidence import Check, Outcome
from harness.errors import SubmissionError
from harness.inspection import start_failure
from harness.readiness import NotReady, wait_ready
from harness.sandbox import CannotStart, Service
from harness.stages import Stage
from harness.startup.settings import Settings


@dataclass
class Start:
    """What was seen while a service started."""

    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    """Until it was ready, its container's start included; zero before."""


@contextmanager
def ready(stage: Stage[Settings]) -> Iterator[tuple[Service, Start]]:
    """The service, once it is ready.

    Raises:
        NotReady: it does not come up; the check `becomes_ready` has been recorded with the reason.
    """
    contract = stage.subject.challenge.spec.contract
    _ = stage.image  # what does not build is another matter than what does not start
    stage.say("first start")
    start = Start()
    try:
        with stage.launched("first", env={"PORT": str(contract.port)}) as service:
            with stage.ledger.span("serving"):
                wait_ready(service, contract.ready_paths, contract.ready_seconds)
            start.seconds = time.monotonic() - start.began
            yield service, start
    except SubmissionError as error:
        if start.seconds:
            raise
        why = "\n".join(filter(None, (_in_plain_words(stage, error), str(error))))
        stage.check("becomes_ready", False, why, expected=f"ready within {contract.ready_seconds:g} s")
        raise NotReady(why) from error


def _in_plain_words(stage: Stage[Settings], error: SubmissionError) -> str:
    """A cause that what was raised does not name; empty where it does, or where none is known."""
    if isinstance(error, CannotStart):
        return start_failure.cause(str(error))
    own = (value for value in stage.image.config.get("Env") or () if value.startswith("MODEL_URI=/"))
    path = next(own, "").removeprefix("MODEL_URI=") or stage.subject.challenge.spec.contract.model_path
    try:
        files = stage.subject.sandbox.contents(stage.image, [path]).files
    except NotImplementedError:
        return ""
    if any(name.endswith("/MLmodel") for name in files):
        return ""
    return f"The image has no model: there is no MLmodel file below {path}. COPY it there, and see that git tracks it."


def _cold_start(stage: Stage[Settings], service: Service, start: Start) -> None:
    """Record how long it took, unless it was slow on a machine that something else keeps busy."""
    if start.seconds > stage.settings.quick_seconds and (share := _others(service)) > stage.settings.busy:
        message = (
            f"Inconclusive, through no fault of the submission: it took {start.seconds:.1f} s while others used "
            f"{share:.0%} of a core."
        )
        stage.record(Check(name="cold_start", outcome=Outcome.ERROR, message=message))
        return
    stage.measure("cold_start", start.seconds, "s")


def _others(service: Service) -> float:
    """Share of the busiest core that is in use for a second in which the service is frozen: none of it is its doing."""
    service.freeze(True)
    try:
        return float(max(psutil.cpu_percent(interval=1.0, percpu=True))) / 100
    finally:
        service.freeze(False)


def record(stage: Stage[Settings], service: Service, start: Start) -> None:
    """Record how the first start went."""
    stage.check("becomes_ready", True, "The service becomes ready.", observed=f"{start.seconds:.2f} s")
    _cold_start(stage, service, start)
    stage.measure("time_to_serving", stage.image.build_seconds + start.seconds, "s", note="build and cold start")
    if (memory := service.memory_mb()) is not None:
        stage.measure("memory_mb", memory, "MB", note="at rest")

"""The first start, as the contract has it: does it come up, how fast, and is it alive while it is not ready?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from harness.errors import SubmissionError
from harness.readiness import NOTHING_LISTENS, NotReady, wait_ready
from harness.sandbox import Launch, Service
from harness.stages import Stage
from harness.startup.settings import Settings


@dataclass
class Start:
    """What was seen while a service started."""

    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    """Until it was ready, its container's start included; zero before."""
    live: list[int] = field(default_factory=list)
    """Answers of the liveness route once anything answered, the last of them when it was ready."""


@contextmanager
def launched(stage: Stage[Settings], name: str, env: Mapping[str, str], port: int) -> Iterator[Service]:
    """A service that was started, but not waited for. Its output is kept.

    Raises:
        CannotStart: there is nothing to run in the image.
    """
    launch = Launch(name, env, {}, "", port)
    limits = stage.subject.challenge.spec.limits
    with stage.ledger.span("serving"), stage.subject.sandbox.start(stage.image, limits, launch) as service:
        try:
            yield service
        finally:
            stage.text_artifact(f"{name}.log", service.logs())


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
        with launched(stage, "first", {"PORT": str(contract.port)}, contract.port) as service:
            _wait(stage, service, start)
            yield service, start
    except SubmissionError as error:
        if start.seconds:
            raise
        stage.check("becomes_ready", False, str(error), expected=f"ready within {contract.ready_seconds:g} s")
        raise NotReady(str(error)) from error


def record(stage: Stage[Settings], service: Service, start: Start) -> None:
    """Record how the first start went."""
    stage.check("becomes_ready", True, "The service becomes ready.", observed=f"{start.seconds:.2f} s")
    stage.measure("cold_start", start.seconds, "s")
    stage.measure("time_to_serving", stage.image.build_seconds + start.seconds, "s", note="build and cold start")
    if (memory := service.memory_mb()) is not None:
        stage.measure("memory_mb", memory, "MB", note="at rest")
    wrong = next((str(status) for status in start.live if status != 200), "" if start.live else "nothing")
    problem = (
        f"GET {stage.settings.live_path} answers {wrong} while the service serves. Let it answer 200 whatever the "
        "model does, or a platform restarts a service that only needs time."
    )
    stage.check(
        "live_before_ready",
        not wrong,
        problem if wrong else "The liveness route answers as soon as anything does.",
        expected="200",
        observed=", ".join(map(str, dict.fromkeys(start.live))),
    )


def _wait(stage: Stage[Settings], service: Service, start: Start) -> None:
    contract = stage.subject.challenge.spec.contract
    with httpx.Client(base_url=service.url, timeout=2.0, trust_env=False) as http:

        def look(why: str) -> None:
            if why != NOTHING_LISTENS and (status := _status(http, stage.settings.live_path)):
                start.live.append(status)

        wait_ready(service, contract.ready_paths, contract.ready_seconds, look)
        start.seconds = time.monotonic() - start.began
        look("")


def _status(http: httpx.Client, path: str) -> int:
    try:
        with http.stream("GET", path) as answer:
            return answer.status_code
    except httpx.HTTPError:
        # Before it is ready, a service may drop connections at any moment.
        return 0

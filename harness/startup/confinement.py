"""How a running service gets on with its confinement: user, address, file system, health check."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import numpy as np

from grading.evidence import Check, Outcome
from harness import listeners, payloads
from harness.client import Client
from harness.errors import SubmissionError
from harness.inspection import start_failure
from harness.sandbox import Service
from harness.stages import Stage
from harness.startup.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

CONTAINER_ONLY = (
    "listens_on_all_interfaces", "runs_as_non_root", "writes_nothing_outside_tmp", "healthcheck_passes",
)  # fmt: skip
ROWS = 8
HEALTH_ATTEMPTS = 3
HEALTH_SECONDS = 10.0
"""At most, whatever time the image gives its health check."""
LOG_SECONDS = 0.5
"""Until what a service prints of a failure, often after its answer, can be read."""
NOT_FOUND = (126, 127)
"""Exit codes of shells and engines for a program that cannot be run."""


def look(stage: Stage[Settings], service: Service) -> None:
    """Record how it gets on."""
    if stage.subject.sandbox.name == "local":
        for name in CONTAINER_ONLY:
            stage.not_assessed(name, "A plain process has no container, and no user of its own.")
        return
    _address_and_user(stage, service)
    _file_system(stage, service)
    _health_check(stage, service)


def _address_and_user(stage: Stage[Settings], service: Service) -> None:
    processes = service.processes()
    found = listeners.of(processes) or ()
    stage.check(
        "listens_on_all_interfaces",
        True,
        "It answers at its container's own address.",
        observed=", ".join(f"{one.address}:{one.port}" for one in found),
    )
    root = [process for process in processes if process.uid == 0]
    problem = "Its processes could not be listed: it ended while it was looked at."
    if root:
        problem = f"Root runs `{root[0].command[:80]}`. Set USER in the Dockerfile to a number other than 0."
    alright = bool(processes) and not root
    stage.check(
        "runs_as_non_root",
        alright,
        "No process of the service is root's." if alright else problem,
        expected="no process with uid 0",
        observed=", ".join(sorted({f"uid {process.uid}" for process in processes})),
    )


def _file_system(stage: Stage[Settings], service: Service) -> None:
    """It came up with a read-only root; a prediction must work there too."""
    rows = _rows(stage)
    problem = ""
    with Client(service.url) as client, stage.ledger.span("measuring"):
        try:
            payloads.predictions(client.post(payloads.INVOCATIONS, payloads.split(rows)), len(rows))
        except SubmissionError as error:
            problem = f"It starts on a read-only file system, but no prediction shows that it works there: {error}"
    if problem:
        time.sleep(LOG_SECONDS)
    path = start_failure.read_only(service.logs()) if problem else None
    if path is not None:
        problem = f"A request makes it write to its own file system, which is read-only{f': {path}' if path else ''}"
    stage.check(
        "writes_nothing_outside_tmp",
        not problem,
        f"{problem}. Write to /tmp only." if problem else "It starts and predicts on a read-only file system.",
    )


def _rows(stage: Stage[Settings]) -> pd.DataFrame:
    rows: pd.DataFrame = stage.subject.challenge.data.sample(
        ROWS, np.random.default_rng(stage.subject.seed.child("startup"))
    )
    return rows


def _health_check(stage: Stage[Settings], service: Service) -> None:
    """Run the image's own health check as the engine would; it is off otherwise, so that it disturbs no measurement."""
    config = stage.image.config
    declared = config.get("Healthcheck") or {}
    test = list(declared.get("Test") or [])
    if not test or test[0] == "NONE":
        absent = "There is no HEALTHCHECK to run. The image stage counts that."
        stage.record(Check(name="healthcheck_passes", outcome=Outcome.SKIPPED, message=absent))
        return
    command = [*(config.get("Shell") or ["/bin/sh", "-c"]), test[1]] if test[0] == "CMD-SHELL" else test[1:]
    seconds = min(HEALTH_SECONDS, (declared.get("Timeout") or HEALTH_SECONDS * 1e9) / 1e9)
    code: int | None = None
    for attempt in range(HEALTH_ATTEMPTS):
        time.sleep(1 if attempt else 0)
        with stage.ledger.span("measuring"):
            code = service.execute(command, seconds)
        if code == 0:
            break
    how = "does not end in time" if code is None else f"exits with code {code}"
    hidden = bool(code) and test[0] == "CMD-SHELL" and not _has(service, command[:-1], test[1])
    missing = " The program that it names is not in the image." if hidden or code in NOT_FOUND else ""
    problem = f"The HEALTHCHECK {how} on a service that is ready.{missing} Try it with `docker exec`."
    stage.check(
        "healthcheck_passes",
        code == 0,
        "The image's own health check passes." if code == 0 else problem,
        observed=" ".join(command)[:300],
    )


def _has(service: Service, shell: list[str], script: str) -> bool:
    """Whether the first program of a script is in the image: behind `curl ... || exit 1` the exit code hides that."""
    program = re.match(r"[\w./-]+", script)
    return program is None or service.execute([*shell, f"command -v {program[0]}"], HEALTH_SECONDS) == 0

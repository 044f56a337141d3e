"""SIGTERM under load: what is in flight is answered, nothing new is begun, and the process ends in time.

Four checks, because none follows from another: a process that exits at once with code 0 has dropped what was in flight.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from harness.client import Client, NoAnswer
from harness.resilience.batches import Batches, send
from harness.resilience.flight import Flight
from harness.resilience.settings import Settings
from harness.resilience.sound import FEW, Pace
from harness.sandbox import Service
from harness.stages import Stage

CLEAN = (0, 128 + 15)
"""Exit codes of a process that ended of its own accord, or by SIGTERM."""
SHED = (429, 503)
"""Answers of a service that takes no more for now; before SIGTERM they are as good as any."""
SENDING_SECONDS = 5.0
ACCEPTED_SECONDS = 5.0
PROBE_INTERVAL = 0.2


def examine(stage: Stage[Settings], service: Service, batches: Batches, pace: Pace) -> None:
    """Send SIGTERM while requests are in flight, and record what becomes of them, of new ones, and of the process."""
    settings, grace = stage.settings, stage.subject.challenge.spec.contract.stop_seconds
    rows = pace.rows(settings.heavy_seconds, settings.heavy_rows)
    with stage.ledger.span("measuring"):
        rows = _taken(service, batches, rows, pace.most_rows, settings.request_seconds)
        patience = grace + settings.request_seconds
        arriving = Flight(service.url, batches.make(FEW), patience, held=True)
        flights = [Flight(service.url, batches.make(rows), patience) for _ in range(settings.in_flight)]
        _wait_until_accepted(service, [arriving, *flights], settings.live_path)
        landed = [flight for flight in flights if flight.landed]
        with ThreadPoolExecutor(1) as pool:
            start = time.monotonic()
            stopping = pool.submit(service.stop, grace)
            begun = _begun_after(settings, service, batches, start)
            time.sleep(max(0.0, start + settings.draining_seconds - time.monotonic()))
            arriving.release()
            seconds = stopping.result()
        for flight in (arriving, *flights, *begun):
            flight.land()
    refused = [flight for flight in landed if flight.reply is not None and flight.reply.status in SHED]
    _requests(stage, batches, [flight for flight in (arriving, *flights) if flight not in refused], len(landed))
    _end(stage, service, seconds, [flight.reply.status for flight in begun if flight.reply is not None])


def _taken(service: Service, batches: Batches, rows: int, sure: int, seconds: float) -> int:
    """So many rows if it answers a request of that many, else as many as it is known to take: what is in flight must
    not be refused for its size.
    """
    if rows <= sure:
        return rows
    with Client(service.url) as client, suppress(NoAnswer):
        if send(client, batches.make(rows), seconds).status == 200:
            return rows
    return sure


def _wait_until_accepted(service: Service, flights: list[Flight], live_path: str) -> None:
    """Wait until the service has taken in what was sent.

    The kernel hands connections over in their order: once a later one is answered, the earlier ones have been accepted.
    A service that answers one request at a time does not answer it, and is not waited for.
    """
    for flight in flights:
        flight.sent.wait(SENDING_SECONDS)
    with Client(service.url) as client, suppress(NoAnswer):
        client.get(live_path, seconds=ACCEPTED_SECONDS)


def _begun_after(settings: Settings, service: Service, batches: Batches, start: float) -> list[Flight]:
    """Requests that are begun after SIGTERM and its grace.

    Each may be answered until the service has ended: one that is taken has to wait for what is in flight. None is begun
    after its end, when the engine may have given its address to another.
    """
    time.sleep(max(0.0, start + settings.grace_seconds - time.monotonic()))
    patience = settings.draining_seconds + settings.request_seconds
    begun: list[Flight] = []
    while time.monotonic() < start + settings.draining_seconds and service.state().running:
        begun.append(Flight(service.url, batches.make(1), patience))
        time.sleep(PROBE_INTERVAL)
    return begun


def _requests(stage: Stage[Settings], batches: Batches, flights: list[Flight], landed: int) -> None:
    said = (batches.wrong(one.reply, one.batch) if one.reply is not None else one.error for one in flights)
    lost = [problem for problem in said if problem]
    dropped = (
        f"{len(lost)} of {len(flights)} requests that were in flight when SIGTERM came got no right answer: "
        f"{next(iter(lost), '')}. Stop accepting connections, finish what has begun, and only then exit."
    )
    stage.check(
        "drops_no_request",
        not lost,
        dropped if lost else "What has begun before SIGTERM is still answered.",
        expected="a right answer to each, one of them to a body that was still arriving",
        observed=f"{len(flights) - len(lost)} answered, {landed} of them before the signal; {len(lost)} dropped",
    )


def _end(stage: Stage[Settings], service: Service, seconds: float, began: list[int]) -> None:
    grace = stage.subject.challenge.spec.contract.stop_seconds
    arriving = f"in the first {stage.settings.draining_seconds:g} s a request was still arriving"
    stage.measure("stop_seconds", seconds, "s", note=arriving)
    stopped, code = seconds < grace, service.state().exit_code
    problem = (
        f"It still ran {grace:g} s after SIGTERM and had to be killed. Start the server with `exec`, and see that "
        "process 1 handles the signal."
    )
    stage.check(
        "stops_in_time",
        stopped,
        "It stops on SIGTERM." if stopped else problem,
        expected=f"within {grace:g} s",
        observed=f"{seconds:.2f} s",
    )
    if not stopped:
        for name in ("accepts_no_new_request", "exit_code"):
            stage.not_assessed(name, "Not reached: it did not heed SIGTERM at all, which `stops_in_time` counts.")
        return
    _new(stage, began)
    unclean = f"After SIGTERM it ended with exit code {code}, as after a failure. End with 0 once all is answered."
    stage.check(
        "exit_code",
        code in CLEAN,
        "It ends with a clean exit code." if code in CLEAN else unclean,
        expected=" or ".join(map(str, CLEAN)),
        observed=str(code),
    )


def _new(stage: Stage[Settings], began: list[int]) -> None:
    new = [status for status in began if status != 503]
    problem = (
        f"A request that was begun {stage.settings.grace_seconds:g} s after SIGTERM was answered {next(iter(new), 0)}. "
        "Close the listening socket, or answer 503, as soon as the signal comes: a client has to go elsewhere."
    )
    stage.check(
        "accepts_no_new_request",
        not new,
        problem if new else "After SIGTERM no new request is taken.",
        expected="connections refused or closed, or 503",
        observed=", ".join(map(str, dict.fromkeys(began))) or "no answer",
    )

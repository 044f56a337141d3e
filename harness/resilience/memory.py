"""Memory: large requests at once do not end the service, and many requests leave nothing behind.

What counts is the engine's own record, not the service's. Growth is judged by the round that grew least, since what
settles (allocators, caches with a cap, a window that fills) grows in the first rounds only, and what leaks in each.

Measured with a limit of 1,024 MB, where the threshold is 2.05 MB a round; a round is 24 requests of 2,000 rows, 3.6 MB
of bodies, by 4 callers. The round that grew least grew by 0.3 MB at most with the reference and with the same service
on gunicorn and on granian (132 to 140 MB in use), by 3.3 to 3.9 MB where the reference keeps each body, by 12.4 MB
where it keeps each table, and by 35.4 MB where it keeps what was parsed.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from harness.client import Client, NoAnswer
from harness.resilience.batches import Batch, Batches, send
from harness.resilience.settings import Settings
from harness.resilience.sound import Pace
from harness.sandbox import Service, State
from harness.stages import Stage

REFUSED = (413, 429, 503)
READINGS, READING_INTERVAL = 3, 0.1
NO_ANSWER = "no answer"


def examine(stage: Stage[Settings], service: Service, batches: Batches, pace: Pace) -> None:
    """Strain a service's memory, and record how it takes that.

    Many small requests come first: large ones leave so much free memory inside a process that what leaks hides in it.
    """
    _does_not_grow(stage, service, batches, pace)
    if service.state().running:
        _survives(stage, service, batches)
    else:
        stage.not_assessed("survives_large_batches", "Not reached: the service had not survived smaller requests.")


def _does_not_grow(stage: Stage[Settings], service: Service, batches: Batches, pace: Pace) -> None:
    settings, limit = stage.settings, stage.subject.challenge.spec.limits.memory_mb
    most = min(settings.usual_rows, pace.most_rows)
    rows = pace.rows(settings.growth_seconds / settings.growth_requests, most)
    said: Counter[str] = Counter()
    read: list[float] = []
    with stage.ledger.span("measuring"):
        for _ in range(1 + settings.growth_rounds):
            several = [batches.make(rows) for _ in range(settings.growth_requests)]
            said += _send(service, several, settings.growth_callers, settings.request_seconds)
            if (now := _memory(service)) is not None:
                read.append(now)
    problem = _death(service.state(), limit)
    if not problem and not said["200"]:
        problem = f"nothing can be told of its memory, for none of these was answered 200: {_told(said)}"
    each = [after - before for before, after in pairwise(read)]
    grown, allowed = min(each, default=0.0), settings.growth_share * limit
    sent = settings.growth_requests * rows
    if not problem and grown > allowed:
        problem = (
            f"its memory grew in each of {len(each)} rounds of {sent:,} rows, by {grown:.1f} MB or more: at that rate "
            f"its {limit} MB are full after {limit / grown * sent:,.0f} rows. Keep nothing of a request once it is "
            "answered, and give every cache and window a cap"
        )
    least = f"in the one of {len(each)} rounds of {sent:,} rows that grew least"
    stage.measure("memory_growth", grown, "MB", note=least)
    stage.check(
        "memory_does_not_grow",
        not problem,
        f"While requests came, {problem}." if problem else "Its memory does not grow with the requests.",
        expected=f"less than {allowed:.1f} MB in at least one round of {sent:,} rows",
        observed=", ".join(f"{value:.1f} MB" for value in read),
    )


def _survives(stage: Stage[Settings], service: Service, batches: Batches) -> None:
    settings, limit = stage.settings, stage.subject.challenge.spec.limits.memory_mb
    # No fewer for a slow service: what makes it slow may be what takes the memory.
    large = [batches.make(settings.large_rows) for _ in range(settings.large_requests)]
    with stage.ledger.span("measuring"):
        said = _send(service, large, len(large), settings.request_seconds)
    if stage.subject.sandbox.name == "local":
        stage.not_assessed("survives_large_batches", "A plain process has no limit of memory.")
        return
    problem = _death(service.state(), limit) or _broken(said)
    what = f"{len(large)} requests of {settings.large_rows:,} rows ({len(large[0].body) / 1e6:.1f} MB) at once"
    advice = (
        "Bound the size of a body and what is worked on at once, and refuse the rest with 413, 429 or 503 before it is "
        "read."
    )
    stage.check(
        "survives_large_batches",
        not problem,
        f"Of {what}, {problem}. {advice}" if problem else f"It survives {what}.",
        expected=f"each answered, or refused by 413, 429 or 503, within {limit} MB",
        observed=_told(said),
    )


def _send(service: Service, several: list[Batch], callers: int, seconds: float) -> Counter[str]:
    """Send requests from several callers; returns how often they were answered with which status."""

    def ask(batch: Batch) -> str:
        try:
            return str(send(client, batch, seconds).status)
        except NoAnswer:
            return NO_ANSWER

    with Client(service.url) as client, ThreadPoolExecutor(callers) as pool:
        return Counter(pool.map(ask, several))


def _death(state: State, limit: int) -> str:
    if state.killed_for_memory:
        return f"the engine says that it was killed because it used more memory than its limit of {limit} MB"
    return "" if state.running else f"it ended with exit code {state.exit_code}"


def _broken(said: Counter[str]) -> str:
    """What cannot be called taking or refusing a request. One that got no answer was perhaps only slow, or refused by
    closing the connection: that the service lives on is what counts."""
    bad = next((status for status in said if status.startswith("5") and int(status) not in REFUSED), "")
    return f"{said[bad]} were answered {bad}" if bad else ""


def _memory(service: Service) -> float | None:
    """The least of a few readings: what is being given back is not held."""
    read = []
    for _ in range(READINGS):
        time.sleep(READING_INTERVAL)
        if (now := service.memory_mb()) is not None:
            read.append(now)
    return min(read, default=None)


def _told(said: Counter[str]) -> str:
    return ", ".join(f"{status} x {count}" for status, count in said.most_common())

"""One run: sends its rows to a monitor, polls it, and notes what it says. Nothing here knows which run drifts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

from harness.client import NoAnswer
from harness.drift.arms import Run
from harness.drift.monitor import Ended, Monitor, NoReport, Refused, Report
from harness.drift.settings import Settings
from harness.drift.traffic import Request, requests
from harness.errors import SubmissionError
from harness.stages import deadline

CALLERS = 5
"""Requests at once, in a burst and while the counts of rows are read."""
READINGS = 3
"""Reports read in a row at each poll."""
WAIT = 0.2
"""Seconds between two looks at a monitor that has not yet seen all rows."""


class Cause(StrEnum):
    """What kept a run from its end."""

    LATE = "late"
    """It lags, or loses rows."""
    SURPLUS = "surplus"
    """It counts rows that were not scored."""
    REFUSED = "refused"
    """It refuses valid rows."""
    REPORT = "report"
    """What it reports is not what the contract says."""
    SILENT = "silent"
    ENDED = "ended"
    TIME = "time"
    """The exam's deadline came first."""
    NOT_RUN = "not run"


NOTHING = (Cause.REPORT, Cause.SILENT, Cause.ENDED)


@dataclass(frozen=True)
class Fault:
    """Why a run did not get to its end."""

    cause: Cause
    message: str


class Late(SubmissionError):
    """The monitor has not seen all rows that were scored."""


class Surplus(SubmissionError):
    """The monitor has seen more rows than were scored."""


class OutOfTime(SubmissionError):
    """The exam's deadline came first."""


CAUSES: tuple[tuple[type[SubmissionError], Cause], ...] = (
    (Late, Cause.LATE),
    (Surplus, Cause.SURPLUS),
    (Refused, Cause.REFUSED),
    (NoReport, Cause.REPORT),
    (Ended, Cause.ENDED),
    (OutOfTime, Cause.TIME),
    (SubmissionError, Cause.SILENT),
)
"""The first that fits."""


@dataclass
class Trace:
    """What was seen of one run."""

    polls: list[tuple[int, bool]] = field(default_factory=list)
    """Rows scored before each poll, and whether the alarm was on."""
    report: Report | None = None
    """The last one."""
    moved_by_reading: str = ""
    """How readings right after one another differed; empty if they agreed."""
    mute: str = ""
    """How it said that it had too few rows when it had enough; empty if it did not."""
    counts: str | None = None
    """How the counts differed that were read at the end; empty if they agreed, None if they were not read."""
    fault: Fault | None = None

    @property
    def hopeless(self) -> bool:
        """Whether the service gave no report at all, so that another run would hardly fare better."""
        return not self.polls and self.fault is not None and self.fault.cause in NOTHING


def drive(run: Run, monitor: Monitor, settings: Settings, left: Callable[[], float]) -> Trace:
    """Take a monitor through one run; `left` gives the seconds until the exam's deadline."""
    trace = Trace()
    try:
        for number, sent in enumerate(range(0, len(run.rows), settings.poll_every)):
            block = run.rows[sent : sent + settings.poll_every]
            _send(run, monitor, list(requests(block, run.condition, settings, number)), settings, left)
            _poll(monitor, sent + len(block), settings, trace)
        trace.counts = _counts(monitor, settings.reads)
    except SubmissionError as error:
        cause = next(cause for raised, cause in CAUSES if isinstance(error, raised))
        trace.fault = Fault(cause, str(error))
    return trace


def _send(run: Run, monitor: Monitor, batch: Sequence[Request], settings: Settings, left: Callable[[], float]) -> None:
    def one(request: Request) -> None:
        if not left():
            raise OutOfTime("the time of the whole exam was up before this run ended: the service answers too slowly")
        if request.spoilt is None:
            monitor.send(run.columns, request.rows)
        else:
            monitor.provoke(run.columns, request.rows, request.spoilt)

    if run.condition == "in a burst":
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(one, batch))
        return
    for request in batch:
        one(request)
        if run.condition == "slowly":
            time.sleep(settings.slow_pause)


def _poll(monitor: Monitor, rows: int, settings: Settings, trace: Trace) -> None:
    """Wait until the monitor has seen all rows, then read it several times."""
    report = _caught_up(monitor, rows, settings.keep_up_seconds)
    trace.polls.append((rows, report.alarm))
    trace.report = report
    if report.status != "ok" and rows >= settings.minimum and not trace.mute:
        trace.mute = f"it said '{report.status}' after {rows} rows, where {settings.minimum} must be enough"
    for _ in range(READINGS - 1):
        again = monitor.poll()
        if (again.alarm, again.status) != (report.alarm, report.status) and not trace.moved_by_reading:
            said, now = _said(report), _said(again)
            trace.moved_by_reading = f"after {rows} rows it said '{said}', then, with no row between, '{now}'"


def _caught_up(monitor: Monitor, rows: int, seconds: float) -> Report:
    left = deadline(seconds)
    while (report := monitor.poll()).n_observed < rows:
        if not left():
            raise Late(
                f"it lags or loses rows: {seconds:g} s after {rows} rows had been scored, n_observed was "
                f"{report.n_observed}"
            )
        time.sleep(WAIT)
    if report.n_observed > rows:
        raise Surplus(
            f"it counts rows that were not scored: n_observed was {report.n_observed} after {rows} rows had been scored"
        )
    return report


def _counts(monitor: Monitor, reads: int) -> str:
    """Read both counts of rows many times, from several callers: workers with a window each disagree."""

    def read(_: int) -> tuple[int, float]:
        return monitor.poll().n_observed, monitor.predictions()

    try:
        with ThreadPoolExecutor(CALLERS) as callers:
            observed, predicted = (sorted(set(values)) for values in zip(*callers.map(read, range(reads)), strict=True))
    except (NoReport, NoAnswer) as error:
        return str(error)
    if len(observed) == len(predicted) == 1:
        return ""
    return f"in {reads} readings n_observed was {_listed(observed)} and the counter of predictions {_listed(predicted)}"


def _said(report: Report) -> str:
    return report.status if report.status != "ok" else "drift" if report.drift_detected else "no drift"


def _listed(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:4])
    return f"{shown}, ..." if len(values) > 4 else shown

"""All runs of the exam, several services at a time, with an early end for a service that cannot sit it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager

from harness.drift.arms import Exam, Run
from harness.drift.drive import Cause, Fault, Trace, drive
from harness.drift.monitor import Monitor
from harness.drift.settings import Settings
from harness.errors import InfrastructureError, SubmissionError
from harness.stages import deadline

HOPELESS = 2
"""Runs without a single report after which no other is begun."""

TIMED = (Cause.SILENT, Cause.TIME)
"""Faults that a busy machine can cause as well as a slow service. Rows that a monitor has not seen after many answered
polls are not among them."""

Enter = Callable[[Run], AbstractContextManager[Monitor]]
"""A fresh monitor for one run. Raises `SubmissionError` if it does not start."""


class _Stop:
    """Why no further run should begin, once there is a reason; and whether those that run should end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hopeless = 0
        self.because = ""
        self.at_once = False

    def note(self, trace: Trace) -> None:
        with self._lock:
            self._hopeless += trace.hopeless
            if self._hopeless >= HOPELESS and not self.because:
                self.because = f"{HOPELESS} runs ended without a single drift report"

    def now(self, because: str) -> None:
        with self._lock:
            self.because = self.because or because


def sit(
    exam: Exam,
    enter: Enter,
    settings: Settings,
    say: Callable[[str], None] = lambda _: None,
    load: Callable[[], float] = lambda: os.getloadavg()[0],
) -> Mapping[str, Trace]:
    """Take fresh monitors through all runs; gives what was seen, by the run's name.

    After the first monitor that does not start, or the second that gives no report at all, nothing else is begun: what
    is left out has the fault `Cause.NOT_RUN`. Errors that are not the submission's pass through. `load` gives how many
    tasks want to run on the machine, averaged over the last minute.

    Raises:
        InfrastructureError: something took too long while the machine was busy with work that is not the exam's.
    """
    until_deadline = deadline(settings.seconds)
    stop = _Stop()
    seen: dict[str, Trace] = {}

    def left() -> float:
        return 0.0 if stop.at_once else until_deadline()

    def one(run: Run) -> None:
        seen[run.name] = trace = _one(run, enter, settings, left, stop)
        stop.note(trace)
        say(f"{len(seen)} of {len(exam.runs)} runs")

    with ThreadPoolExecutor(settings.workers) as workers:
        futures = [workers.submit(one, run) for run in exam.runs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.at_once = True
            workers.shutdown(wait=True, cancel_futures=True)
            raise
    _blame_the_machine(seen, settings.workers, load())
    return seen


def _blame_the_machine(seen: Mapping[str, Trace], workers: int, load: float) -> None:
    """Raise if something was late and more was running than the services, the harness, and one task for each core."""
    late = [trace.fault.message for trace in seen.values() if trace.fault and trace.fault.cause in TIMED]
    cores = os.cpu_count() or 1
    if late and load > workers + 1 + cores:
        raise InfrastructureError(
            f"the machine was too busy to tell a slow drift monitor from a slow machine (load {load:.1f} on {cores} "
            f"cores): {late[0]}",
            "Grade again when nothing else runs.",
        )


def _one(run: Run, enter: Enter, settings: Settings, left: Callable[[], float], stop: _Stop) -> Trace:
    if not left():
        return Trace(fault=Fault(Cause.TIME, "not run, because the time of the whole exam was up"))
    if stop.because:
        return Trace(fault=Fault(Cause.NOT_RUN, f"not run, because {stop.because}"))
    try:
        with enter(run) as monitor:
            return drive(run, monitor, settings, left)
    except SubmissionError as error:
        stop.now("a service did not start for the run before")
        return Trace(fault=Fault(Cause.ENDED, f"no service to ask: {error}"))

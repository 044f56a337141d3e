"""Grades known submissions several at a time where nothing is timed, each in a process of its own.

A grading waits for most of its time, for a service to start or to stop, so three at a time share two cores well:
fourteen faults took 213 s by two, and 174 s by three.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import connection
from multiprocessing.queues import SimpleQueue
from types import FrameType

from grading.calibration.records import FlawedRow, GoldenRow
from harness.calibration.cases import Case
from harness.calibration.running import Bench, Graded, decided, grade, judge
from harness.errors import InfrastructureError

TOGETHER = 3
LOOK = 0.25
"""Seconds between two looks at what the processes say."""
Tell = Callable[[str, str, str], None]
"""Told of progress: the submission, its stage, and what that is doing."""


def seconds(bench: Bench, case: Case) -> float:
    """By how much a case lengthens the calibration, if it takes what the reference does."""
    untimed, timed = (case.part(timed=flag).expected_seconds(bench.challenge, bench.profile) for flag in (False, True))
    return untimed / TOGETHER + timed


def judged(bench: Bench, cases: Sequence[Case], tell: Tell) -> Iterator[FlawedRow | GoldenRow]:
    """Grade all cases and yield each row as soon as it is there.

    Last, and one case at a time, come the timed stages and those that others beside them left undecided.
    """
    untimed = [part for case in cases if (part := case.part(timed=False)).stages]
    by_name, graded = {case.name: case for case in cases}, dict[str, Graded]()
    for name, found in _together(bench, sorted(untimed, key=_mixed), tell):
        graded[name] = found
        if decided(by_name[name], found):
            yield judge(bench, by_name.pop(name), found)
    for name, case in by_name.items():
        yield judge(bench, case, grade(bench, case, partial(tell, name), graded.get(name)))


def _mixed(case: Case) -> str:
    """Sorts cases in an order that is always the same and mixes what waits with what computes.

    By name, all faults of one kind stand together: those of drift kept both cores busy, those of startup neither.
    """
    return hashlib.sha256(case.name.encode()).hexdigest()


def _together(bench: Bench, cases: Sequence[Case], tell: Tell) -> Iterator[tuple[str, Graded]]:
    if not cases:
        return
    context = multiprocessing.get_context("spawn")
    said: SimpleQueue[tuple[str, str, str]] = context.SimpleQueue()
    with ProcessPoolExecutor(TOGETHER, context, _Worker.begin, (said,)) as pool:
        waiting: set[Future[tuple[str, Graded]]] = {pool.submit(_Worker.grade, bench, case) for case in cases}
        try:
            while waiting:
                done, waiting = wait(waiting, LOOK, FIRST_COMPLETED)
                while not said.empty():
                    tell(*said.get())
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise InfrastructureError("a process that graded known submissions died") from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


class _Worker:
    """What runs in the processes."""

    said: SimpleQueue[tuple[str, str, str]]
    working = ended = False

    @classmethod
    def begin(cls, said: SimpleQueue[tuple[str, str, str]]) -> None:
        cls.said = said
        # Ctrl-C reaches every process of a terminal; only the first one decides what it means.
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, cls._end)
        threading.Thread(target=cls._watch, daemon=True).start()

    @classmethod
    def grade(cls, bench: Bench, case: Case) -> tuple[str, Graded]:
        if cls.ended:
            raise KeyboardInterrupt
        cls.working = True
        try:
            listen = partial(cls._say, case.name)
            return case.name, grade(bench, case, listen, attempts=1)
        finally:
            cls.working = False

    @classmethod
    def _say(cls, name: str, stage: str, message: str) -> None:
        cls.said.put((name, stage, message))

    @classmethod
    def _end(cls, _number: int, _frame: FrameType | None) -> None:
        """End the grading at hand, which removes what it made, and begin no other."""
        working, cls.working, cls.ended = cls.working, False, True
        if working:
            raise KeyboardInterrupt

    @staticmethod
    def _watch() -> None:
        """Do not outlive the first process. What is left then is swept by the next grading, as after any death."""
        parent = multiprocessing.parent_process()
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

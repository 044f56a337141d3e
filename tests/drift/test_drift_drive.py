"""One run against monitors that misbehave, and the exam's early end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count

import pytest
from known_monitor import KnownMonitor
from known_monitors import Never, Psi
from sitting import SETTINGS, made, recorded

from harness.client import NoAnswer
from harness.drift.arms import Run
from harness.drift.drive import Cause, Trace, drive
from harness.drift.exam import sit
from harness.drift.monitor import Ended, NoReport, Refused, Report
from harness.errors import InfrastructureError
from harness.readiness import NotReady

QUICK = SETTINGS.model_copy(update={"keep_up_seconds": 0.3})


def driven(monitor: KnownMonitor, condition: str = "in batches", left: Callable[[], float] = lambda: 60.0) -> Trace:
    run = made(0)[0].arms[0].control
    return drive(Run("run", run.columns, run.rows, condition), monitor, QUICK, left)


def fresh(kind: type[KnownMonitor]) -> KnownMonitor:
    return kind(made(0)[1]).fresh()


class LosesRows(Never):
    """Sees the first row of each request only."""

    def send(self, columns, rows):
        super().send(columns, rows[:1])


class CountsRefused(Never):
    """Counts rows before it checks them."""

    def provoke(self, columns, rows, how):
        self.send(columns, rows)


class Racy(Never):
    """Loses rows when two callers overlap: reads its count, dawdles, writes it back."""

    gate = threading.Barrier(2)

    def send(self, columns, rows):
        seen = self.seen
        try:
            self.gate.wait(0.2)
        except threading.BrokenBarrierError:
            self.gate.reset()
        self.seen = seen + len(rows)


class ClearsWhenRead(Psi):
    """Judges the rows since the last reading."""

    def poll(self):
        report = self.judge()
        self.rows.clear()
        return report


class SpeaksLate(Psi):
    """Waits for a full window."""

    minimum = 1000


class TwoWorkers(Never):
    """Two processes, each with a counter of its own: who is asked depends on chance."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.turn = count()

    def predictions(self):
        return self.seen / 2 + next(self.turn) % 2


class RefusesNulls(Never):
    def send(self, columns, rows):
        if any(None in row for row in rows):
            raise Refused("50 valid rows were answered 422 instead of 200")
        super().send(columns, rows)


class Mute(Never):
    """Has no route for drift."""

    def poll(self) -> Report:
        raise NoReport("/monitoring/drift answers 404 instead of 200")


class Dies(Never):
    """Ends in the middle."""

    def send(self, columns, rows):
        if self.seen >= 1200:
            raise Ended("the service ended while it was in use (killed for memory)")
        super().send(columns, rows)


class TimesOut(Never):
    def send(self, columns, rows):
        raise NoAnswer("POST /invocations: no answer within 10 s")


@pytest.mark.parametrize("condition", ["row by row", "in batches", "in a burst", "slowly", "among malformed requests"])
def test_a_sound_monitor_gets_to_the_end_under_every_condition(condition: str):
    trace = driven(fresh(Psi), condition)
    assert trace.fault is None
    assert [rows for rows, _ in trace.polls] == [500, 1000, 1500, 2000, 2500, 3000]
    assert (trace.moved_by_reading, trace.counts) == ("", "")


def test_a_monitor_that_loses_rows_is_told_so_and_not_waited_for_again():
    trace = driven(fresh(LosesRows))
    assert trace.fault.cause is Cause.LATE
    assert "n_observed was 10" in trace.fault.message
    assert trace.polls == []


def test_a_monitor_that_waits_for_more_rows_than_must_be_enough_is_told_so_and_loses_nothing_else():
    assert driven(fresh(SpeaksLate)).mute == "it said 'insufficient_data' after 500 rows, where 500 must be enough"
    assert driven(fresh(Psi)).mute == ""
    _, result = sat(lambda _: nullcontext(fresh(SpeaksLate)))
    assert set(result.checks) - result.passed == {"keeps_up"}


def test_refused_rows_must_not_be_counted():
    trace = driven(fresh(CountsRefused), "among malformed requests")
    assert trace.fault.cause is Cause.SURPLUS
    assert "rows that were not scored" in trace.fault.message
    assert driven(fresh(CountsRefused), "in batches").fault is None


def test_a_burst_finds_the_monitor_that_loses_rows_between_two_callers():
    assert driven(fresh(Racy), "in a burst").fault.cause is Cause.LATE


def test_reading_must_not_clear_the_window():
    assert "insufficient_data" in driven(fresh(ClearsWhenRead)).moved_by_reading


def test_two_workers_with_counters_of_their_own_are_noticed():
    trace = driven(fresh(TwoWorkers))
    assert trace.fault is None
    assert "the counter of predictions 1500, 1501" in trace.counts


def test_refused_valid_rows_end_the_run_with_that_reason():
    trace = driven(fresh(RefusesNulls))
    assert trace.fault.cause is Cause.REFUSED
    assert "422" in trace.fault.message


def test_a_service_that_dies_keeps_the_polls_that_it_answered():
    trace = driven(fresh(Dies))
    assert trace.fault.cause is Cause.ENDED
    assert len(trace.polls) == 2
    assert not trace.hopeless


def test_the_exams_deadline_ends_a_run():
    seconds = iter([60.0] * 15)
    trace = driven(fresh(Never), left=lambda: next(seconds, 0.0))
    assert trace.fault.cause is Cause.TIME
    assert [rows for rows, _ in trace.polls] == [500]


def sat(enter: Callable[[Run], AbstractContextManager], load: float = 1.0, **settings: object):
    exam, _ = made(0)
    seen = sit(exam, enter, SETTINGS.model_copy(update=settings), load=lambda: load)
    return seen, recorded(exam, seen)


def test_after_the_first_service_that_does_not_start_no_other_is_begun():
    begun = []

    @contextmanager
    def enter(run: Run) -> Iterator[KnownMonitor]:
        begun.append(run.name)
        raise NotReady("the service ended before it was ready: it exited with code 1. The end of its output:\nboom")
        yield

    seen, result = sat(enter)
    assert begun == ["run-01"]
    assert {trace.fault.cause for trace in seen.values()} == {Cause.ENDED, Cause.NOT_RUN}
    pairs = [check for name, check in result.checks.items() if name.startswith("pair_")]
    assert result.passed == set()
    assert len(pairs) == 7
    assert all("boom" not in check.message for check in pairs)
    assert sum("boom" in check.observed for check in pairs) <= 1
    assert all(len(check.message) < 200 for check in pairs)
    assert result.measured == {"drift_score": 0, "pairs": 0}


def test_after_two_runs_without_a_report_no_other_is_begun():
    monitor = fresh(Mute)
    begun = []

    def enter(run: Run):
        begun.append(run.name)
        return nullcontext(monitor.fresh())

    _, result = sat(enter)
    assert len(begun) == 2
    assert result.passed == set()
    assert any("404" in check.message for name, check in result.checks.items() if name.startswith("pair_"))


def test_a_monitor_that_fails_now_and_then_is_examined_to_the_end():
    monitor = fresh(Psi)
    broken = fresh(LosesRows)
    exam, _ = made(0)
    one = exam.arms[0]

    def enter(run: Run):
        return nullcontext(broken.fresh() if run is one.drift else monitor.fresh())

    _, result = sat(enter, keep_up_seconds=0.3)
    assert set(result.checks) - result.passed == {"keeps_up", f"pair_{one.kind}", f"attribution_{one.kind}"} - {
        "attribution_subpopulation"
    }
    assert "gate" in result.passed


def test_a_failure_of_ours_is_not_the_submissions_and_ends_the_runs_beside_it():
    others = []

    @contextmanager
    def enter(run: Run) -> Iterator[KnownMonitor]:
        if run.name == "run-02":
            raise InfrastructureError("the engine died")
        monitor = fresh(Never)
        others.append(monitor)
        yield monitor

    with pytest.raises(InfrastructureError, match="the engine died"):
        sat(enter, workers=2)
    assert len(others) <= 2


@pytest.mark.parametrize(("load", "ours"), [(1.0, False), (99.0, True)])
def test_what_takes_too_long_on_a_busy_machine_costs_no_points(load: float, ours: bool):
    monitor = fresh(TimesOut)
    with pytest.raises(InfrastructureError, match="too busy") if ours else nullcontext():
        sat(lambda _: nullcontext(monitor.fresh()), load)


def test_out_of_time_the_remaining_runs_are_not_begun():
    seen, _ = sat(lambda run: nullcontext(fresh(Never)), seconds=1e-9)
    assert {trace.fault.cause for trace in seen.values()} == {Cause.TIME}
    assert all("not run, because the time" in trace.fault.message for trace in seen.values())

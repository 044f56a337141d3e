"""What disturbs a measurement, and what voids it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from harness.load import clocks, place
from harness.load.noise import Conditions, Tolerance, conditions, reasons
from harness.load.plan import Reading, Seen, Target, Window

WINDOW = Window("candidate", "pool", seconds=1.0, users=8)
NO_LAGS = np.empty(0)


def seen(busy: tuple[float, ...], own: float, services: dict[str, float], seconds: float = 1.0) -> Seen:
    start = Reading(100.0, tuple(5.0 for _ in busy), 2.0, dict.fromkeys(services, 1.0))
    end = {name: 1.0 + used for name, used in services.items()}
    return Seen(WINDOW, start, Reading(100.0 + seconds, tuple(5.0 + b for b in busy), 2.0 + own, end))


def test_foreign_work_is_what_is_busy_beyond_services_and_generator():
    found = conditions([seen((0.95, 0.40), 0.30, {"candidate": 0.90, "reference": 0.01})], NO_LAGS)
    assert found.foreign_service_core == pytest.approx(0.04)
    assert found.foreign_generator_core == pytest.approx(0.10)
    assert found.generator == pytest.approx(0.30)
    assert found.foreign == pytest.approx(0.10)


def test_windows_are_weighed_by_their_length():
    windows = [seen((0.5, 0.0), 0.0, {"candidate": 0.0}), seen((0.0, 0.0), 0.0, {"candidate": 0.0}, seconds=4.0)]
    assert conditions(windows, NO_LAGS).foreign_service_core == pytest.approx(0.1)


def test_on_one_core_services_and_generator_are_taken_off_together():
    found = conditions([seen((0.97,), 0.30, {"candidate": 0.60})], NO_LAGS)
    assert found.foreign_service_core == found.foreign_generator_core == pytest.approx(0.07)


def test_a_service_without_an_account_leaves_its_core_unknown():
    found = conditions([seen((0.9, 0.3), 0.3, {})], NO_LAGS)
    assert found.foreign_service_core is None
    assert reasons(found, Tolerance()) == []


def test_a_service_that_ended_meanwhile_leaves_its_core_unknown():
    one = seen((0.9, 0.3), 0.3, {"candidate": 0.5})
    gone = Seen(WINDOW, one.before, Reading(101.0, one.after.busy, one.after.own, {}))
    assert conditions([gone], NO_LAGS).foreign_service_core is None


def test_no_windows_say_nothing():
    assert conditions([], NO_LAGS).foreign is None


QUIET = {"foreign_service_core": 0.01, "foreign_generator_core": 0.01, "generator": 0.5}


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({}, None),
        ({"foreign_service_core": 0.031}, "core of the services"),
        ({"foreign_generator_core": 0.11}, "core of the generator"),
        ({"generator": 0.71}, "generator used 71%"),
        ({"lag_p95": 2.1}, "2.1 ms late"),
        ({"arrivals": 0.989}, "98.9% of the requests"),
    ],
)
def test_each_disturbance_voids_and_is_named(worse, said):
    found = reasons(Conditions(**{**QUIET, **worse}), Tolerance())
    assert (found == []) if said is None else (len(found) == 1 and said in found[0])


def test_lags_become_a_percentile_and_a_share():
    lags = np.array([0.5] * 94 + [30.0] * 6)
    found = conditions([seen((0, 0), 0, {"candidate": 0})], lags)
    assert found.arrivals == pytest.approx(0.94)
    assert found.lag_p95 == pytest.approx(30.0)


def test_this_process_is_seen_to_work():
    account = Path(f"/proc/{os.getpid()}/stat")
    before, end = clocks.cpu_seconds(account), time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert clocks.cpu_seconds(account) - before >= 0.05


@pytest.mark.parametrize(
    ("name", "text", "seconds"),
    [
        ("cpuacct.usage", "1500000000\n", 1.5),
        ("cpu.stat", "usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n", 2.5),
        ("stat", f"7 (a) b) S {' '.join(['0'] * 10)} 100 50 25 25 {' '.join(['0'] * 30)}\n", 200 / clocks.TICKS),
    ],
)
def test_every_kind_of_account_is_read(tmp_path, name, text, seconds):
    (tmp_path / name).write_text(text)
    assert clocks.cpu_seconds(tmp_path / name) == pytest.approx(seconds)


def test_a_core_is_busy_when_it_is_neither_idle_nor_waiting():
    stat = "cpu 0 0 0 0 0\ncpu0 9 9 9 4000 1000 0 0 0 0 0\ncpu1 9 9 9 2000 0 0 0 0 0 0\n"
    tick = 1 / clocks.TICKS
    assert clocks.busy_seconds((0, 1), 100.0, stat) == pytest.approx((100 - 5000 * tick, 100 - 2000 * tick))


def test_a_service_that_is_gone_is_left_out(tmp_path):
    read = clocks.read((), {"gone": Target("gone", "http://x", cpu_file=str(tmp_path / "cpu.stat"))})
    assert read.services == {}


def test_services_and_generator_get_cores_of_their_own_where_there_are_two():
    chosen = place.choose()
    assert chosen.shared == (len(os.sched_getaffinity(0)) == 1)
    assert len(chosen.cores) == 1 + (not chosen.shared)

"""From rounds of slices to the one ratio, or to the reason why there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from windows import Patient, window

from harness.errors import InfrastructureError
from harness.load import verdict
from harness.load.exam import enough, ratio_reasons
from harness.load.rig import CANDIDATE, REFERENCE
from harness.load.rounds import Round, Warm
from harness.load.settings import Settings
from harness.load.slices import estimate
from harness.load.tries import Tried, tried

SETTINGS = Settings(pairs=12, rounds=1)
NOISY = ("others used 30.0% of the core of the services, more than 2%",)


def a_round(candidate: dict, reference: dict, pairs: int = 12) -> Round:
    rng = np.random.default_rng(0)

    def slices(name, good, **more):
        return tuple(window(name, int(good * factor), **more) for factor in rng.normal(1, 0.01, pairs))

    return Round(slices(CANDIDATE, **candidate), slices(REFERENCE, **reference), 10_000, burst=0.1)


def test_a_service_half_as_fast_is_half_as_fast():
    found = verdict.ratio([Tried(a_round({"good": 500}, {"good": 1000}))], SETTINGS)
    assert found.throughput.value == pytest.approx(0.5, rel=0.02)
    assert found.throughput.low < 0.5 < found.throughput.high
    assert found.cpu is not None
    assert found.cpu.value == pytest.approx(2, rel=0.02)
    assert not found.stands_in
    assert found.notes == ()


def test_on_a_noisy_machine_cpu_per_answer_stands_in_for_services_that_use_what_they_get():
    noisy = a_round({"good": 400, "busy": 0.6, "foreign": 0.4}, {"good": 700, "busy": 0.5, "foreign": 0.5})
    found = verdict.ratio([Tried(noisy, NOISY)], SETTINGS)
    assert found.stands_in
    assert found.throughput.value == pytest.approx((0.5 / 700) / (0.6 / 400), rel=0.02)
    assert found.throughput.low < found.throughput.value < found.throughput.high
    assert "stands in" in found.notes[0]


def test_cpu_does_not_stand_in_for_a_service_that_waits():
    waiting = a_round({"good": 400, "busy": 0.3, "foreign": 0.4}, {"good": 700, "busy": 0.6, "foreign": 0.4})
    with pytest.raises(InfrastructureError, match=r"inconclusive: others used 30\.0%"):
        verdict.ratio([Tried(waiting, NOISY)], SETTINGS)


def test_cpu_does_not_stand_in_where_there_is_no_account_of_it():
    blind = {"good": 500, "account": False}
    with pytest.raises(InfrastructureError, match="inconclusive"):
        verdict.ratio([Tried(a_round(blind, blind), NOISY)], SETTINGS)


def test_cpu_does_not_stand_in_for_a_reference_that_errs():
    with pytest.raises(InfrastructureError, match="inconclusive"):
        verdict.ratio([Tried(a_round({"good": 500}, {"good": 500, "bad": 1}), ("1 answers",))], SETTINGS)


def test_a_ratio_without_accounts_is_a_ratio_all_the_same():
    blind = a_round({"good": 500, "account": False}, {"good": 1000, "account": False})
    found = verdict.ratio([Tried(blind)], SETTINGS)
    assert found.cpu is None
    assert found.throughput.value == pytest.approx(0.5, rel=0.02)


def test_waiting_is_told_from_working():
    waits = a_round({"good": 300, "busy": 0.3}, {"good": 1000, "busy": 0.98})
    (note,) = verdict.ratio([Tried(waits)], SETTINGS).notes
    assert "candidate leaves 70% of its core idle" in note


def test_an_engine_that_a_candidates_output_keeps_busy_is_told_from_waiting():
    chatty = a_round({"good": 300, "busy": 0.6, "foreign": 0.38}, {"good": 1000, "busy": 0.98})
    (note,) = verdict.ratio([Tried(chatty)], SETTINGS).notes
    assert "others used 38% of the core" in note


def test_one_core_widens_the_interval():
    one = [Tried(a_round({"good": 500}, {"good": 500}))]
    apart, shared = verdict.ratio(one, SETTINGS), verdict.ratio(one, SETTINGS, one_core=True)
    assert shared.throughput.low < apart.throughput.low / 1.1
    assert shared.throughput.high > apart.throughput.high * 1.1
    assert "one core" in shared.notes[-1]


def test_a_quiet_round_is_not_void():
    assert ratio_reasons(a_round({"good": 500}, {"good": 500}), SETTINGS) == []


@pytest.mark.parametrize(
    ("candidate", "reference", "said"),
    [
        ({"good": 500}, {"good": 500, "busy": 0.9, "foreign": 0.04}, "others used 4.0% of the core of the services"),
        ({"good": 500}, {"good": 500, "bad": 2}, "24 answers of the reference were wrong or missing"),
        ({"good": 500}, {"good": 500, "generator": 0.85}, "generator used 85%"),
    ],
)
def test_what_shows_in_the_reference_voids_a_round(candidate, reference, said):
    (reason,) = ratio_reasons(a_round(candidate, reference), SETTINGS)
    assert said in reason


@pytest.mark.parametrize("candidate", [{"foreign": 0.3, "busy": 0.6}, {"bad": 400}, {"generator": 0.9}])
def test_nothing_that_only_the_candidate_shows_voids_a_round(candidate):
    assert ratio_reasons(a_round({"good": 100, **candidate}, {"good": 500}), SETTINGS) == []


def test_pairs_that_met_a_burst_do_not_count_and_too_few_are_void():
    quiet = a_round({"good": 500}, {"good": 500}, pairs=13)
    burst = window(REFERENCE, 100, busy=0.5, foreign=0.3)
    one = Round(quiet.candidate, (*quiet.reference[:-1], burst), 10_000, burst=0.1)
    assert len(one.clean) == 12
    assert max(map(abs, one.logs)) < 0.2
    two = Round(quiet.candidate, (*quiet.reference[:-2], burst, burst), 10_000, burst=0.1)
    assert any("11 pairs of slices" in reason for reason in ratio_reasons(two, SETTINGS))


def test_a_slow_candidate_is_no_burst_and_neither_is_a_dead_one():
    assert len(a_round({"good": 0, "busy": 0.0}, {"good": 500}).clean) == 12


def test_rounds_that_agree_are_enough_and_others_get_more_until_they_are_used_up():
    same, other = [0.0] * 12, [0.5] * 12
    two = Settings(rounds=2, more_rounds=2)
    assert not enough([same], two)
    assert enough([same, same], two)
    assert not enough([same, other], two)
    assert not enough([same, other, same], two)
    assert enough([same, other, same, other], two)
    assert enough([other], Settings(rounds=1, more_rounds=0))


def test_a_ratio_whose_interval_holds_an_edge_is_measured_again_and_one_beside_it_is_not():
    settings = Settings(rounds=1, more_rounds=2, edges=(0.7, 0.5))
    spread = list(np.random.default_rng(0).normal(0, 0.1, 20))
    straddling = [math.log(0.7) + log for log in spread]
    beside = [math.log(0.6) + log / 10 for log in spread]
    assert not enough([straddling], settings)
    assert enough([straddling] * 3, settings), "the rounds are used up"
    assert enough([beside], settings)


def test_further_looks_widen_the_interval():
    logs = list(np.random.default_rng(0).normal(0, 0.1, 20))
    once, often = (estimate(logs, Settings(more_rounds=more).level) for more in (0, 2))
    assert once.level == pytest.approx(0.95)
    assert often.level > once.level
    assert often.low < once.low < once.high < often.high


@pytest.mark.parametrize(
    ("results", "taken", "void"),
    [
        (["good"], "good", False),
        (["bad", "good"], "good", False),
        (["bad", "bad", "good"], "bad", False),
        (["noisy", "good"], "good", False),
        (["noisy", "noisy", "good"], "noisy", True),
        (["bad", "noisy", "good"], "noisy", True),
    ],
)
def test_what_would_cost_points_is_measured_again_and_what_was_disturbed_as_often_as_allowed(results, taken, void):
    left = iter(results)
    found = tried(
        Patient(), lambda _: next(left), lambda one: ["noise"] if one == "noisy" else [], lambda one: one == "good"
    )
    assert (found.result, bool(found.void)) == (taken, void)


def test_slices_grow_with_the_slower_service_up_to_a_limit():
    settings = Settings(slice_seconds=0.5, slice_factor=5, slice_most=2)
    medians = [Warm({}, {CANDIDATE: median, REFERENCE: 0.05}) for median in (0.0, 0.2, 3.0)]
    assert [warm.slice_length(settings) for warm in medians] == [0.5, 1.0, 2.0]

"""The statistics of the load stage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load import slices
from harness.load.slices import Slice, Verdict, estimate, judge, log_cpu, log_throughput, within_objective


@pytest.mark.parametrize(("late", "total"), [(0, 59), (5, 208), (20, 577)])
def test_the_binomial_rule_has_mlperfs_numbers(late, total):
    assert judge(late, total) is Verdict.MET
    assert judge(late, total - 1) is Verdict.OPEN
    assert judge(late + 1, total) is not Verdict.MET


@given(late=st.integers(0, 400), total=st.integers(1, 1000))
def test_the_binomial_rule_is_monotone(late, total):
    order = [Verdict.MET, Verdict.OPEN, Verdict.MISSED]
    late = min(late, total - 1)
    assert order.index(judge(late, total)) <= order.index(judge(late + 1, total))


def test_a_rule_that_looks_at_nothing_decides_nothing():
    assert judge(0, 0) is Verdict.OPEN


def test_many_late_requests_miss_at_once():
    assert judge(59, 59) is Verdict.MISSED


def test_a_service_at_the_edge_is_seldom_called_late():
    """With a true share of 4 % late, under the objective's 5 %, "missed" must be rare whenever one looks."""
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(500):
        late = np.cumsum(rng.random(320) < 0.04)
        missed += any(judge(int(late[n - 1]), n) is Verdict.MISSED for n in (80, 160, 240, 320))
    assert missed / 500 < 0.05


@given(st.lists(st.floats(0.2, 5.0), min_size=1, max_size=60))
def test_the_interval_of_a_ratio_holds_its_median(ratios):
    found = estimate([math.log(ratio) for ratio in ratios])
    assert found.low <= found.value * (1 + 1e-9)
    assert found.value <= found.high * (1 + 1e-9)
    assert min(ratios) * (1 - 1e-9) <= found.low <= found.high <= max(ratios) * (1 + 1e-9)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        found = estimate(rng.normal(math.log(0.5), 0.07, size=15).tolist())
        held += found.low <= 0.5 <= found.high
    assert held / 300 > 0.90


def test_the_median_is_not_moved_by_a_burst():
    quiet = [math.log(0.5)] * 20
    assert estimate([*quiet, math.log(3.0), math.log(4.0)]).value == pytest.approx(0.5)


def test_a_ratio_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no pair"):
        estimate([float("nan")])


@given(good=st.integers(1, 5000), seconds=st.floats(0.1, 10), factor=st.floats(0.1, 10))
def test_twice_the_time_for_the_same_answers_is_half_the_throughput(good, seconds, factor):
    log = log_throughput(Slice(good, seconds * factor), Slice(good, seconds))
    assert log == pytest.approx(-math.log(factor))


def test_no_answers_at_all_count_as_half_a_one():
    assert log_throughput(Slice(0, 1.0), Slice(100, 1.0)) == pytest.approx(math.log(0.5 / 100))


def test_cpu_per_answer_is_compared_where_it_is_known():
    assert log_cpu(Slice(100, 1.0, 1.0), Slice(100, 1.0, 0.5)) == pytest.approx(math.log(2))
    assert math.isnan(log_cpu(Slice(100, 1.0), Slice(100, 1.0, 0.5)))


def in_turns(answer_seconds: float, rng: np.random.Generator, length: float = 0.5, users: int = 8) -> Slice:
    """A closed loop to a service that gives all its requests a turn of 5 ms each, as threads under one lock do."""
    left = {user: rng.gamma(25, answer_seconds / 25) for user in range(users)}
    now, good = 0.0, 0
    while left:
        for user in list(left):
            turn = min(0.005, left[user])
            now += turn
            left[user] -= turn
            if left[user] <= 0:
                good += 1
                if now < length:
                    left[user] = rng.gamma(25, answer_seconds / 25)
                else:
                    del left[user]
    return Slice(good, now)


@pytest.mark.parametrize("answer_seconds", [0.002, 0.008, 0.016])
def test_slices_find_the_true_ratio_though_answers_come_in_bursts(answer_seconds):
    rng = np.random.default_rng(2)
    logs = [log_throughput(in_turns(2 * answer_seconds, rng), in_turns(answer_seconds, rng)) for _ in range(60)]
    assert estimate(logs).value == pytest.approx(0.5, rel=0.02)


def test_quantiles_of_requests_without_an_answer_are_infinite():
    latencies = np.array([1.0] * 90 + [np.inf] * 10)
    assert slices.quantiles(latencies, 0.5, 0.9, 0.95) == (1.0, 1.0, np.inf)
    assert all(map(math.isnan, slices.quantiles(np.array([]), 0.5, 0.95)))


def test_a_service_is_warm_when_it_gets_no_faster():
    assert not slices.warm([100, 100]), "two windows are too few to tell"
    assert not slices.warm([10, 50, 100])
    assert slices.warm([10, 50, 100, 105])
    assert slices.warm([100, 127, 99]), "the machine's own speed varies"
    assert slices.warm([0, 0, 0]), "a dead service gets no faster"


def test_rounds_differ_by_more_than_their_intervals_leave_open():
    assert not slices.differ([[0.0] * 12, [0.03] * 12], 0.05)
    assert slices.differ([[0.0] * 12, [0.06] * 12], 0.05)
    wide = [-0.1, 0.1] * 6
    assert not slices.differ([wide, [log + 0.06 for log in wide]], 0.05), "the machine's noise alone explains that"
    assert slices.differ([wide, [log + 0.5 for log in wide]], 0.05)


def test_the_rate_within_an_objective_is_read_between_two_steps():
    assert within_objective([(10, 5.0), (20, 10.0), (30, 30.0)], 20.0) == pytest.approx(25)
    assert within_objective([(10, 5.0), (20, 10.0)], 20.0) == 20
    assert within_objective([(10, 50.0)], 20.0) == 0
    assert within_objective([(10, 5.0), (20, math.inf)], 20.0) == 10
    assert within_objective([], 20.0) == 0


def test_outliers_are_measured_from_what_is_usual():
    assert slices.outliers([0.3, 0.31, 0.29, 0.6], 0.1) == [False, False, False, True]
    assert slices.outliers([], 0.1) == []

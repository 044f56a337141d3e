"""The rule of the drift exam, on alarms written by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drift import rule
from harness.drift.rule import Timeline

ROWS = (500, 1000, 1500, 2000, 2500, 3000)
ONSET = 1000
alarms = st.lists(st.booleans(), min_size=6, max_size=6)


def drift(marks: str, complete: bool = True) -> Timeline:
    """`..####` is a run that is alarmed at its last four polls."""
    return Timeline(tuple(zip(ROWS, (mark == "#" for mark in marks), strict=False)), ONSET, complete)


def control(marks: str = "......", complete: bool = True) -> Timeline:
    return Timeline(drift(marks).polls, None, complete)


def test_a_detected_change_with_a_quiet_twin_scores():
    assert rule.pair(drift("..####"), control())


def test_one_alarm_at_the_end_is_not_enough():
    assert not rule.pair(drift(".....#"), control())
    assert not rule.pair(drift("..###."), control())


def test_a_twin_that_ends_alarmed_takes_the_pair():
    assert not rule.pair(drift("..####"), control("....##"))


def test_a_twin_with_a_passing_false_alarm_does_not_take_the_pair():
    assert rule.pair(drift("..####"), control("..##.#"))


def test_being_alarmed_all_the_time_before_the_onset_takes_the_pair():
    assert not rule.pair(drift("######"), control())
    assert rule.pair(drift("#.####"), control())


def test_a_run_that_did_not_end_takes_the_pair():
    assert not rule.pair(drift("..####", complete=False), control())
    assert not rule.pair(drift("..####"), control("......", complete=False))
    assert not rule.pair(drift("..####"), control("", complete=False))


@given(alarms)
def test_a_monitor_that_goes_by_the_number_of_rows_never_scores(pattern: list[bool]):
    polls = tuple(zip(ROWS, pattern, strict=True))
    assert not rule.pair(Timeline(polls, ONSET), Timeline(polls, None))


@given(st.lists(st.tuples(alarms, alarms), min_size=1, max_size=7))
def test_the_score_is_at_most_the_share_of_pairs(runs: list[tuple[list[bool], list[bool]]]):
    pairs = [
        (Timeline(tuple(zip(ROWS, a, strict=True)), ONSET), Timeline(tuple(zip(ROWS, b, strict=True)), None))
        for a, b in runs
    ]
    share = sum(rule.pair(*both) for both in pairs) / len(pairs)
    assert 0 <= rule.score(pairs) <= share
    assert not rule.gate(pairs) or rule.score(pairs) > 0


def test_stationary_polls_are_those_of_the_twins_and_those_before_the_onset():
    pairs = [(drift("#.####"), control("#.....")), (drift("..####"), control())]
    assert len(rule.stationary(pairs)) == 16
    assert rule.false_alarm_rate(pairs) == 2 / 16


def test_no_poll_is_no_false_alarm_rate_and_no_score():
    pairs = [(drift(""), control(""))]
    assert rule.false_alarm_rate(pairs) is None
    assert rule.score(pairs) == 0
    assert not rule.gate(pairs)


@pytest.mark.parametrize(
    ("rate", "left"), [(0, 1), (0.05, 1), (0.051, 0.85), (0.15, 0.85), (0.151, 0.5), (0.30, 0.5), (0.301, 0), (1, 0)]
)
def test_false_alarms_multiply_the_score(rate: float, left: float):
    assert rule.factor(rate) == left


def test_the_gate_forgives_one_pair_but_not_two():
    good, lost = (drift("..####"), control()), (drift("......"), control())
    assert rule.gate([good] * 6 + [lost])
    assert not rule.gate([good] * 5 + [lost] * 2)
    assert rule.score([good] * 6 + [lost]) == pytest.approx(6 / 7)


def test_the_gate_closes_on_false_alarms():
    noisy = (drift("#.####"), control("##...."))
    assert rule.false_alarm_rate([noisy]) == 3 / 8
    assert not rule.gate([noisy] * 7)


def test_the_gate_of_a_single_arm_asks_for_that_arm():
    assert not rule.gate([(drift("......"), control())])


def test_delay_counts_from_the_onset_to_the_final_run_of_alarms():
    assert rule.delay(drift("..####")) == 500
    assert rule.delay(drift("..#.##")) == 1500
    assert rule.delay(drift("......")) is None
    assert rule.delay(drift("######")) == 0


def test_the_median_delay_is_of_the_pairs_that_score():
    pairs = [(drift("..####"), control()), (drift("...###"), control()), (drift("....##"), control("....##"))]
    assert rule.median_delay(pairs) == 750
    assert rule.median_delay([(drift("......"), control())]) is None


def test_recovery_needs_an_alarm_to_recover_from():
    assert rule.recovered(drift("##.#.."))
    assert not rule.recovered(drift("......"))
    assert not rule.recovered(drift("##...#"))
    assert not rule.recovered(drift("##", complete=False))

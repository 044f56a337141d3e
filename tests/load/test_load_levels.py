"""Whether an objective is met, and whether the health route answers: what the machine did is never the candidate's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from windows import Patient, window

from harness.load import exam, strain
from harness.load.driven import Driven
from harness.load.objective import Level
from harness.load.rig import CANDIDATE, REFERENCE
from harness.load.settings import Settings
from harness.load.slices import Verdict

SETTINGS = Settings()


def level(late: int, total: int) -> Level:
    slow = window(CANDIDATE, total)
    done = slow.intended + np.where(np.arange(total) < late, 0.2, 0.01)
    return Level({CANDIDATE: 20.0}, (Driven(**{**vars(slow), "done": done}),), objective_ms=100)


@pytest.mark.parametrize(
    ("late", "total", "said", "met"),
    [
        (0, 80, Verdict.MET, True),
        (4, 100, Verdict.OPEN, True),
        (6, 100, Verdict.OPEN, False),
        (30, 100, Verdict.MISSED, False),
    ],
)
def test_the_rule_decides_and_where_it_leaves_open_the_share_does(late, total, said, met):
    assert level(late, total).verdict(CANDIDATE) is said
    assert level(late, total).met(CANDIDATE) is met


def test_what_is_not_answered_rightly_is_late_and_hopeless_whatever_the_machine_did():
    failing = Level({CANDIDATE: 20.0}, (window(CANDIDATE, 60, bad=40),), objective_ms=100)
    assert failing.late(CANDIDATE) == (40, 100)
    assert failing.hopeless(CANDIDATE)
    assert not level(40, 100).hopeless(CANDIDATE)
    assert math.isinf(failing.quantiles(CANDIDATE)[1])


@pytest.mark.parametrize(("second", "met"), [(level(0, 100), True), (level(50, 100), False)])
def test_an_objective_that_is_missed_once_is_measured_again(monkeypatch, second, met):
    left = iter([level(50, 100), second, level(0, 100)])
    monkeypatch.setattr(exam.objective, "level", lambda *_: next(left))
    found = exam._level(Patient(), "own", {CANDIDATE: 20.0}, {CANDIDATE: 40.0}, None)
    assert (found.result.met(CANDIDATE), found.void) == (met, ())


@pytest.mark.parametrize(
    ("costs", "late", "void", "rates"),
    [
        pytest.param([0.015, 0.015], [50, 0], False, [20.0, 20 / 1.5], id="slower, then asked less of"),
        pytest.param([0.015] * 3, [50] * 3, False, [20.0, 20 / 1.5, 20 / 1.5], id="slower, and late at what it can do"),
        pytest.param([0.015, 0.030], [50, 50], True, [20.0, 20 / 1.5], id="slower and slower: nobody's fault"),
        pytest.param([0.015], [0], False, [20.0], id="slower, and in time all the same"),
        pytest.param([0.011, 0.011], [50, 50], False, [20.0, 20 / 1.1], id="no slower than it always varies"),
    ],
)
def test_what_a_slower_machine_made_late_is_not_the_candidates(monkeypatch, costs, late, void, rates):
    """`costs` are the reference's cpu seconds per answer in each try; they were 0.010 when capacity was measured."""
    seen = []

    def drive(_, __, asked):
        cost, slow = costs[len(seen)], late[len(seen)]
        seen.append(asked[CANDIDATE])
        reference = window(REFERENCE, 100, busy=100 * cost)
        return Level(asked, level(slow, 100).windows, objective_ms=100, yardstick=(reference,))

    monkeypatch.setattr(exam.objective, "level", drive)
    asked = dict.fromkeys((CANDIDATE, REFERENCE), 20.0)
    found = exam._level(Patient(), "own", asked, dict.fromkeys(asked, 40.0), 0.010, relative=True)
    assert seen == pytest.approx(rates)
    assert bool(found.void) == void
    assert ("became slower" in " ".join(found.void)) == void


def test_health_is_held_against_what_a_prediction_takes_and_not_against_what_a_cache_takes():
    first, again = np.full(40, 0.050), np.full(960, 0.001)
    sent = np.zeros(1000)
    probes = np.column_stack([np.zeros(100), np.full(100, 0.005), np.full(100, 200)])
    driven = Driven(
        **{
            **vars(window(CANDIDATE, 1000)),
            "sent": sent,
            "done": sent + np.concatenate([first, again]),
            "probes": probes,
        }
    )
    found = strain.health_of(driven, rows=2000, different=40)
    assert found.prediction == pytest.approx(50)
    assert exam.healthy(found, SETTINGS)
    assert not exam.healthy(strain.health_of(driven, rows=2000, different=1000), SETTINGS)

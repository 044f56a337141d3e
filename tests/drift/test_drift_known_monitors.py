"""The exam tells sound monitors from cheats: the claims that its rule was chosen for."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from known_monitor import KnownMonitor
from known_monitors import (
    CHEATS,
    SOUND,
    UNSOUND,
    CorrectedTests,
    CumulativePsi,
    MeanShift,
    Psi,
    PsiWithoutNulls,
)
from sitting import results

from harness.stages.drift import RECORDS

EXAMS = [(kind, 0) for kind in SOUND] + [(Psi, 1), (CorrectedTests, 1)]


@pytest.mark.parametrize(("kind", "seed"), EXAMS)
def test_a_sound_monitor_scores_every_point(kind: type[KnownMonitor], seed: int):
    found = results(kind, seed)
    lost = set(found.checks) - found.passed
    assert lost == ({"recovery"} if kind.window is None else set()), [found.checks[name].message for name in lost]
    assert found.measured["drift_score"] == 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", CHEATS)
def test_a_cheat_scores_nothing(kind: type[KnownMonitor], seed: int):
    found = results(kind, seed)
    assert found.measured["drift_score"] == 0
    assert not {"gate", "false_alarms"} & found.passed
    assert kind.__name__ == "Coin" or not any(name.startswith(("pair_", "attribution_")) for name in found.passed)


@pytest.mark.parametrize("kind", [kind for kind in UNSOUND if kind not in CHEATS])
def test_an_unsound_monitor_does_not_pass_the_gate(kind: type[KnownMonitor]):
    assert "gate" not in results(kind, 0).passed


def test_the_stage_declares_everything_that_it_records():
    found = results(Psi)
    recorded = {*found.checks, *found.measured}
    assert {name for name in recorded if not any(fnmatchcase(name, glob) for glob in RECORDS)} == set()
    assert {glob for glob in RECORDS if not any(fnmatchcase(name, glob) for name in recorded)} == set()


def test_every_run_is_drawn_with_its_onset_and_a_verdict():
    drawn = {series.name: series for series in results(Psi).stage.drawn}
    assert len(drawn) == 15
    assert drawn["sudden / drift"].marks == {"onset": 1000}
    assert drawn["sudden / drift"].note == "alarm 500 rows after the onset"
    assert drawn["sudden / control"].marks == {}
    assert drawn["recovery"].marks == {"drift ends": 1000}
    assert [rows for rows, _ in drawn["unit / control"].points] == [500, 1000, 1500, 2000, 2500, 3000]


def test_a_monitor_that_drops_nulls_loses_that_pair_alone():
    found = results(PsiWithoutNulls)
    assert set(found.checks) - found.passed == {"pair_missing", "attribution_missing"}
    assert "nulls" in found.checks["pair_missing"].message


def test_a_monitor_of_means_loses_at_most_the_sub_population():
    for seed in range(2):
        found = results(MeanShift, seed)
        assert set(found.checks) - found.passed <= {"pair_subpopulation"}


def test_a_monitor_that_accumulates_never_recovers_and_is_told_so():
    found = results(CumulativePsi)
    assert "still on" in found.checks["recovery"].message
    assert found.checks["recovery"].observed.endswith("# #")


def test_the_delay_of_a_sound_monitor_is_a_poll_or_two():
    assert results(Psi).measured["delay"] in (500, 750, 1000)
    assert results(CorrectedTests).measured["delay"] == 500

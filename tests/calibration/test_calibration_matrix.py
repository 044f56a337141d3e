"""Scores become caught, missed, undecided, collateral; a dead container catches nothing."""

from __future__ import annotations

import pytest
from sample_calibration import ALL, DEAD, Grading, assembled, everything, flawed, golden, graded

from grading.calibration.findings import findings, groups, stages, word
from grading.calibration.records import Standing, Verdict
from grading.evidence import Outcome


def standings(row):
    return {cell.criterion: cell.standing.value for cell in row.cells}


def test_only_criteria_of_stages_that_ran_are_judged():
    row = flawed("f", "pinned", stages=("repository",), grading=graded(pinned=0.0))
    assert standings(row) == {"pinned": "caught", "documents": "kept"}
    assert row.cell("metrics") is None


def test_half_the_points_are_points_lost():
    row = flawed("f", "pinned", grading=graded(pinned=9.9))
    assert (row.verdict, standings(row)["pinned"]) == (Verdict.NAMED, "caught")


def test_all_that_are_named_must_be_lost():
    row = flawed("f", "pinned", "not_root", grading=graded(pinned=0.0))
    assert row.verdict is Verdict.MISSED
    assert [(c.criterion, c.standing) for c in row.named] == [("pinned", "caught"), ("not_root", "missed")]


def test_one_that_another_criterion_caught_is_not_caught():
    assert flawed("f", "pinned", grading=graded(metrics=0.0)).verdict is Verdict.ANOTHER
    assert flawed("f", "pinned", grading=graded()).verdict is Verdict.MISSED


def test_a_submission_of_which_one_named_criterion_was_caught_is_missed_not_caught_by_another():
    row = flawed("f", "pinned", "not_root", grading=graded(pinned=0.0, metrics=0.0))
    assert row.verdict is Verdict.MISSED


def test_a_service_that_never_came_up_catches_nothing_and_costs_no_collateral():
    dead = graded(DEAD, predictions=0.0, metrics=0.0)
    row = flawed("f", "predictions", grading=dead)
    assert standings(row) == {
        "pinned": "kept",
        "documents": "kept",
        "not_root": "kept",
        "predictions": "missed",
        "metrics": "not reached",
    }
    assert row.verdict is Verdict.MISSED
    assert row.cell("predictions").rationale.startswith("Not reached")
    assert assembled((row,)).summary.criteria_lost == 0


def test_a_dead_golden_submission_loses_points():
    row = golden("g", graded(DEAD, predictions=0.0, metrics=0.0))
    assert word(row) == "loses points"
    assert assembled((), (row,)).summary.goldens_losing_points == 1


def test_undecided_is_never_missed():
    row = flawed("f", "pinned", grading=graded(pinned=None))
    assert (row.verdict, standings(row)["pinned"]) == (Verdict.UNDECIDED, "undecided")
    failed = flawed("f", "pinned", grading=Grading(failure="the engine went away"))
    assert failed.verdict is Verdict.UNDECIDED
    assert {cell.rationale for cell in failed.cells} == {"the engine went away"}


def test_one_undecided_does_not_hide_one_missed():
    assert flawed("f", "pinned", "not_root", grading=graded(pinned=None)).verdict is Verdict.MISSED


def test_what_is_undecided_beside_what_is_named_does_not_matter():
    row = flawed("f", "pinned", grading=graded(pinned=0.0, metrics=None))
    assert row.verdict is Verdict.NAMED
    assert findings(assembled((row,))) == ()


def test_the_figures_add_up():
    found = everything().summary
    verdicts = (found.caught_by_named, found.caught_by_another, found.missed, found.undecided)
    assert verdicts == (3, 1, 1, 1)
    assert sum(verdicts) == found.flawed
    # pinned; pinned, not_root and beside them metrics; metrics again; not_root
    assert (found.criteria_lost, found.collateral, found.collateral_share) == (6, 2, 0.3333)
    assert (found.goldens, found.goldens_losing_points, found.goldens_undecided) == (3, 1, 1)


def test_columns_count_what_became_of_each_criterion():
    columns = {column.criterion: column for column in everything().criteria}
    assert list(columns) == ["pinned", "documents", "not_root", "predictions", "metrics"]
    counts = {name: (c.caught, c.missed, c.collateral, c.false_alarms) for name, c in columns.items()}
    assert counts["pinned"] == (2, 0, 0, 0)
    assert counts["predictions"] == (0, 2, 0, 0)
    assert counts["metrics"] == (0, 0, 2, 1)


def test_dead_weight_is_what_nothing_names_and_nothing_loses():
    row = flawed("f", "pinned", grading=graded(pinned=0.0, metrics=0.0))
    assert assembled((row,)).summary.dead_weight == ("documents", "not_root", "predictions")
    # Another flawed submission names it, which did not run this time.
    assert assembled((row,), named={"not_root"}).summary.dead_weight == ("documents", "predictions")


def test_nothing_lost_is_no_share():
    assert assembled(()).summary.collateral_share == 0.0


GOOD = flawed("f", "pinned", grading=graded(pinned=0.0))
BESIDE = flawed("f", "pinned", grading=graded(pinned=0.0, metrics=0.0))
UNSURE = flawed("f", "pinned", grading=graded(pinned=None))
MISSED = flawed("f", "pinned", grading=graded())
ELSEWHERE = flawed("f", "pinned", grading=graded(metrics=0.0))
REFERENCE, ALARMED = golden("reference", graded()), golden("alarmed", graded(metrics=1.0))
UNKNOWN = golden("unknown", Grading(failure="gone"))


@pytest.mark.parametrize(
    ("rows", "goldens", "outcome"),
    [
        ((GOOD,), (REFERENCE,), Outcome.PASSED),
        ((BESIDE,), (), Outcome.PASSED),
        ((GOOD, MISSED), (REFERENCE,), Outcome.FAILED),
        ((GOOD, ELSEWHERE), (REFERENCE,), Outcome.FAILED),
        ((GOOD,), (ALARMED,), Outcome.FAILED),
        ((GOOD, UNSURE), (REFERENCE,), Outcome.ERROR),
        ((GOOD,), (UNKNOWN,), Outcome.ERROR),
        ((UNSURE, MISSED), (), Outcome.FAILED),
        ((UNSURE,), (ALARMED,), Outcome.FAILED),
    ],
)
def test_the_outcome_is_ours_only_where_nothing_else_stands_in_the_way(rows, goldens, outcome):
    assert assembled(rows, goldens).outcome is outcome


def test_findings_come_by_urgency_and_leave_out_what_is_as_it_should_be():
    names = [finding.row.name for finding in findings(everything())]
    assert names == ["alarmed", "broken", "unseen", "elsewhere", "unsure", "beside"]
    beside = findings(everything())[-1]
    assert [(c.criterion, c.standing) for c in beside.cells] == [("metrics", Standing.COLLATERAL)]


def test_rows_are_grouped_by_the_kind_of_fault_and_columns_by_stage():
    assert [(name, len(rows)) for name, rows in groups(everything())] == [("Golden", 3), ("Build", 4), ("Contract", 2)]
    assert [(name, len(columns)) for name, columns in stages(everything())] == list(zip(ALL, (2, 1, 2), strict=True))

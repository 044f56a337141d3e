"""What evidence is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grading.evidence import Check, Evidence, Interval, Measurement, Outcome, Run, Skip, StageResult
from grading.report import grade
from grading.review import Review
from grading.rubric import BandsCriterion, ChecksCriterion, LineCriterion, ManualCriterion, Rubric

RUN = Run(
    id="r", challenge="c", challenge_version="1", challenge_digest="d", submission="s", submission_digest="d",
    profile="review", sandbox="docker", final=True, seed_commitment="x", started_at="2026-01-01T00:00:00+00:00",
    versions={}, host={},
)  # fmt: skip
BANDS = [{"at": 0.8, "share": 1.0}, {"at": 0.5, "share": 0.6}, {"at": 0.25, "share": 0.3}]


def evidence(*checks: tuple[str, str], measured: Measurement | None = None, **stage) -> Evidence:
    made = tuple(Check(name=n, outcome=Outcome(o), message=f"{n} {o}") for n, o in checks)
    values = {"outcome": Outcome.PASSED, "checks": made, "measurements": (measured,) if measured else (), **stage}
    return Evidence(run=RUN, stages=(StageResult(stage="s", **values),))


def checks_criterion(**changes) -> ChecksCriterion:
    values = {
        "id": "c",
        "title": "C",
        "skill": "serving",
        "points": 10,
        "kind": "checks",
        "stage": "s",
        "checks": ["a*"],
    }
    return ChecksCriterion.model_validate({**values, **changes})


def bands_criterion(bands=BANDS) -> BandsCriterion:
    values = {"id": "c", "title": "C", "skill": "performance", "points": 10, "kind": "bands", "stage": "s"}
    return BandsCriterion.model_validate({**values, "measurement": "m", "bands": bands})


def line(zero_at: float, full_at: float) -> LineCriterion:
    values = {"id": "c", "title": "C", "skill": "performance", "points": 10, "kind": "line", "stage": "s"}
    return LineCriterion.model_validate({**values, "measurement": "m", "zero_at": zero_at, "full_at": full_at})


def test_points_follow_the_share_of_matching_checks_that_passed():
    score = checks_criterion().score(evidence(("a1", "passed"), ("a2", "failed"), ("b", "failed")))
    assert score.points == 5
    assert score.evidence == ("a2", "a1")
    assert score.rationale == "a2 failed"


def test_all_or_nothing_gives_nothing_for_one_failure():
    assert checks_criterion(all_or_nothing=True).score(evidence(("a1", "passed"), ("a2", "failed"))).points == 0


def test_absence_of_evidence_is_never_a_pass():
    score = checks_criterion().score(evidence(("b", "passed")))
    assert score.points == 0
    assert "no check matched" in score.rationale


def test_a_criterion_of_which_another_failure_shows_nothing_is_not_reached():
    def found(*reached: bool) -> Evidence:
        told = {"outcome": Outcome.FAILED, "message": "Not reached: b failed."}
        made = tuple(Check(name=f"a{number}", reached=one, **told) for number, one in enumerate(reached))
        return Evidence(run=RUN, stages=(StageResult(stage="s", outcome=Outcome.PASSED, checks=made),))

    score = checks_criterion().score(found(False, False))
    assert (score.points, score.reached, score.rationale) == (0, False, "Not reached: b failed.")
    assert checks_criterion().score(found(True, False)).reached


@pytest.mark.parametrize("criterion", [checks_criterion(), line(0, 1), bands_criterion()])
def test_what_a_stage_that_ended_early_did_not_come_to_is_not_reached(criterion):
    score = criterion.score(evidence(("b", "failed"), outcome=Outcome.FAILED, reason="it does not start\nits output"))
    assert (score.points, score.reached) == (0, False)
    assert score.rationale == "Not reached: it does not start"
    assert criterion.score(evidence(("b", "passed"))).reached


def test_what_was_seen_before_a_stage_ended_early_counts():
    score = checks_criterion().score(evidence(("a1", "passed"), ("a2", "failed"), outcome=Outcome.FAILED, reason="r"))
    assert (score.points, score.reached) == (5, True)


def test_a_fault_of_ours_leaves_the_criterion_undecided():
    assert checks_criterion().score(evidence(("a1", "passed"), ("a2", "error"))).points is None
    assert checks_criterion().score(evidence(outcome=Outcome.ERROR, reason="the engine died")).points is None
    assert checks_criterion().score(Evidence(run=RUN, stages=())).points is None


@pytest.mark.parametrize(("skip", "points"), [(Skip.SUBMISSION, 0), (Skip.SELECTION, None), (Skip.SANDBOX, None)])
def test_why_a_stage_was_skipped_decides_its_points(skip, points):
    score = checks_criterion().score(evidence(outcome=Outcome.SKIPPED, skip=skip, reason="r"))
    assert (score.points, score.reached) == (points, skip is not Skip.SUBMISSION)


def test_checks_that_could_not_be_assessed_leave_the_criterion_undecided():
    assert checks_criterion().score(evidence(("a1", "skipped"))).points is None


def test_a_number_that_was_not_measured_earns_nothing_unless_it_could_not_be_known():
    assert line(0, 1).score(evidence()).points == 0
    assert line(0, 1).score(evidence(("m", "skipped"))).points is None


def test_a_number_that_the_machine_disturbed_leaves_the_criterion_undecided():
    line = LineCriterion(
        id="i", title="t", skill="serving", points=4, kind="line", stage="s", measurement="m", zero_at=0, full_at=1
    )
    score = line.score(evidence(("m", "error")))
    assert score.points is None
    assert score.rationale == "Undecided: m error"


def test_a_line_may_rise_or_fall():
    def points(criterion, value):
        return criterion.score(evidence(measured=Measurement(name="m", value=value, unit="s"))).points

    assert [points(line(0, 4), v) for v in (-1, 1, 4, 9)] == [0, 2.5, 10, 10]
    assert [points(line(4, 0), v) for v in (-1, 1, 4, 9)] == [10, 7.5, 0, 0]


@pytest.mark.parametrize(
    ("low", "high", "points"), [(0.9, 1.1, 10), (0.7, 0.81, 10), (0.7, 0.79, 6), (0.45, 0.51, 6), (0.1, 0.2, 0)]
)
def test_a_lower_band_needs_the_whole_interval_below_the_edge(low, high, points):
    measured = Measurement(name="m", value=(low + high) / 2, unit="1", interval=Interval(low=low, high=high))
    assert bands_criterion().score(evidence(measured=measured)).points == points


@given(st.floats(0, 2), st.floats(0, 1))
def test_a_wider_interval_never_costs_points(value, half_width):
    exact = Measurement(name="m", value=value, unit="1")
    vague = exact.model_copy(update={"interval": Interval(low=value - half_width, high=value + half_width)})
    for criterion in (bands_criterion(), line(0, 1), line(1, 0)):
        assert criterion.score(evidence(measured=vague)).points >= criterion.score(evidence(measured=exact)).points


def test_a_manual_criterion_waits_for_a_person_and_the_last_review_counts():
    manual = ManualCriterion.model_validate(
        {"id": "w", "title": "W", "skill": "communication", "points": 100, "kind": "manual", "guidance": "Look."}
    )
    rubric = Rubric(criteria=(manual,))
    first, last = (Review(criterion="w", points=p, reason="r", reviewer="R", at="t") for p in (80, 60))
    undecided = grade(Evidence(run=RUN, stages=()), rubric)
    assert (undecided.points, undecided.decided_points, undecided.void) == (0, 0, False)
    assert grade(Evidence(run=RUN, stages=()), rubric, (first, last)).points == 60


def test_an_error_voids_the_run_and_a_failure_does_not():
    rubric = Rubric(criteria=(checks_criterion(points=100),))
    assert grade(evidence(outcome=Outcome.ERROR, reason="r"), rubric).void
    assert grade(evidence(("a1", "error")), rubric).void
    assert not grade(evidence(("a1", "failed"), outcome=Outcome.FAILED), rubric).void


def test_a_rubric_adds_up_to_100_and_its_ids_are_unique():
    with pytest.raises(ValidationError, match="add up to 50"):
        Rubric(criteria=(checks_criterion(points=50),))
    with pytest.raises(ValidationError, match="twice: c"):
        Rubric(criteria=(checks_criterion(points=50), checks_criterion(points=50)))


def test_bands_must_be_listed_best_first():
    with pytest.raises(ValidationError, match="best first"):
        bands_criterion([{"at": 0.5, "share": 0.6}, {"at": 0.8, "share": 1.0}])

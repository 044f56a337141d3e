"""What evidence is worth: criteria turn stage results into scores."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grading.evidence import Check, Evidence, Measurement, Outcome, Record, Skip, StageResult
from grading.review import Review


class Skill(StrEnum):
    """What a criterion says something about; the report adds points up by skill."""

    SERVING = "serving"
    CONTAINERIZATION = "containerization"
    MONITORING = "monitoring"
    PERFORMANCE = "performance"
    ROBUSTNESS = "robustness"
    REPRODUCIBILITY = "reproducibility"
    CI_CD = "ci/cd"
    SECURITY = "security"
    COMMUNICATION = "communication"


Sees = Literal["nothing", "points", "reasons"]
"""What candidates see of their own grading: that it is done; the points by skill too; also what lost them, and why."""


class Score(Record):
    """What one criterion came to, and what that rests on."""

    criterion: str
    title: str
    skill: Skill
    points: float | None
    """None while undecided: by a person, or because the harness could not assess it."""
    max_points: float
    rationale: str
    stage: str
    """The stage whose evidence it rests on; empty for a manual criterion."""
    reached: bool = True
    """False where nothing could be seen, because the submission failed before: no points, and no judgement either."""
    evidence: tuple[str, ...] = ()
    """Names of the checks or the measurement that it rests on, those that cost points first."""
    question: str = ""
    """A follow-up for the interview."""


class _Criterion(Record):
    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    skill: Skill
    points: float = Field(gt=0)
    question: str = ""
    """A follow-up question for the interview."""

    def _score(
        self,
        points: float | None,
        rationale: str,
        *,
        stage: str = "",
        evidence: tuple[str, ...] = (),
        reached: bool = True,
    ) -> Score:
        return Score(
            criterion=self.id,
            title=self.title,
            skill=self.skill,
            points=None if points is None else round(points, 2),
            max_points=self.points,
            rationale=rationale,
            stage=stage,
            reached=reached,
            evidence=evidence,
            question=self.question,
        )


class _StageCriterion(_Criterion):
    stage: str

    def score(self, evidence: Evidence) -> Score:
        """Score this criterion on its stage's evidence."""
        result = evidence.stage(self.stage)
        if result is None:
            return self._score(None, f"Undecided: the stage '{self.stage}' left no evidence.", stage=self.stage)
        if result.outcome is Outcome.ERROR:
            return self._score(
                None, f"Undecided, through no fault of the submission: {result.reason}", stage=self.stage
            )
        if result.outcome is Outcome.SKIPPED:
            if result.skip is Skip.SUBMISSION:
                return self._not_reached(result)
            return self._score(None, f"Not assessed: {result.reason}", stage=self.stage)
        return self._score_result(result)

    def _not_reached(self, result: StageResult) -> Score:
        """Nothing was seen of it: the submission had failed before."""
        why = next(iter(result.reason.splitlines()), "")
        return self._score(0.0, f"Not reached: {why}", stage=self.stage, reached=False)

    def _without_evidence(self, result: StageResult, missing: str) -> Score:
        """A stage that ended early did not come to it; one that ran to its end should have."""
        if result.outcome is Outcome.FAILED:
            return self._not_reached(result)
        return self._score(0.0, f"No evidence: {missing}.", stage=self.stage)

    def _score_result(self, result: StageResult) -> Score:
        raise NotImplementedError


class ChecksCriterion(_StageCriterion):
    """Points by the share of the matching checks that passed."""

    kind: Literal["checks"]
    checks: tuple[str, ...] = Field(min_length=1)
    """Globs over the names of the stage's checks."""
    all_or_nothing: bool = False
    """One failed check takes all the points."""

    def _score_result(self, result: StageResult) -> Score:
        matched = [c for c in result.checks if any(fnmatchcase(c.name, glob) for glob in self.checks)]
        decided = [c for c in matched if c.outcome in (Outcome.PASSED, Outcome.FAILED)]
        ours = [c for c in matched if c.outcome is Outcome.ERROR]
        if ours:
            return self._score(None, f"Undecided: {ours[0].message}", stage=self.stage, evidence=_names(ours))
        if matched and not decided:
            return self._score(None, f"Not assessed: {matched[0].message}", stage=self.stage, evidence=_names(matched))
        if not decided:
            return self._without_evidence(result, f"no check matched {', '.join(self.checks)}")
        failed = [c for c in decided if c.outcome is Outcome.FAILED]
        share = 0.0 if failed and self.all_or_nothing else 1 - len(failed) / len(decided)
        passed = [c for c in decided if c.outcome is Outcome.PASSED]
        messages = dict.fromkeys(c.message for c in failed)
        rationale = " ".join(messages) if failed else f"{len(passed)} of {len(decided)} checks passed."
        return self._score(
            share * self.points,
            rationale,
            stage=self.stage,
            evidence=_names(failed + passed),
            reached=not failed or any(c.reached for c in failed),
        )


class _MeasurementCriterion(_StageCriterion):
    measurement: str

    def _share(self, measurement: Measurement) -> float:
        raise NotImplementedError

    def _score_result(self, result: StageResult) -> Score:
        found = result.measurement(self.measurement)
        if found is None:
            for check in (c for c in result.checks if c.name == self.measurement):
                if check.outcome in (Outcome.SKIPPED, Outcome.ERROR):
                    verb = "Not assessed" if check.outcome is Outcome.SKIPPED else "Undecided"
                    return self._score(None, f"{verb}: {check.message}", stage=self.stage)
            return self._without_evidence(result, f"'{self.measurement}' was not measured")
        shown = f"{found.value:.4g} {found.unit}".removesuffix(" 1")
        if found.interval:
            shown += f" ({found.interval.level:.0%} interval {found.interval.low:.4g} to {found.interval.high:.4g})"
        rationale = f"{self.measurement} = {shown}{'; ' + found.note if found.note else ''}"
        return self._score(self._share(found) * self.points, rationale, stage=self.stage, evidence=(found.name,))


class LineCriterion(_MeasurementCriterion):
    """Points on a straight line from `zero_at` (none) to `full_at` (all). Either may be the greater."""

    kind: Literal["line"]
    zero_at: float
    full_at: float

    @model_validator(mode="after")
    def _ends_differ(self) -> Self:
        if self.zero_at == self.full_at:
            raise ValueError("zero_at and full_at must differ")
        return self

    def _share(self, measurement: Measurement) -> float:
        value = _favourable(measurement, more_is_better=self.full_at > self.zero_at)
        return min(1.0, max(0.0, (value - self.zero_at) / (self.full_at - self.zero_at)))


class Band(Record):
    """One step of a banded criterion: at `at` or better, this share of the points."""

    at: float
    share: float = Field(ge=0, le=1)


class BandsCriterion(_MeasurementCriterion):
    """Points by bands. A lower band is given only if the whole interval lies below the edge of the one above."""

    kind: Literal["bands"]
    bands: tuple[Band, ...] = Field(min_length=1)
    """Best band first."""

    @model_validator(mode="after")
    def _best_band_first(self) -> Self:
        shares = [band.share for band in self.bands]
        edges = [band.at for band in self.bands]
        if shares != sorted(shares, reverse=True) or edges not in (sorted(edges), sorted(edges, reverse=True)):
            raise ValueError("bands must be listed best first: falling shares, and edges in order")
        return self

    def _share(self, measurement: Measurement) -> float:
        edges = [band.at for band in self.bands]
        more_is_better = edges == sorted(edges, reverse=True)
        value = _favourable(measurement, more_is_better=more_is_better)
        reached = (b.share for b in self.bands if (value >= b.at if more_is_better else value <= b.at))
        return next(reached, 0.0)


class ManualCriterion(_Criterion):
    """Points that a person gives. Undecided until then, which is not zero."""

    kind: Literal["manual"]
    guidance: str
    """What the reviewer should look for, from none of the points to all of them."""

    def score(self, review: Review | None) -> Score:
        """Score this criterion by a review, if there is one."""
        if review is None:
            return self._score(None, f"Waits for a reviewer. {self.guidance}")
        return self._score(min(review.points, self.points), f"{review.reviewer}, {review.at}: {review.reason}")


AutomaticCriterion = ChecksCriterion | LineCriterion | BandsCriterion
Criterion = Annotated[ChecksCriterion | LineCriterion | BandsCriterion | ManualCriterion, Field(discriminator="kind")]


class Rubric(Record):
    """Every criterion of a challenge. Their points add up to 100."""

    criteria: tuple[Criterion, ...] = Field(min_length=1)
    candidate_sees: Sees = "reasons"

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        ids = [criterion.id for criterion in self.criteria]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"criterion ids must be unique; twice: {', '.join(twice)}")
        total = sum(criterion.points for criterion in self.criteria)
        if abs(total - 100) > 1e-9:
            raise ValueError(f"the points of all criteria must add up to 100; they add up to {total:g}")
        return self


def _favourable(measurement: Measurement, *, more_is_better: bool) -> float:
    if measurement.interval is None:
        return measurement.value
    return measurement.interval.high if more_is_better else measurement.interval.low


def _names(checks: list[Check]) -> tuple[str, ...]:
    return tuple(check.name for check in checks)

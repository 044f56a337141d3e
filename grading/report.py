"""grade(evidence, rubric, reviews) -> Report. Pure: the same input gives the same report, byte for byte."""

from __future__ import annotations

from grading.evidence import Evidence, LedgerLine, Outcome, Record, Run, StageResult
from grading.kpis import Kpi, ReportSettings, kpis
from grading.review import Review, latest
from grading.rubric import ManualCriterion, Rubric, Score, Skill

SCHEMA_VERSION = "1.1"


class SkillPoints(Record):
    """Points by skill. `decided` is the maximum of those criteria that are decided."""

    skill: Skill
    points: float
    decided: float
    max_points: float


class Report(Record):
    """Everything that a hiring team needs to judge a run, and to defend the judgement."""

    schema_version: str = SCHEMA_VERSION
    challenge: str
    title: str
    role: str
    submission: str
    points: float
    """The sum of all decided scores."""
    decided_points: float
    """The most that the decided criteria could have given; 100 less what is undecided."""
    max_points: float
    void: bool
    """True if the harness or the machine failed in a way that leaves criteria undecided: grade again."""
    void_because: tuple[str, ...] = ()
    run: Run
    scores: tuple[Score, ...]
    skills: tuple[SkillPoints, ...]
    kpis: tuple[Kpi, ...]
    stages: tuple[StageResult, ...]
    ledger: LedgerLine
    """Where the wall time of all stages went."""
    reviews: tuple[Review, ...] = ()


def grade(
    evidence: Evidence,
    rubric: Rubric,
    reviews: tuple[Review, ...] = (),
    *,
    title: str = "",
    role: str = "",
    settings: ReportSettings | None = None,
) -> Report:
    """Score evidence by a rubric and a person's reviews."""
    judged = latest(reviews)
    scores = tuple(
        criterion.score(judged.get(criterion.id))
        if isinstance(criterion, ManualCriterion)
        else criterion.score(evidence)
        for criterion in rubric.criteria
    )
    errors = tuple(f"{s.stage}: {s.reason}" for s in evidence.stages if s.outcome is Outcome.ERROR)
    errors += tuple(
        f"{s.stage}/{c.name}: {c.message}"
        for s in evidence.stages
        if s.outcome is not Outcome.ERROR
        for c in s.checks
        if c.outcome is Outcome.ERROR
    )
    return Report(
        challenge=evidence.run.challenge,
        title=title,
        role=role,
        submission=evidence.run.submission,
        points=_points(scores),
        decided_points=_decided(scores),
        max_points=_max(scores),
        void=bool(errors),
        void_because=errors,
        run=evidence.run,
        scores=scores,
        skills=_by_skill(scores),
        kpis=kpis(evidence, settings or ReportSettings()),
        stages=evidence.stages,
        ledger=_total([stage.ledger for stage in evidence.stages]),
        reviews=reviews,
    )


def _by_skill(scores: tuple[Score, ...]) -> tuple[SkillPoints, ...]:
    grouped = {skill: tuple(s for s in scores if s.skill is skill) for skill in Skill}
    return tuple(
        SkillPoints(skill=skill, points=_points(own), decided=_decided(own), max_points=_max(own))
        for skill, own in grouped.items()
        if own
    )


def _points(scores: tuple[Score, ...]) -> float:
    return round(sum(s.points for s in scores if s.points is not None), 2)


def _decided(scores: tuple[Score, ...]) -> float:
    return round(sum(s.max_points for s in scores if s.points is not None), 2)


def _max(scores: tuple[Score, ...]) -> float:
    return round(sum(s.max_points for s in scores), 2)


def _total(lines: list[LedgerLine]) -> LedgerLine:
    sums = {name: round(sum(getattr(line, name) for line in lines), 2) for name in LedgerLine.model_fields}
    return LedgerLine(**sums)

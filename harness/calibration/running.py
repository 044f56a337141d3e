"""Grades a known submission, and judges what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.calibration.matrix import Grading, flawed_row, golden_row
from grading.calibration.records import FlawedRow, GoldenRow
from grading.report import Report
from grading.rubric import Score
from harness import pipeline, reports
from harness.calibration.cases import Case
from harness.challenge import Challenge, Profile
from harness.errors import ChallengeError, InfrastructureError, UsageError
from harness.pipeline import Listener
from harness.sandbox import Sandbox
from harness.seeds import Seed

ATTEMPTS = 2
"""How often a stage is run of which the machine left undecided what it is run for."""


@dataclass(frozen=True)
class Bench:
    """What all gradings of one calibration share."""

    challenge: Challenge
    profile: Profile
    runs: Path
    seed: Seed
    sandbox: Callable[[str], Sandbox]
    resume: bool = False
    """Take the runs that are there already."""


@dataclass(frozen=True)
class Graded:
    """The gradings of a known submission, and why some of it could not be graded."""

    reports: tuple[Report, ...] = ()
    failure: str = ""


def grade(bench: Bench, case: Case, listen: Listener, before: Graded | None = None, attempts: int = ATTEMPTS) -> Graded:
    """Grade a known submission, and the stages that the machine left undecided again; `before` is what was graded."""
    gradings = list(before.reports) if before else _earlier(bench, case) if bench.resume else []
    failure = ""
    for attempt in range(attempts):
        if not (left := _undecided(case, _merged(gradings))):
            break
        if attempt:
            listen(left[0], "again: the machine left something undecided")
        try:
            gradings.append(_grade(bench, case, left, listen))
            failure = ""
        except InfrastructureError as error:
            failure = str(error)
    return Graded(tuple(gradings), failure)


def decided(case: Case, graded: Graded) -> bool:
    """Whether the gradings decide all that the case is about."""
    return bool(graded.reports) and not _undecided(case, _merged(graded.reports))


def judge(bench: Bench, case: Case, graded: Graded) -> FlawedRow | GoldenRow:
    """Judge a known submission by what its gradings say."""
    grading = Grading(
        runs=tuple(report.run.id for report in graded.reports),
        scores=tuple(_merged(graded.reports).values()),
        seconds=round(sum(report.ledger.wall for report in graded.reports), 1),
        failure=graded.failure,
    )
    rubric = bench.challenge.spec.rubric
    if case.golden:
        return golden_row(case.name, case.title, stages=case.stages, grading=grading, rubric=rubric)
    return flawed_row(
        case.name,
        case.title,
        base=case.base,
        source=case.source,
        loses=case.loses,
        stages=case.stages,
        grading=grading,
        rubric=rubric,
    )


def _grade(bench: Bench, case: Case, stages: tuple[str, ...], listen: Listener) -> Report:
    order = pipeline.Order(case.folder, bench.challenge, bench.profile, stages, bench.runs, bench.seed, bench.sandbox)
    return reports.write_all(pipeline.run_through(order, listen))


def _merged(gradings: Sequence[Report]) -> dict[str, Score]:
    """The scores of several runs of one submission: of each criterion the last one that is decided, if any is."""
    found: dict[str, Score] = {}
    for score in (score for report in gradings for score in report.scores):
        if score.points is not None or score.criterion not in found:
            found[score.criterion] = score
    return found


def _undecided(case: Case, scores: Mapping[str, Score]) -> tuple[str, ...]:
    """The stages of which a criterion is undecided that the case is about: those it names, or all of a golden one."""
    if not scores:
        return case.stages
    about = [s for s in scores.values() if (s.stage in case.stages if case.golden else s.criterion in case.loses)]
    stages = {score.stage for score in about if score.points is None}
    return tuple(stage for stage in case.stages if stage in stages)


def _earlier(bench: Bench, case: Case) -> list[Report]:
    """The runs of the same submission under the same challenge, profile and seed, the oldest first."""
    found = []
    for folder in bench.runs.glob(f"{bench.challenge.id}-{case.name}-{case.digest[:8]}-*"):
        try:
            report = reports.rescore(folder)
        except (UsageError, ChallengeError):
            continue  # of an older harness
        run = report.run
        same = (run.submission_digest, run.challenge_digest, run.profile, run.seed_commitment)
        if same == (case.digest, bench.challenge.digest, bench.profile, bench.seed.commitment):
            found.append(report)
    return sorted(found, key=lambda report: (report.run.started_at, report.run.id))

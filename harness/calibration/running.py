"""Grades known submissions one after the other and judges what became of each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from grading.calibration.matrix import Grading, flawed_row, golden_row
from grading.calibration.records import FlawedRow, GoldenRow
from grading.evidence import Skip
from grading.report import Report
from harness import pipeline, reports
from harness.calibration.cases import Case
from harness.challenge import Challenge, Profile
from harness.errors import ChallengeError, InfrastructureError, UsageError
from harness.pipeline import Listener
from harness.sandbox import Sandbox
from harness.seeds import Seed

ATTEMPTS = 2
"""How often a submission is graded whose criteria the machine left undecided."""


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


def judge(bench: Bench, case: Case, listen: Listener) -> FlawedRow | GoldenRow:
    """Grade a known submission, again if the machine left undecided what it is about, and judge it."""
    report, failure = _earlier(bench, case) if bench.resume else None, ""
    for attempt in range(ATTEMPTS):
        if report and not _undecided(case, report):
            break
        listen("calibrate", "again: the machine left something undecided" if attempt else "starting")
        try:
            report, failure = _grade(bench, case, listen), ""
        except InfrastructureError as error:
            report, failure = None, str(error)
    grading = Grading(
        run=report.run.id if report else "",
        scores=report.scores if report else (),
        seconds=report.ledger.wall if report else 0.0,
        failure=failure,
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


def _grade(bench: Bench, case: Case, listen: Listener) -> Report:
    order = pipeline.Order(
        case.folder, bench.challenge, bench.profile, case.stages, bench.runs, bench.seed, bench.sandbox
    )
    with closing(pipeline.grade(order, listen)) as grading:
        while True:
            try:
                next(grading)
            except StopIteration as end:
                return reports.write_all(end.value)


def _undecided(case: Case, report: Report) -> bool:
    """Whether a criterion that the case is about could not be assessed: those it names, or all of a golden one."""
    about = [s for s in report.scores if (s.stage in case.stages if case.golden else s.criterion in case.loses)]
    return any(score.points is None for score in about)


def _earlier(bench: Bench, case: Case) -> Report | None:
    """The latest run of the same submission under the same challenge and profile that holds all stages it needs."""
    prefix = f"{bench.challenge.id}-{case.name}-{case.digest[:8]}-"
    for folder in sorted(bench.runs.glob(f"{prefix}*"), reverse=True):
        try:
            report = reports.rescore(folder)
        except (UsageError, ChallengeError):
            continue  # broken off, or of an older harness
        run = report.run
        same = (run.submission_digest, run.challenge_digest, run.profile, run.seed_commitment)
        wanted = (case.digest, bench.challenge.digest, bench.profile, bench.seed.commitment)
        ran = {stage.stage for stage in report.stages if stage.skip is not Skip.SELECTION}
        if same == wanted and ran.issuperset(case.stages):
            return report
    return None

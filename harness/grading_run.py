"""From what was typed to a graded run: an order is checked whole before anything runs, then carried out."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from grading.report import Report
from grading.review import Review
from grading.rubric import ManualCriterion
from harness import challenge as challenges
from harness import pipeline, reports, runs, seeds, tracking
from harness.challenge import Challenge, Profile
from harness.errors import UsageError
from harness.sandbox import Sandbox
from harness.seeds import Seed
from harness.terminal import Progress
from harness.verify import verify


def order(
    path: Path,
    *,
    challenge_id: str | None = None,
    profile: Profile = "review",
    stages: tuple[str, ...] = (),
    runs: Path = Path("runs"),
    sandbox: str = "docker",
    trusted: bool = False,
    cohort: str = "default",
    seed: str | None = None,
) -> tuple[pipeline.Order, list[str]]:
    """An order that can be carried out, and notes for the person who gave it.

    Raises:
        UsageError: something that was asked for does not exist or is not there.
        ChallengeError: the challenge is broken.
    """
    found = challenges.named(challenge_id)
    verify(found)
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        raise UsageError(f"the submission {path} {what}", "Give the folder that holds the Dockerfile.")
    for name in stages:
        if name not in found.spec.stages:
            raise UsageError(f"there is no stage '{name}' in {found.id}", f"There are: {', '.join(found.spec.stages)}.")
    make, notes = _sandbox(sandbox, trusted)
    root, more = _seed(found, profile, cohort, seed)
    chosen = stages or found.spec.stages
    return pipeline.Order(path, found, profile, chosen, runs, root, make), notes + more


def place(found: Challenge, profile: Profile) -> tuple[Callable[[str], Sandbox], Seed]:
    """Where the known submissions of a challenge run, and the seed of their inputs.

    Raises:
        UsageError: no engine answers.
    """
    return _sandbox("docker", trusted=False)[0], _seed(found, profile, "default", None)[0]


def execute(order: pipeline.Order, progress: Progress, mlflow_uri: str | None) -> tuple[Path, Report, str]:
    """Carry an order out; returns the run folder, its report, and a warning if MLflow could not be told."""
    with ThreadPoolExecutor(1) as beside, progress, pipeline.machine_to_ourselves(progress.tell):
        grading = pipeline.grade(order, progress.tell)
        try:
            progress.finished(next(grading))
            # From here on, a grading mostly waits for services.
            beside.submit(reports.prepare)
            while True:
                progress.finished(next(grading))
        except StopIteration as end:
            folder: Path = end.value
        finally:
            grading.close()
        progress.tell("report", "writing")
        report = reports.write_all(folder)
    return folder, report, tracking.log(report, folder, mlflow_uri) if mlflow_uri else ""


def reveal(report: Report, cohort: str) -> Seed:
    """The seed of a run's hidden inputs.

    Raises:
        UsageError: the reviewer's key and this cohort don't give the seed that the run committed to.
    """
    key, _ = seeds.reviewer_key()
    candidates = (seeds.published(), seeds.of_review(key, report.challenge, report.run.challenge_version, cohort))
    for seed in candidates:
        if seed.commitment == report.run.seed_commitment:
            return seed
    raise UsageError(
        f"this key and the cohort '{cohort}' do not give the seed that the run committed to",
        f"Name the key it was graded with (HARNESS_KEY_FILE; now {seeds.key_file()}) and its --cohort.",
    )


def add_review(folder: Path, criterion: str, points: float, reason: str, reviewer: str) -> Report:
    """Append a review to a run and write its reports anew.

    Raises:
        UsageError: there is no such manual criterion, or it has fewer points than were given.
    """
    evidence, _ = runs.read(folder)
    rubric = challenges.read_spec(folder).rubric
    manual = {c.id: c for c in rubric.criteria if isinstance(c, ManualCriterion)}
    if criterion not in manual:
        raise UsageError(
            f"'{criterion}' is no manual criterion of {evidence.run.challenge}", f"There are: {', '.join(manual)}."
        )
    if not 0 <= points <= manual[criterion].points:
        raise UsageError(f"{criterion} has 0 to {manual[criterion].points:g} points, not {points:g}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    runs.append_review(folder, Review(criterion=criterion, points=points, reason=reason, reviewer=reviewer, at=now))
    return reports.write_all(folder)


def _sandbox(kind: str, trusted: bool) -> tuple[Callable[[str], Sandbox], list[str]]:
    from harness.sandbox.docker import DockerSandbox, available
    from harness.sandbox.local import LocalSandbox

    engine = kind != "local" and available()
    if kind == "docker" and not engine:
        raise UsageError(
            "no Docker engine with BuildKit answers",
            "'harness doctor' says what is missing; 'make engine' installs an engine on Debian. To try a submission "
            "that you trust without one: --sandbox local --trusted (never a final grade).",
        )
    if engine:
        return DockerSandbox, []
    if not trusted:
        raise UsageError(
            "the local sandbox runs a submission as a plain process of yours, so it wants one that you trust",
            "Say --trusted if you do; else install an engine ('make engine').",
        )
    return lambda run_id: LocalSandbox(run_id, trusted=trusted), ["running as a plain process: the grade is not final"]


def _seed(found: Challenge, profile: Profile, cohort: str, given: str | None) -> tuple[Seed, list[str]]:
    if given is not None:
        if not re.fullmatch(r"[0-9a-f]{64}", given):
            raise UsageError("--seed takes 64 hexadecimal digits", "'harness report RUN --reveal-seed' prints them.")
        return Seed(given), []
    if profile == "public":
        return seeds.published(), []
    key, made = seeds.reviewer_key()
    notes = [f"made a reviewer's key at {seeds.key_file()}: keep it, and keep it secret"] if made else []
    return seeds.of_review(key, found.id, found.spec.version, cohort), notes

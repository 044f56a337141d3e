"""submission -> image -> service -> evidence."""

from __future__ import annotations

import shutil
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from grading.evidence import Outcome, Run, Skip, StageResult
from harness import machine, models, runs
from harness.challenge import Challenge, Profile
from harness.errors import InfrastructureError, SubmissionError
from harness.readiness import NotReady
from harness.sandbox import BuildFailed, CannotStart, Image, Sandbox
from harness.seeds import Seed
from harness.stages import Stage, Subject
from harness.submission import Submission, export
from harness.verify import settings, stage_module

WORK = models.CACHE / "work"
"""What is graded is copied here first."""

Listener = Callable[[str, str], None]
"""Told of progress: the stage, and what it is doing in a few words."""


@dataclass(frozen=True)
class Order:
    """What was asked for."""

    path: Path
    challenge: Challenge
    profile: Profile
    stages: tuple[str, ...]
    runs: Path
    seed: Seed
    sandbox: Callable[[str], Sandbox]
    """Makes the sandbox of a run, given the run's id."""


@contextmanager
def machine_to_ourselves(listen: Listener) -> Iterator[None]:
    """Hold the machine's grading lock, and clear what gradings that were killed left in the cache."""
    with machine.only_one(partial(listen, "waiting")):
        shutil.rmtree(WORK, ignore_errors=True)
        yield


def grade(order: Order, listen: Listener) -> Generator[StageResult, None, Path]:
    """Run all stages in order and yield each result once it is on disk; returns the run folder.

    A stage that fails costs its checks, one of ours that breaks costs nothing: the next stage runs all the same, unless
    there is no service to run it against. The caller holds the machine (`machine_to_ourselves`).
    """
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as scratch:
        work = Path(scratch)
        submission = export(order.path, work / "submission")
        run = _run(order, submission)
        with order.sandbox(run.id) as sandbox:
            run = _with_sandbox(run, order, sandbox)
            folder = runs.create(order.runs, run, order.challenge.folder / "challenge.toml")
            subject = _subject(order, submission, sandbox, folder, work)
            blocked = ""
            for index, name in enumerate(order.challenge.spec.stages):
                stage = Stage(name, settings(order.challenge, name, order.profile), subject, partial(listen, name))
                result, blocked = _one(stage, order.stages, blocked)
                runs.write_stage(folder, index, result)
                if (image := subject.built) and not run.image_digest:
                    run = run.model_copy(update={"image_digest": image.digest})
                    runs.write_run(folder, run)
                yield result
    return folder


def run_through(order: Order, listen: Listener) -> Path:
    """Grade without looking at any result on the way; returns the run folder."""
    with closing(grade(order, listen)) as grading:
        while True:
            try:
                next(grading)
            except StopIteration as end:
                folder: Path = end.value
                return folder


def _one(stage: Stage[Any], selected: tuple[str, ...], blocked: str) -> tuple[StageResult, str]:
    """Run one stage, whatever happens in it; also returns why later ones have no service, or an empty string."""
    if stage.name not in selected:
        return stage.result(Outcome.SKIPPED, "this run was asked for other stages only", Skip.SELECTION), blocked
    module = stage_module(stage.name)
    if blocked and module.NEEDS_SERVICE:
        return stage.result(Outcome.SKIPPED, blocked, Skip.SUBMISSION), blocked
    stage.say("starting")
    try:
        module.run(stage)
    except SubmissionError as error:
        if not any(check.outcome is Outcome.FAILED for check in stage.checks):
            stage.check("completed", False, str(error))
        if isinstance(error, BuildFailed | CannotStart | NotReady):
            # As the stage itself has it: all that was not reached for one reason is told together.
            blocked = str(error).splitlines()[0]
        return stage.result(Outcome.FAILED, str(error)), blocked
    except Exception as error:
        stage.text_artifact("harness-error.txt", traceback.format_exc())
        ours = isinstance(error, InfrastructureError)
        return stage.result(Outcome.ERROR, str(error) if ours else f"{type(error).__name__}: {error}"), blocked
    return stage.result(), blocked


def _run(order: Order, submission: Submission) -> Run:
    """Everything about the run that is known before it starts."""
    started = datetime.now(UTC)
    challenge = order.challenge
    stem = f"{challenge.id}-{submission.name}-{submission.digest[:8]}-{started:%Y%m%dT%H%M%S}"
    taken = (order.runs / stem).exists()
    return Run(
        id=f"{stem}-{started:%f}" if taken else stem,
        challenge=challenge.id,
        challenge_version=challenge.spec.version,
        challenge_digest=challenge.digest,
        submission=submission.name,
        submission_digest=submission.digest,
        profile=order.profile,
        sandbox="",
        final=False,
        seed_commitment=order.seed.commitment,
        started_at=started.isoformat(timespec="seconds"),
        versions=machine.versions(),
        host=machine.facts(),
        notices=tuple(f"left out of the submission: {what}" for what in submission.left_out),
    )


def _with_sandbox(run: Run, order: Order, sandbox: Sandbox) -> Run:
    """The run, with what its sandbox says of itself and whether its grade can be final."""
    reasons = []
    if sandbox.name == "local":
        reasons.append("it ran as a plain process: its image and its isolation were not assessed")
    if order.profile == "public":
        reasons.append("it was measured under the public profile: published inputs, shorter windows")
    if missing := [name for name in order.challenge.spec.stages if name not in order.stages]:
        reasons.append(f"these stages were left out: {', '.join(missing)}")
    return run.model_copy(
        update={
            "sandbox": sandbox.name,
            "versions": {**run.versions, **sandbox.versions},
            "notices": (*sandbox.notices, *run.notices),
            "final": not reasons,
            "not_final_because": "; ".join(reasons),
        }
    )


def _subject(order: Order, submission: Submission, sandbox: Sandbox, folder: Path, work: Path) -> Subject:
    """What all stages share. What is costly is made when it is first asked for, and once."""
    limits = order.challenge.spec.limits
    logs = folder / "artifacts" / "build"
    logs.mkdir(parents=True)

    @cache
    def image() -> Image:
        return sandbox.build(submission, limits, logs / "submission.log")

    home = order.challenge.folder / "submissions" / "reference"

    @cache
    def reference() -> Image:
        own = export(home, work / "reference")
        if own.digest == submission.digest:
            return image()
        try:
            return sandbox.build(own, limits, logs / "reference.log")
        except BuildFailed as error:
            raise InfrastructureError(f"the reference submission does not build: {error}") from error

    @cache
    def hidden_model() -> Path:
        return models.hidden(order.challenge, order.seed)

    return Subject(
        challenge=order.challenge,
        profile=order.profile,
        submission=submission,
        sandbox=sandbox,
        seed=order.seed,
        build=image,
        reference=reference if home.is_dir() else None,
        hidden_model=hidden_model,
        run_folder=folder,
    )

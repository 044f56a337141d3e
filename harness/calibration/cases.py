"""Which known submissions are graded, and on which stages: all of it is checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grading.calibration.matrix import automatic
from harness.calibration.known import Known
from harness.calibration.making import make
from harness.challenge import Challenge, Profile
from harness.errors import UsageError
from harness.submission import export
from harness.verify import stage_module

BUILD_SECONDS = 2.0
"""What a grading takes beside its stages with a warm cache, for the progress display."""


@dataclass(frozen=True)
class Case:
    """One known submission, ready to be graded."""

    name: str
    title: str
    folder: Path
    digest: str
    """Of what is graded: the files that git tracks."""
    stages: tuple[str, ...]
    loses: tuple[str, ...] = ()
    """The criteria that it must lose, of the stages that run."""
    base: str = ""
    source: str = ""

    @property
    def golden(self) -> bool:
        """Whether it must lose nothing."""
        return not self.base

    def part(self, *, timed: bool) -> Case:
        """The same with its timed stages only, which other work on the machine would show in, or with all others."""
        return replace(self, stages=tuple(stage for stage in self.stages if timed == stage_module(stage).TIMED))

    def expected_seconds(self, challenge: Challenge, profile: Profile) -> float:
        """What it takes, if it takes what the reference does."""
        by_stage = challenge.spec.expected_seconds.get(profile, {})
        return BUILD_SECONDS + sum(by_stage.get(stage, 0.0) for stage in self.stages) if self.stages else 0.0


def cases(
    challenge: Challenge,
    known: Known,
    home: Path,
    *,
    names: Sequence[str] = (),
    stages: Sequence[str] = (),
    goldens: bool = True,
) -> tuple[Case, ...]:
    """Make the known submissions in `home`: the goldens, then the flawed ones, each with the stages that it needs.

    `names` chooses among all of them; `stages` leaves out the others, and the flawed ones that concern none of these.

    Raises:
        UsageError: there is no such submission or stage, or nothing is left to run.
        ChallengeError: one of them cannot be made.
    """
    there = {**known.goldens, **known.flawed}
    if unknown := [name for name in names if name not in there]:
        raise UsageError(f"{challenge.id} has no known submission '{unknown[0]}'", f"There are: {', '.join(there)}.")
    if unknown := [stage for stage in stages if stage not in challenge.spec.stages]:
        raise UsageError(
            f"there is no stage '{unknown[0]}' in {challenge.id}", f"There are: {', '.join(challenge.spec.stages)}."
        )
    chosen = [name for name in there if (name in names if names else goldens or name not in known.goldens)]
    found = [_case(challenge, known, name, stages, home) for name in chosen]
    if not (ready := tuple(case for case in found if case.stages)):
        raise UsageError("nothing to run: no known submission that was asked for concerns these stages")
    return ready


def _case(challenge: Challenge, known: Known, name: str, stages: Sequence[str], home: Path) -> Case:
    folder = make(known, name, home / "made")
    digest = export(folder, home / "exported" / name).digest
    wanted = tuple(stage for stage in challenge.spec.stages if not stages or stage in stages)
    if name in known.goldens:
        return Case(name, known.goldens[name].title, folder, digest, wanted)
    header = known.flawed[name].header
    loses = {c.id: c.stage for c in automatic(challenge.spec.rubric) if c.id in header.loses}
    loses = {criterion: stage for criterion, stage in loses.items() if stage in wanted}
    concerned = tuple(stage for stage in wanted if stage in loses.values())
    return Case(name, header.fault, folder, digest, concerned, tuple(loses), header.base, header.source)

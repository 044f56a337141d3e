"""From what was typed to a calibration: everything is read, made and checked before anything runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from grading.calibration import formats
from grading.calibration.matrix import columns, summarize
from grading.calibration.records import Calibration, FlawedRow, GoldenRow
from harness import grading_run, models, plugins
from harness import runs as run_folders
from harness.calibration import known as known_submissions
from harness.calibration.cases import Case, cases
from harness.calibration.running import Bench, judge
from harness.challenge import Challenge, Profile
from harness.verify import verify


class Watcher(Protocol):
    """Shows how a calibration gets on."""

    def begins(self, expected: list[float]) -> None:
        """It begins; these are the seconds that each known submission may take."""

    def grades(self, case: Case) -> None:
        """A known submission is next."""

    def tell(self, stage: str, message: str) -> None:
        """What its grading is doing."""

    def judged(self, row: FlawedRow | GoldenRow) -> None:
        """What became of it."""


def calibrate(
    challenge: Challenge,
    watcher: Watcher,
    *,
    names: tuple[str, ...] = (),
    stages: tuple[str, ...] = (),
    profile: Profile = "public",
    runs: Path,
    goldens: bool = True,
    resume: bool = False,
) -> Calibration:
    """Grade known submissions of a challenge and judge what became of them.

    Raises:
        UsageError: something that was asked for does not exist or is not there.
        ChallengeError: the challenge or one of its known submissions is broken.
    """
    start = time.monotonic()
    verify(challenge)
    known = known_submissions.read(challenge)
    models.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="calibration-", dir=models.CACHE) as home:
        chosen = cases(challenge, known, Path(home), names=names, stages=stages, goldens=goldens)
        sandbox, seed = grading_run.place(challenge, profile)
        bench = Bench(challenge, profile, runs, seed, sandbox, resume)
        watcher.begins([case.expected_seconds(challenge, profile) for case in chosen])
        rows = []
        for case in chosen:
            watcher.grades(case)
            rows.append(judge(bench, case, watcher.tell))
            watcher.judged(rows[-1])
    flawed = tuple(row for row in rows if isinstance(row, FlawedRow))
    golden = tuple(row for row in rows if isinstance(row, GoldenRow))
    found = columns(flawed, golden, challenge.spec.rubric, known.named_criteria)
    return Calibration(
        challenge=challenge.id,
        challenge_version=challenge.spec.version,
        challenge_digest=challenge.digest,
        title=challenge.spec.title,
        profile=profile,
        seconds=round(time.monotonic() - start, 1),
        criteria=found,
        flawed=flawed,
        goldens=golden,
        summary=summarize(flawed, golden, found),
    )


def write(calibration: Calibration, files: Mapping[str, Path]) -> None:
    """Write a calibration to files, by the names of their formats."""
    for name, path in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        run_folders.write(path, plugins.load(formats, name).render(calibration))

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
from harness import grading_run, models, pipeline, plugins
from harness import runs as run_folders
from harness.calibration import known as known_submissions
from harness.calibration.cases import cases
from harness.calibration.running import Bench
from harness.calibration.together import judged, seconds
from harness.challenge import Challenge, Profile
from harness.verify import verify


class Watcher(Protocol):
    """Shows how a calibration gets on."""

    def begins(self, expected: Mapping[str, float]) -> None:
        """It begins; these are the seconds by which each known submission may lengthen it."""

    def tell(self, name: str, stage: str, message: str) -> None:
        """What the grading of a known submission is doing."""

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
        watcher.begins({case.name: seconds(bench, case) for case in chosen})
        found = {}
        with pipeline.machine_to_ourselves(lambda stage, message: watcher.tell("", stage, message)):
            for row in judged(bench, chosen, watcher.tell):
                watcher.judged(row)
                found[row.name] = row
    rows = [found[case.name] for case in chosen]
    flawed = tuple(row for row in rows if isinstance(row, FlawedRow))
    golden = tuple(row for row in rows if isinstance(row, GoldenRow))
    criteria = columns(flawed, golden, challenge.spec.rubric, known.named_criteria)
    return Calibration(
        challenge=challenge.id,
        challenge_version=challenge.spec.version,
        challenge_digest=challenge.digest,
        title=challenge.spec.title,
        profile=profile,
        seconds=round(time.monotonic() - start, 1),
        criteria=criteria,
        flawed=flawed,
        goldens=golden,
        summary=summarize(flawed, golden, criteria),
    )


def write(calibration: Calibration, files: Mapping[str, Path]) -> None:
    """Write a calibration to files, by the names of their formats."""
    for name, path in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        run_folders.write(path, plugins.load(formats, name).render(calibration))

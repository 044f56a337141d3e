"""The same submission graded again and again, on a quiet machine and beside other work: every spread, every flip.

python bench/repeatability.py --runs 10                          # the reference, quiet
python bench/repeatability.py --runs 10 --noisy 10               # and ten times with both cores kept busy
python bench/repeatability.py reference flask_gunicorn litestar_granian
python bench/repeatability.py FOLDER --stage load --runs 5 --noisy 5 --noise 0.3

A criterion flips if it is given different points on a quiet machine; it is lowered if other work costs it points; it is
wronged if a golden submission, which must lose nothing, loses any of its points. Undecided is none of these. The exit
code is 1 if a criterion flips, is lowered or wronged, or the totals lie further apart than 2.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from grading.report import Report
from harness import challenge, grading_run, pipeline, reports
from harness.calibration import known, making

WITHIN = 2.0
"""Points between the lowest and the highest total: one either side."""
BUSY = """
import sys, time
share = float(sys.argv[1])
while True:
    end = time.monotonic() + 0.05 * share
    while time.monotonic() < end:
        pass
    time.sleep(0.05 * (1 - share))
"""


def main() -> int:
    """Print a line for each run, then one for each criterion and each measurement that differ between runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "submission", nargs="*", default=[known.REFERENCE],
        help="a folder, or the name of a known submission of the challenge",
    )  # fmt: skip
    parser.add_argument("--challenge", default="fraud_detection")
    parser.add_argument("--profile", choices=("review", "public"), default="review")
    parser.add_argument("--stage", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--runs", type=int, default=10, help="on a quiet machine")
    parser.add_argument("--noisy", type=int, default=0, help="runs beside other work")
    parser.add_argument("--noise", type=float, default=1.0, help="share of each core that the other work uses")
    asked = parser.parse_args()
    ours = known.read(challenge.named(asked.challenge))
    wrong = 0
    with tempfile.TemporaryDirectory() as home:
        for name in asked.submission:
            folder = making.make(ours, name, Path(home)) if name in ours.goldens or name in ours.flawed else Path(name)
            wrong += repeat(asked, folder, golden=name in ours.goldens)
    return int(wrong > 0)


def repeat(asked: argparse.Namespace, folder: Path, *, golden: bool) -> int:
    """Grade one submission again and again; returns how much was wrong."""
    print(f"\n{folder.name}, profile {asked.profile}\n\n{'run':<9} {'seconds':>8} {'points':>16}  undecided")
    quiet = [one(asked, folder, f"quiet {number + 1}") for number in range(asked.runs)]
    with noise(asked.noise if asked.noisy else 0):
        noisy = [one(asked, folder, f"noisy {number + 1}") for number in range(asked.noisy)]
    wrong = criteria(quiet, noisy, golden) + totals(quiet)
    measurements(quiet, noisy)
    return wrong


def silent(_stage: str, _doing: str) -> None:
    """Each run is a line of its own; what it is doing goes unsaid."""


def one(asked: argparse.Namespace, folder: Path, label: str) -> Report:
    """One grading."""
    with tempfile.TemporaryDirectory() as runs:
        order, _ = grading_run.order(
            folder,
            challenge_id=asked.challenge,
            profile=asked.profile,
            stages=tuple(asked.stage),
            runs=Path(runs),
        )
        with pipeline.machine_to_ourselves(silent):
            report = reports.rescore(pipeline.run_through(order, silent))
    undecided = [score.criterion for score in report.scores if score.stage and score.points is None]
    points = f"{report.points:g} of {report.decided_points:g}"
    print(
        f"{label:<9} {report.ledger.wall:8.0f} {points:>16}  {'-' if asked.stage else ', '.join(undecided) or '-'}",
        flush=True,
    )
    for reason in report.void_because:
        print(f"{'':<9} {reason[:200]}", flush=True)
    return report


def points(reports: Sequence[Report], criterion: str) -> list[float]:
    """The points that a criterion was given, where it was decided."""
    found = [score.points for report in reports for score in report.scores if score.criterion == criterion]
    return [value for value in found if value is not None]


def criteria(quiet: Sequence[Report], noisy: Sequence[Report], golden: bool) -> int:
    """Print every criterion whose points differ, or that a golden submission lost; returns how many there are."""
    wrong = 0
    print(f"\n{'criterion':<22} {'quiet':>14} {'noisy':>14}  what")
    for score in [score for score in (*quiet, *noisy)[0].scores if score.stage]:
        calm, busy = points(quiet, score.criterion), points(noisy, score.criterion)
        found = {
            "flips": len(set(calm)) > 1,
            "lowered": bool(calm and busy) and min(busy) < min(calm),
            "wronged": golden and min([*calm, *busy], default=score.max_points) < score.max_points,
        }
        wrong += any(found.values())
        if any(found.values()) or len(calm) < len(quiet) or len(busy) < len(noisy):
            what = ", ".join(word for word, holds in found.items() if holds)
            print(f"{score.criterion:<22} {span(calm):>14} {span(busy):>14}  {what or 'undecided in some'}")
    print("(all others: the same points in each run)")
    return wrong


def span(values: Sequence[float]) -> str:
    """The lowest and highest of some values, and how many there are."""
    if not values:
        return "-"
    ends = f"{min(values):g}" if min(values) == max(values) else f"{min(values):g} to {max(values):g}"
    return f"{ends} ({len(values)}x)"


def totals(quiet: Sequence[Report]) -> int:
    """Print the spread of the totals of the runs in which all was decided; returns 1 if it is too wide."""
    most = max((report.decided_points for report in quiet), default=0.0)
    found = [report.points for report in quiet if report.decided_points == most]
    print(f"\ntotal of the quiet runs in which most was decided ({most:g} points): {span(found)}")
    return bool(found) and max(found) - min(found) > WITHIN


def measurements(quiet: Sequence[Report], noisy: Sequence[Report]) -> None:
    """Print mean and coefficient of variation of every measurement."""
    print(f"\n{'measurement':<40} {'quiet':>12} {'varies':>8} {'noisy':>12} {'varies':>8}")
    first = (*quiet, *noisy)[0]
    for stage, name in [(result.stage, found.name) for result in first.stages for found in result.measurements]:
        cells = [variation(group, stage, name) for group in (quiet, noisy)]
        print(f"{stage + '/' + name:<40} {' '.join(cells)}")


def variation(reports: Sequence[Report], stage: str, name: str) -> str:
    """Mean and coefficient of variation of one measurement, as two cells."""
    results = [result for report in reports for result in report.stages if result.stage == stage]
    values = [found.value for result in results if (found := result.measurement(name))]
    mean = f"{statistics.mean(values):.4g}" if values else "-"
    varies = "-"
    if len(values) > 1 and statistics.mean(values):
        varies = f"{statistics.stdev(values) / abs(statistics.mean(values)):.1%}"
    return f"{mean:>12} {varies:>8}"


@contextmanager
def noise(share: float) -> Iterator[None]:
    """Processes that use a share of each core, in pieces of 50 ms."""
    busy = []
    try:
        for core in sorted(os.sched_getaffinity(0)) if share else ():
            busy.append(subprocess.Popen([sys.executable, "-c", BUSY, str(share)]))
            os.sched_setaffinity(busy[-1].pid, {core})
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())

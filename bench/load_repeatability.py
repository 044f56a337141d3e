"""How far the load stage's numbers spread over runs, on a quiet machine and on one that is kept busy.

python bench/load_repeatability.py challenges/fraud_detection/submissions/reference --runs 5
python bench/load_repeatability.py SUBMISSION --runs 5 --noise 0.3     # others use 30 % of each core
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from grading.evidence import Outcome, StageResult
from harness import grading_run, pipeline

SHOWN = ("throughput_ratio", "cpu_ratio", "throughput", "latency_p95", "throughput_within_objective", "foreign_cpu")
BUSY = """
import sys, time
share = float(sys.argv[1])
while True:
    end = time.monotonic() + 0.05 * share
    while time.monotonic() < end:
        pass
    time.sleep(0.05 * (1 - share))
"""


def main() -> None:
    """Print a line for each run, and the spread over all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submission", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", choices=("review", "public"), default="review")
    parser.add_argument("--noise", type=float, default=0.0, help="share of each core that others use meanwhile")
    arguments = parser.parse_args()
    print(f"| run | seconds | {' | '.join(SHOWN)} | failed or undecided |")
    print("|---" * (len(SHOWN) + 3) + "|")
    results = []
    with noise(arguments.noise):
        for number in range(arguments.runs):
            results.append(one(arguments.submission, arguments.profile))
            print(f"| {number + 1} | {line(results[-1])} |", flush=True)
    spread(results)


def one(submission: Path, profile: Literal["review", "public"]) -> StageResult:
    """The load stage of one run."""
    with tempfile.TemporaryDirectory() as runs:
        order, _ = grading_run.order(submission, profile=profile, stages=("load",), runs=Path(runs))
        results = list(pipeline.grade(order, lambda _stage, _doing: None))
    return next(result for result in results if result.stage == "load")


def line(result: StageResult) -> str:
    """One run as a row of a table."""
    bad = [f"{c.name} ({c.outcome})" for c in result.checks if c.outcome in (Outcome.FAILED, Outcome.ERROR)]
    if result.outcome is Outcome.ERROR:
        bad.append(result.reason)
    cells = [shown(result, name) for name in SHOWN]
    return " | ".join([f"{result.ledger.wall:.0f}", *cells, ", ".join(bad) or "-"])


def shown(result: StageResult, name: str) -> str:
    """A measurement with its interval."""
    found = result.measurement(name)
    if found is None:
        return "-"
    interval = f" ({found.interval.low:.3g} to {found.interval.high:.3g})" if found.interval else ""
    return f"{found.value:.4g}{interval}"


def spread(results: list[StageResult]) -> None:
    """The coefficient of variation of each number, and its least and greatest value."""
    print("\n| number | mean | variation | least | greatest |\n|---|---|---|---|---|")
    for name in SHOWN:
        values = [found.value for result in results if (found := result.measurement(name))]
        if len(values) > 1 and (mean := statistics.mean(values)):
            variation = statistics.stdev(values) / mean
            print(f"| {name} | {mean:.4g} | {variation:.1%} | {min(values):.4g} | {max(values):.4g} |")


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
    main()

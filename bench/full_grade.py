"""Grades a submission N times and prints points, wall time, where it went, and the harness's peak memory.

.venv/bin/python bench/full_grade.py --runs 3
.venv/bin/python bench/full_grade.py path/to/submission --profile public
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "challenges" / "fraud_detection" / "submissions" / "reference"


def memory_mb(process: psutil.Process) -> float:
    """Memory of a process and all that it started: PSS, which counts a shared page once."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_full_info().pss
        except psutil.Error:
            continue  # it ended meanwhile
    return total / 2**20


def grade(path: Path, profile: str, memory: bool) -> tuple[dict[str, Any], float, float, int]:
    """One grading: its report, wall time in seconds, peak memory in MB, exit code."""
    command = [sys.executable, "-m", "harness", "grade", str(path), "--challenge", "fraud_detection"]
    start = time.monotonic()
    with subprocess.Popen([*command, "--profile", profile, "--json"], stdout=subprocess.PIPE, cwd=ROOT) as running:
        watched, peak = psutil.Process(running.pid), 0.0
        while running.poll() is None:
            if memory:
                peak = max(peak, memory_mb(watched))
            # The report is larger than a pipe holds, so reading must begin before the process ends.
            try:
                output, _ = running.communicate(timeout=0.25)
            except subprocess.TimeoutExpired:
                continue
    return json.loads(output), time.monotonic() - start, peak, running.returncode


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=REFERENCE)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--profile", choices=["review", "public"], default="review")
    # Adding up the pages of processes takes per cents of a core, which the load stage rightly calls foreign work.
    parser.add_argument(
        "--memory", action="store_true", help="sample the peak memory too, which disturbs the load stage"
    )
    asked = parser.parse_args()
    columns = f"{'building':>9} {'serving':>8} {'measuring':>10} {'own':>6} {'peak MB':>8}"
    print(f"{'points':>14} {'wall s':>7} {columns}  exit")
    for _ in range(asked.runs):
        report, wall, peak, code = grade(asked.path, asked.profile, asked.memory)
        went = report["ledger"]
        # What no stage accounts for is our own too: start-up, the sandbox, the reports.
        own = went["own"] + wall - went["wall"]
        points = f"{report['points']:g} of {report['decided_points']:g}"
        print(
            f"{points:>14} {wall:7.1f} {went['building']:9.1f} {went['serving']:8.1f} {went['measuring']:10.1f} "
            f"{own:6.1f} {peak:8.0f}  {code}",
            flush=True,
        )
        for score in report["scores"]:
            if score["stage"] and score["points"] != score["max_points"]:
                print(f"  {score['criterion']}: {score['points']} of {score['max_points']}: {score['rationale'][:200]}")


if __name__ == "__main__":
    main()

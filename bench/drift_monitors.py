"""How known monitors fare in the drift exam, over many seeds and without containers.

python bench/drift_monitors.py --seeds 20
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from statistics import mean, median
from typing import Any

CATALOGUE = Path(__file__).resolve().parent.parent / "tests" / "drift"


def main() -> None:
    """Print one line for each monitor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="exams for each monitor")
    seeds = range(parser.parse_args().seeds)
    sys.path.insert(0, str(CATALOGUE))
    known, sitting = import_module("known_monitors"), import_module("sitting")
    monitors = (*known.SOUND, *known.NEARLY_SOUND, *known.UNSOUND)
    results: dict[type, list[Any]] = {kind: [] for kind in monitors}
    # Seed by seed, so that each exam is made once.
    for seed in seeds:
        for kind in monitors:
            results[kind].append(sitting.results(kind, seed))
    print("| monitor | meets the gate | score | false alarms | delay (rows) | recovers | lost most often |")
    print("|---|---|---|---|---|---|---|")
    for kind, exams in results.items():
        print(f"| {kind.__name__} | {_line(exams)} |")


def _line(exams: list[Any]) -> str:
    count = len(exams)
    gate, recovers = (sum(name in exam.passed for exam in exams) for name in ("gate", "recovery"))
    delays = [exam.measured["delay"] for exam in exams if "delay" in exam.measured]
    lost = [
        name.removeprefix("pair_")
        for exam in exams
        for name in exam.checks
        if name.startswith("pair_") and name not in exam.passed
    ]
    most = max(set(lost), key=lost.count) if lost else ""
    return " | ".join(
        (
            f"{gate} of {count}",
            f"{mean(exam.measured['drift_score'] for exam in exams):.2f}",
            f"{mean(exam.measured['false_alarm_rate'] for exam in exams):.1%}",
            f"{median(delays):.0f}" if delays else "-",
            f"{recovers} of {count}",
            f"{most} ({lost.count(most)})" if most else "-",
        )
    )


if __name__ == "__main__":
    main()

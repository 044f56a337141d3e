"""Kills the harness (SIGKILL) in the middle of each stage, grades again, and prints what differs or is left.

.venv/bin/python bench/sigkill.py [STAGE ...]      # all stages unless named; the public profile
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "challenges" / "fraud_detection" / "submissions" / "reference"
LABEL = "org.mlops-harness.run"
STAGES = ("image", "startup", "functional", "robustness", "drift", "load")
SECONDS_INTO_STAGE = 2.0


def command(runs: Path) -> list[str]:
    """The grading that is killed, and repeated."""
    base = [sys.executable, "-m", "harness", "grade", str(REFERENCE), "--challenge", "fraud_detection"]
    return [*base, "--profile", "public", "--runs", str(runs), "--json"]


def left_behind() -> list[str]:
    """Everything of ours that the engine still holds."""
    engine = docker.from_env()
    ours: dict[str, str | list[str] | bool] = {"label": LABEL}
    containers = [str(c.name) for c in engine.containers.list(all=True, filters=ours)]
    networks = [str(n.name) for n in engine.networks.list(filters=ours)]
    return containers + networks + [str(v.name) for v in engine.volumes.list(filters=ours)]


def kill_in(stage: str, runs: Path) -> list[str]:
    """Start a grading, kill it a moment into a stage; what the engine holds then."""
    with subprocess.Popen(command(runs), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr or ():
            if f"] {stage} " in line:
                break
        time.sleep(SECONDS_INTO_STAGE)
        running.kill()
    return left_behind()


def verdict(runs: Path) -> dict[str, float | None]:
    """A whole grading's points by criterion."""
    answer = subprocess.run(command(runs), capture_output=True, text=True, check=True)
    return {score["criterion"]: score["points"] for score in json.loads(answer.stdout)["scores"]}


def main() -> int:
    """Print a line for each stage; the exit code counts the stages after which something was wrong."""
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        expected = verdict(Path(scratch) / "undisturbed")
        print(f"{'killed in':<12} {'held when killed':>16} {'left afterwards':>16}  verdict")
        for stage in sys.argv[1:] or STAGES:
            held = kill_in(stage, Path(scratch) / stage)
            again = verdict(Path(scratch) / stage)
            left = left_behind()
            same = again == expected
            wrong += bool(left) or not same
            print(f"{stage:<12} {len(held):>16} {len(left):>16}  {'the same' if same else again}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())

"""Kills the harness (SIGKILL) in the middle of each stage, runs that stage again, and prints what differs or is left.

.venv/bin/python bench/sigkill.py [STAGE ...]      # all stages unless named; the public profile

A stage run alone gives the same answer as in a whole grading (each has fresh services), so each is killed and repeated
alone: an undisturbed run, one that is killed, and one after it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker

from harness import challenge

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "challenges" / "fraud_detection" / "submissions" / "reference"
LABEL = "org.mlops-harness.run"
SECONDS_INTO_STAGE = {"repository": 0.2, "image": 0.4}
SECONDS = 2.0
"""Into the stage, at the kill; less for stages that are over by then."""


def command(stage: str, runs: Path) -> list[str]:
    """The grading that is killed, and repeated."""
    base = [sys.executable, "-m", "harness", "grade", str(REFERENCE), "--challenge", "fraud_detection"]
    return [*base, "--profile", "public", "--stage", stage, "--runs", str(runs), "--json"]


def left_behind() -> list[str]:
    """Everything of ours that the engine still holds."""
    engine = docker.from_env()
    ours: dict[str, str | list[str] | bool] = {"label": LABEL}
    containers = [str(c.name) for c in engine.containers.list(all=True, filters=ours)]
    networks = [str(n.name) for n in engine.networks.list(filters=ours)]
    return containers + networks + [str(v.name) for v in engine.volumes.list(filters=ours)]


def kill_in(stage: str, runs: Path) -> list[str]:
    """Start a grading, kill it a moment into a stage; what the engine holds then."""
    with subprocess.Popen(
        command(stage, runs), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        for line in running.stderr or ():
            if f"] {stage} " in line:
                break
        time.sleep(SECONDS_INTO_STAGE.get(stage, SECONDS))
        running.kill()
    return left_behind()


def verdict(stage: str, runs: Path) -> dict[str, float | None]:
    """The points by criterion of a stage that nothing disturbs."""
    answer = subprocess.run(command(stage, runs), capture_output=True, text=True, check=True)
    return {score["criterion"]: score["points"] for score in json.loads(answer.stdout)["scores"]}


def main() -> int:
    """Print a line for each stage; the exit code counts the stages after which something was wrong."""
    wrong = 0
    print(f"{'killed in':<12} {'held when killed':>16} {'left afterwards':>16}  verdict")
    for stage in sys.argv[1:] or challenge.named("fraud_detection").spec.stages:
        with tempfile.TemporaryDirectory() as scratch:
            expected = verdict(stage, Path(scratch))
            held = kill_in(stage, Path(scratch))
            again = verdict(stage, Path(scratch))
        left = left_behind()
        same = again == expected
        wrong += bool(left) or not same
        print(f"{stage:<12} {len(held):>16} {len(left):>16}  {'the same' if same else again}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())

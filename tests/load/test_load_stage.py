"""The load stage on the real engine: the reference submission beside itself, in short windows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.challenge import HOME
from harness.errors import InfrastructureError
from harness.load import findings
from harness.verify import stage_module

REFERENCE = HOME / "fraud_detection" / "submissions" / "reference"
# The machine may be busy with other tests: noise voids nothing here, and is not waited for.
SHORT = {
    "foreign": 100.0, "foreign_generator": 100.0, "burst": 100.0, "repeats": 1, "pause_seconds": 0, "quiet_seconds": 0,
    "objective_ms": 5000, "first_answer_ms": 10_000, "required_rate": 10, "look_requests": 60, "looks": 1, "rounds": 1,
    "ratio_seconds": 5, "pairs": 4, "warm_most_seconds": 3, "ladder": (0.5,), "ladder_seconds": 1,
    "overload_seconds": 2, "health_seconds": 2, "same_pairs": 2,
}  # fmt: skip


@pytest.mark.engine
@pytest.mark.slow
def test_the_reference_beside_itself_loses_nothing(stage_of, engine_sandbox, tmp_path: Path):
    folder = shutil.copytree(REFERENCE, tmp_path / "reference", ignore=shutil.ignore_patterns("__pycache__"))
    stage = stage_of("load", folder, engine_sandbox, **SHORT)
    stage.subject = replace(stage.subject, reference=lambda: stage.image)
    stage_module("load").run(stage)
    result = stage.result()

    assert {c.name for c in result.checks if c.outcome == "failed"} == set(), result.reason
    assert {c.name for c in result.checks} | {m.name for m in result.measurements} == set(findings.RECORDS)
    for name, within in (("throughput_ratio", 1.5), ("cpu_ratio", 1.25)):
        ratio = result.measurement(name)
        assert ratio
        assert ratio.interval
        assert ratio.interval.low / within < 1 < ratio.interval.high * within
    assert {s.name for s in result.series} == {"candidate p95", "reference p95"}
    assert {a.name for a in result.artifacts} >= {"requests.npz", "generator.log", "candidate-1.log", "reference-1.log"}
    assert result.ledger.measuring > result.ledger.own


@pytest.mark.engine
def test_a_reference_that_does_not_come_up_is_our_error_and_costs_the_candidate_nothing(
    stage_of, engine_sandbox, folder_of
):
    broken = folder_of({"Dockerfile": 'FROM python:3.11-slim-bookworm\nUSER 1000\nCMD ["python", "-c", "exit(3)"]\n'})
    stage = stage_of("load", broken, engine_sandbox, **SHORT)
    stage.subject = replace(stage.subject, reference=lambda: stage.image)
    with pytest.raises(InfrastructureError, match="the reference submission did not come up"):
        stage_module("load").run(stage)
    assert stage.checks == []

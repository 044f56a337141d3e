"""The stage against the reference submission, in containers."""

from __future__ import annotations

import pytest
from sitting import FRAUD, SETTINGS

from harness.drift.settings import Kind

pytestmark = [pytest.mark.engine, pytest.mark.slow]
ARMS: tuple[Kind, ...] = ("missing", "in_range")


def test_the_reference_submission_passes_every_check_of_two_arms(judge, engine_sandbox):
    settings = SETTINGS.model_dump(exclude={"slow_pause", "workers"}) | {"arms": ARMS}
    seen = judge("drift", FRAUD / "submissions" / "reference", engine_sandbox, **settings)
    assert seen.failed == set(), [seen.checks[name] for name in seen.failed]
    assert {f"pair_{arm}" for arm in ARMS} | {"recovery", "one_window"} <= set(seen.checks)
    assert seen.measurements["drift_score"].value == 1
    drawn = {series.name: series.marks for series in seen.stage.drawn}
    assert drawn["missing / drift"] == {"onset": 1000}
    assert drawn["missing / control"] == {}
    logs = {artifact.name for artifact in seen.stage.artifacts}
    assert logs == {f"run-{number:02d}.log" for number in range(1, 6)}

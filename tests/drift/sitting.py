"""Sitting the exam in process: the first challenge's data and settings, and no containers."""

from __future__ import annotations

import runpy
import tomllib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from known_monitor import KnownMonitor

from grading.evidence import Check
from harness import challenge
from harness.drift import findings
from harness.drift.arms import Exam, build
from harness.drift.drive import Trace
from harness.drift.exam import sit
from harness.drift.settings import Settings
from harness.stages import Stage

REFERENCE_ROWS = 6000
FRAUD = challenge.HOME / "fraud_detection"
SETTINGS = Settings.model_validate(
    {**tomllib.loads((FRAUD / "challenge.toml").read_text())["stage"]["drift"], "slow_pause": 0, "workers": 1}
)


@dataclass(frozen=True)
class Result:
    """What the stage recorded of one exam."""

    stage: Stage[Settings]

    @property
    def checks(self) -> dict[str, Check]:
        return {check.name: check for check in self.stage.checks}

    @property
    def measured(self) -> dict[str, float]:
        return {measurement.name: measurement.value for measurement in self.stage.measurements}

    @property
    def passed(self) -> set[str]:
        return {name for name, check in self.checks.items() if check.outcome == "passed"}


@lru_cache(maxsize=64)
def made(seed: int) -> tuple[Exam, pd.DataFrame]:
    """The exam of one seed, and the reference sample that its monitors get."""
    sample = sampler()
    reference = sample(REFERENCE_ROWS, np.random.default_rng([seed, 1]))
    return build(SETTINGS, sample, reference, seed), reference


@lru_cache(maxsize=1)
def sampler() -> Callable[[int, np.random.Generator], pd.DataFrame]:
    """The challenge's `sample`."""
    return runpy.run_path(str(FRAUD / "data.py"))["sample"]


@lru_cache(maxsize=64)
def results(kind: type[KnownMonitor], seed: int = 0) -> Result:
    """What the stage records of a known monitor."""
    exam, reference = made(seed)
    monitor = kind(reference, seed)
    return recorded(exam, sit(exam, lambda _: nullcontext(monitor.fresh()), SETTINGS))


def recorded(exam: Exam, seen: Mapping[str, Trace]) -> Result:
    """What the stage records of what was seen."""
    stage = Stage("drift", SETTINGS, subject=None)  # type: ignore[arg-type] # recording needs no subject
    findings.record(stage, exam, seen)
    return Result(stage)

"""Drift: does the monitor notice seven kinds of change, and stay quiet where nothing changed?

Each change has a drift run and a control twin, each in a fresh service with a model that no candidate has seen. The
rule is in `harness/drift/rule.py`; the changes, in `harness/drift/changes.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.drift.settings import Settings
from harness.stages import Stage

if TYPE_CHECKING:
    from harness.drift.arms import Run
    from harness.drift.monitor import HttpMonitor

__all__ = ["NEEDS_SERVICE", "RECORDS", "TIMED", "Settings", "run"]
NEEDS_SERVICE = True
TIMED = False
RECORDS = (
    "pair_*",
    "attribution_*",
    "recovery",
    "keeps_up",
    "reading_changes_nothing",
    "one_window",
    "false_alarms",
    "gate",
    "drift_score",
    "false_alarm_rate",
    "delay",
    "pairs",
)


def run(stage: Stage[Settings]) -> None:
    """Sit the exam and record what was found."""
    # Every command that loads a challenge imports this module; pandas and scipy are for this stage alone.
    from harness.drift import findings
    from harness.drift.arms import build, read_reference
    from harness.drift.exam import sit
    from harness.drift.monitor import HttpMonitor

    settings, subject = stage.settings, stage.subject
    model = subject.hidden_model()
    reference = read_reference(model, settings)
    exam = build(settings, subject.challenge.data.sample, reference, subject.seed.child("drift"))

    @contextmanager
    def enter(one: Run) -> Iterator[HttpMonitor]:
        with stage.service(name=one.name, model=model) as (service, client), stage.ledger.span("measuring"):
            yield HttpMonitor(client, settings, service.state)

    findings.record(stage, exam, sit(exam, enter, settings, stage.say))

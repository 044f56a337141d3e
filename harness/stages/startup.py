"""Starting: does the service come up as a platform starts it, and confined?

Most submissions that fail, fail here. So the stage spends its effort on saying why.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from harness.stages import Stage
from harness.startup import confinement, first, variations
from harness.startup.settings import Settings

__all__ = ["NEEDS_SERVICE", "RECORDS", "TIMED", "Settings", "run"]
NEEDS_SERVICE = True
TIMED = False
RECORDS = (
    "becomes_ready", "honours_port", "port_default", "listens_on_all_interfaces", "runs_as_non_root",
    "writes_nothing_outside_tmp", "healthcheck_passes", "cold_start", "time_to_serving", "memory_mb",
)  # fmt: skip


def run(stage: Stage[Settings]) -> None:
    """Start the service as the contract has it, then under other conditions, and record how it takes that.

    Raises:
        NotReady: it does not come up at all; says why.
    """
    with ThreadPoolExecutor(1) as beside:
        # The service's start leaves the harness time to import what draws its rows, which takes seconds.
        beside.submit(lambda: stage.subject.challenge.data)
        with first.ready(stage) as (service, start):
            first.record(stage, service, start)
            confinement.look(stage, service)
    stage.say("other ports")
    variations.all_at_once(stage, patience=3 * start.seconds + stage.settings.margin_seconds)

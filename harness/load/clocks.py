"""The kernel's accounts of cpu time: of a service, of a core, of this process."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from harness.load.plan import Reading, Target

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(account: Path) -> float:
    """Cpu time of everything below a control group, or of one process with its ended children.

    Reads `cpuacct.usage` (cgroup v1, nanoseconds), `cpu.stat` (v2, microseconds) and `/proc/PID/stat` (ticks).

    Raises:
        OSError: it is gone; so is the service.
    """
    text = account.read_text()
    if account.name == "cpu.stat":
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("usage_usec")) / 1e6
    if account.name == "stat":
        # The command stands in parentheses and may itself hold spaces and parentheses.
        fields = text.rpartition(")")[2].split()
        return sum(int(ticks) for ticks in fields[11:15]) / TICKS
    return int(text) / 1e9


def busy_seconds(cores: tuple[int, ...], uptime: float, stat: str) -> tuple[float, ...]:
    """Time that each core has not been idle, given a monotonic time and the text of `/proc/stat`.

    Time less idle time, not the sum of the busy columns: the kernel measures idle time, but on most machines only
    samples the busy columns at its ticks, and a generator that wakes with the timer hides between those.
    """
    rows = {fields[0]: fields for line in stat.splitlines() if (fields := line.split())}
    return tuple(uptime - (int(rows[f"cpu{core}"][4]) + int(rows[f"cpu{core}"][5])) / TICKS for core in cores)


def read(cores: tuple[int, ...], targets: Mapping[str, Target]) -> Reading:
    """All clocks now. A service that is gone has no account any more."""
    services = {}
    for target in targets.values():
        try:
            if target.cpu_file:
                services[target.name] = cpu_seconds(Path(target.cpu_file))
        except OSError:
            continue
    now = time.monotonic()
    busy = busy_seconds(cores, now, Path("/proc/stat").read_text()) if cores else ()
    return Reading(now, busy, time.process_time(), services)

"""Whose a thing is: everything that a sandbox starts bears its run and the process that started it.

A run that was killed leaves things behind. They are known by a label, and known to be nobody's by their owner: a boot
of the machine, a process id and the time at which that process started, which together are never used twice.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

RUN = "org.mlops-harness.run"
"""The label that says which run started a container, network or volume. Nothing without it is ever removed."""
OWNER = "org.mlops-harness.owner"
"""The label that says which process did."""


def me() -> str:
    """This process, as an owner."""
    return of(os.getpid())


def of(pid: int) -> str:
    """Any process, as an owner; ends in `-gone` if there is none of that id."""
    started = _started(pid)
    return f"{_boot()}-{pid}-{'gone' if started is None else started}"


def alive(owner: str) -> bool:
    """Whether that very process still runs, and not another that was given its number."""
    try:
        pid = int(owner.split("-")[1])
    except (IndexError, ValueError):
        return False
    return _started(pid) is not None and of(pid) == owner


def labels(run_id: str) -> dict[str, str]:
    """The labels of everything that a run of this process starts."""
    return {RUN: run_id, OWNER: me()}


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:8]


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks after boot (proc(5), `starttime`); None if it runs no more."""
    try:
        # The command's name may hold spaces and parentheses, so fields are counted from the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])

"""Plain processes of ours, labelled like everything else: in their environment, which their children inherit.

So a process is found however far it has moved from its parent, its group and its session, and nothing is kept on disk.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.sandbox import _owner

VARIABLE = "MLOPS_HARNESS_OWNER"
ROUNDS = 5
"""How often to look again for processes that were forked while others were ended."""


def new_label() -> str:
    """A label for one process and its descendants: to be put into its environment as `VARIABLE`."""
    return f"{_owner.me()}/{secrets.token_hex(4)}"


def environment(label: str) -> dict[str, str]:
    """The harness's own environment, with a label."""
    return {**os.environ, VARIABLE: label}


def bearing(label: str) -> list[int]:
    """The processes that bear this label and run now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if _borne(folder) == label:
                found.append(int(folder.name))
    return found


def pin(pid: int, cpuset: str) -> None:
    """Let a process, with all its threads, run on these cores only: a list such as `0-1,3` (cpuset(7), list format)."""
    spans = (part.partition("-")[::2] for part in cpuset.split(","))
    cores = {core for first, last in spans for core in range(int(first), int(last or first) + 1)}
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def end(label: str) -> None:
    """End every process that bears this label."""
    for _ in range(ROUNDS):
        if not list(_kill(lambda borne: borne == label)):
            return


def end_strays() -> list[str]:
    """End what dead runs left running; returns a line for each process that was ended."""
    return [f"process {pid}" for pid in _kill(lambda borne: not _owner.alive(borne.partition("/")[0]))]


def _kill(doomed: Callable[[str], bool]) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        # Processes end while we look, and others' are none of our business.
        with suppress(OSError):
            pid = int(folder.name)
            # Held by a descriptor, the number cannot come to mean another process between the look and the signal.
            held = os.pidfd_open(pid)
            try:
                borne = _borne(folder)
                if borne and doomed(borne):
                    signal.pidfd_send_signal(held, signal.SIGKILL)
                    yield pid
            finally:
                os.close(held)


def _borne(process: Path) -> str:
    # A process that has ended but not been waited for has an empty environment, so it is not found again.
    prefix = f"{VARIABLE}=".encode()
    found = (v for v in (process / "environ").read_bytes().split(b"\0") if v.startswith(prefix))
    return next(found, b"").removeprefix(prefix).decode("utf-8", "replace")

"""A control group that holds what builds run: BuildKit itself limits neither memory nor processes.

Its name is part of what BuildKit looks a step up by, so it has to be the same in every run, or nothing would be cached.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from harness.sandbox import Limits

ROOT = Path("/sys/fs/cgroup")
NAME = "mlops-harness-build"
NOTICE = (
    "What the submission's build ran was not limited in memory and processes: that takes root, on the machine of the "
    "engine."
)


def possible() -> bool:
    """Whether we may make groups, and the engine runs in this very system: not around us, nor on another machine."""
    try:
        pid = int(Path("/run/docker.pid").read_text())
        return os.geteuid() == 0 and Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"
    except (OSError, ValueError):
        return False


def make(limits: Limits) -> str | None:
    """Make the group, or set its limits anew; returns its path as the engine names it, or None where we cannot."""
    if not possible():
        return None
    with suppress(OSError):
        (_unified if (ROOT / "cgroup.controllers").exists() else _legacy)(limits)
        return f"/{NAME}"
    return None


def remove() -> None:
    """Remove the group, unless a build is still using it."""
    for top in (ROOT / NAME, *ROOT.glob(f"*/{NAME}")):
        # Groups are removed from the inside, and only while they hold no process; their files are the kernel's.
        for folder in sorted((top, *top.glob("**/")), key=lambda path: -len(path.parts)):
            with suppress(OSError):
                folder.rmdir()


def _unified(limits: Limits) -> None:
    """Version 2: https://docs.kernel.org/admin-guide/cgroup-v2.html ."""
    (ROOT / "cgroup.subtree_control").write_text("+memory +pids")
    group = ROOT / NAME
    group.mkdir(exist_ok=True)
    (group / "memory.max").write_text(str(limits.build_memory_mb * 2**20))
    (group / "pids.max").write_text(str(limits.build_pids))
    with suppress(OSError):  # a kernel that does not account for swap
        (group / "memory.swap.max").write_text("0")


def _legacy(limits: Limits) -> None:
    """Version 1: https://docs.kernel.org/admin-guide/cgroup-v1/memory.html ."""
    memory, pids = ROOT / "memory" / NAME, ROOT / "pids" / NAME
    for group in (memory, pids):
        group.mkdir(exist_ok=True)
    cap = str(limits.build_memory_mb * 2**20)
    # Memory with swap can never be set below memory alone: whichever way the limit moves, one of these orders fits.
    for file in ("memsw.limit_in_bytes", "limit_in_bytes", "memsw.limit_in_bytes"):
        with suppress(OSError):
            (memory / f"memory.{file}").write_text(cap)
    (pids / "pids.max").write_text(str(limits.build_pids))
    if (memory / "memory.limit_in_bytes").read_text().strip() != cap:
        raise OSError("the kernel did not take the limit")

"""Running the builder's client under a deadline and a watch on the disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, InfrastructureError
from harness.sandbox import BuildFailed, Limits, _engine, _processes
from harness.sandbox._progress import Progress

DISK_FLOOR_MB = 2000
"""Free disk below which no build starts or goes on: a full disk breaks the engine, and everything else."""
LOOK = 0.25
"""Seconds between two looks at the clock and the disk."""
GRACE = 5.0
"""Seconds that the client has to tell the engine to stop, before it is killed (which stops the engine's work too)."""

Watch = Callable[[], HarnessError | None]


@dataclass(frozen=True)
class Ending:
    """How the client ended: its exit code, and why it was stopped if it was."""

    code: int
    stopped: HarnessError | None = None


def run(command: list[str], progress: Progress, watch: Watch) -> Ending:
    """Run the client, take in what it says, and stop it as soon as `watch` gives a reason."""
    label = _processes.new_label()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**_engine.environment(), _processes.VARIABLE: label},
        start_new_session=True,
    ) as process:
        guard = _Guard(process, watch)
        try:
            guard.start()
            progress.read(process.stderr or ())
            code = process.wait()
        finally:
            guard.let_go()
            _processes.end(label)
    return Ending(code, guard.reason)


class _Guard(threading.Thread):
    """Looks on while the client runs, and stops it."""

    def __init__(self, process: subprocess.Popen[str], watch: Watch) -> None:
        super().__init__(name="build-guard", daemon=True)
        self.reason: HarnessError | None = None
        self._process = process
        self._watch = watch
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(LOOK):
            self.reason = self._watch()
            if self.reason is None:
                continue
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                if self._over.wait(GRACE):
                    return

    def let_go(self) -> None:
        self._over.set()
        self.join()


def watch(limits: Limits, root: Path | None) -> Watch:
    """A look at the clock and at the disk of the engine's folder: gives the reason to stop, if there is one.

    Raises:
        InfrastructureError: the disk is too full to start.
    """
    end = time.monotonic() + limits.build_seconds
    free_at_start = _free_mb(root)
    if free_at_start < DISK_FLOOR_MB:
        raise InfrastructureError(
            f"the disk that holds {root} has {free_at_start:.0f} MB free, and a build needs at least {DISK_FLOOR_MB}",
            "Free some space: 'docker system df' and 'docker builder prune' show and free what the engine holds.",
        )

    def look() -> HarnessError | None:
        if time.monotonic() > end:
            return BuildFailed(f"the build was stopped at its deadline of {limits.build_seconds:g} s")
        free = _free_mb(root)
        if free_at_start - free > limits.build_disk_mb:
            return BuildFailed(f"the build was stopped: it had used up {limits.build_disk_mb} MB of disk")
        if free < DISK_FLOOR_MB:
            return InfrastructureError(f"the disk that holds {root} ran full during a build: {free:.0f} MB are left")
        return None

    return look


def _free_mb(root: Path | None) -> float:
    return float("inf") if root is None else shutil.disk_usage(root).free / 1e6

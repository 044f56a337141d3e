"""Facts of the machine, and the lock that keeps two gradings from disturbing each other's measurements."""

from __future__ import annotations

import fcntl
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from harness import __version__
from harness.errors import InfrastructureError

LOCK = Path(tempfile.gettempdir()) / "mlops-harness.lock"
LIBRARIES = ("docker", "mlflow", "scikit-learn", "numpy", "locust", "schemathesis", "pytest")


@contextmanager
def only_one(say: Callable[[str], None], *, patience: float = 3600) -> Iterator[None]:
    """Hold the machine's one grading lock; the kernel frees it even if this process is killed.

    Raises:
        InfrastructureError: another grading held it for longer than `patience` seconds.
    """
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        start = time.monotonic()
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - start
                if waited > patience:
                    raise InfrastructureError(
                        f"another grading on this machine has not ended in {waited:.0f} s"
                    ) from None
                say(f"another grading is running on this machine (process {_holder(descriptor)}): waiting")
                time.sleep(1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode() or "unknown"


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    found = {"harness": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        found[name] = metadata.version(name)
    return found


def facts() -> dict[str, str]:
    """What the machine is, as far as a reader of the report needs to know."""
    return {
        "system": platform.platform(),
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()),
        "memory": _field("/proc/meminfo", "MemTotal"),
    }


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")

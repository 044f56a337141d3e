"""A service as a plain process of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from harness.sandbox import Process, State, _processes

LOG_CAP = 512 * 1024
"""Bytes of a service's output that are kept: its end."""
PIECE = 8192


class PlainService:
    """See `Service`."""

    def __init__(self, spawn: Callable[[], subprocess.Popen[bytes]], label: str, name: str, url: str) -> None:
        """`spawn` starts a process that writes to one pipe; `label` is what it and its descendants bear."""
        self.name = name
        self.url = url
        self._spawn = spawn
        self._label = label
        self._said: deque[bytes] = deque()
        self._size = 0
        self._cut = False
        self._start()

    def _start(self) -> None:
        self._process = self._spawn()
        reading = (self._process,)
        self._reader = threading.Thread(target=self._read, args=reading, name=f"output-of-{self.name}", daemon=True)
        self._reader.start()

    def state(self) -> State:
        """Whether it runs, and if not how it ended; a signal counts as 128 more than its number, as engines have it."""
        code = self._process.poll()
        if code is None:
            return State(running=True)
        return State(running=False, exit_code=code if code >= 0 else 128 - code)

    def logs(self) -> str:
        """The end of its output, cut at a cap."""
        if self._process.poll() is not None:
            self._reader.join(timeout=1)
        cut = f"(only the last {LOG_CAP // 1024} kB of its output)\n" if self._cut else ""
        return cut + b"".join(tuple(self._said)).decode("utf-8", "replace")

    def cpu_file(self) -> Path | None:
        """None: the kernel keeps no account of a plain process and its descendants in one file."""
        return None

    def memory_mb(self) -> float | None:
        """Memory in use now, by itself and its descendants; what they share is counted more than once."""
        pages = 0
        for pid in _processes.bearing(self._label):
            with suppress(OSError):
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2) if pages else None

    def processes(self) -> tuple[Process, ...]:
        """Its processes with the users they run as."""
        found = []
        for pid in _processes.bearing(self._label):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
                found.append(Process(pid, Path(f"/proc/{pid}").stat().st_uid, words.decode("utf-8", "replace")))
        return tuple(sorted(found, key=lambda process: process.pid))

    def execute(self, command: Sequence[str], seconds: float) -> int | None:
        """Not here: a plain process has no surroundings of its own in which to run a command."""
        raise NotImplementedError

    def stop(self, grace: float) -> float:
        """Send SIGTERM, and SIGKILL after `grace` seconds; returns the seconds it took."""
        self.freeze(False)
        start = time.monotonic()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=grace)
        took = time.monotonic() - start
        self._end()
        return took

    def freeze(self, frozen: bool) -> None:
        """Stop it from running, or let it go on."""
        for pid in _processes.bearing(self._label):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def move(self, cpuset: str) -> None:
        """Let it run on these cores only."""
        for pid in _processes.bearing(self._label):
            _processes.pin(pid, cpuset)

    def restart(self) -> None:
        """Send SIGKILL to all of it, and start it again; its folder stays as it was, /tmp included."""
        self._end()
        self._start()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        # As in a container, nothing outlives the first process.
        _processes.end(self._label)
        self._reader.join(timeout=5)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        output = process.stdout
        if output is None:
            return
        with output:
            while piece := os.read(output.fileno(), PIECE):
                self._said.append(piece)
                self._size += len(piece)
                while self._size - len(self._said[0]) > LOG_CAP:
                    self._size -= len(self._said.popleft())
                    self._cut = True

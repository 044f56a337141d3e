"""`python leash.py FOLDER NAME COMMAND...`: runs a command for as long as the one who asked for it lives.

Standard input is the leash: when it closes, because the server let go or was killed, the command is ended (SIGTERM,
then SIGKILL). FOLDER is locked meanwhile, so that a second server waits for the first one's command. How a command
ended that was not broken off stands in FOLDER/ended, where a later server reads it instead of running it again.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

PATIENCE = 30.0
"""Seconds between SIGTERM and SIGKILL: time for a grading to sweep up its containers."""

NOT_RUN = 127
"""The exit code of a command that could not be run, as shells have it."""


def main(arguments: list[str]) -> int:
    """Run the command, unless one before it has ended already."""
    folder, name, *command = arguments
    leash = Leash()
    with Path(folder, "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if Path(folder, "ended").exists():
            return 0
        place = Path(folder, name)
        with (place / "stdout").open("wb") as out, (place / "stderr").open("wb") as err:
            # The command holds the lock too: it outlasts this process, should that be killed.
            try:
                code = leash.start(command, out, err, lock.fileno()).wait()
            except OSError as error:
                err.write(f"{command[0]} cannot be run: {error.strerror}\n".encode())
                code = NOT_RUN
        if not leash.pulled:
            _write(Path(folder, "ended"), json.dumps({"name": name, "code": code}))
    return 0


class Leash:
    """Watches standard input, and ends the command when it closes."""

    def __init__(self) -> None:
        self.pulled = False
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def start(self, command: list[str], out: IO[bytes], err: IO[bytes], held: int) -> subprocess.Popen[bytes]:
        """Start the command, which keeps the descriptor `held`."""
        with self._lock:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, pass_fds=[held]
            )
            return self._child

    def _watch(self) -> None:
        while os.read(0, 4096):
            pass
        with self._lock:
            if self._child is None:
                os._exit(0)
            if self._child.poll() is not None:
                return
            self.pulled = True
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGTERM)
            try:
                self._child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self._child.pid, signal.SIGKILL)


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.new")
    with unfinished.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

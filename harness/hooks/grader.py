"""`harness grade` in a process of its own, so that nothing it meets can take down who asked for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from grading.evidence import Record
from harness.errors import InfrastructureError

COMMAND = (sys.executable, "-P", "-m", "harness", "grade")
"""What grades. `-P`: never a module that lies in the working folder."""
GRADED = (0, 1)
"""Exit codes that end a grading; see `harness grade --help`."""
GRACE = 60.0
"""Seconds that a grading which is ended has to clean up."""
Say = Callable[[str], None]


class Graded(Record):
    """What a grading found, in short."""

    run: str
    """The run folder's name."""
    points: float
    decided: float
    """The most that the decided criteria could have given."""
    void: bool = False


def grade(
    submission: Path,
    *,
    challenge: str,
    profile: str,
    runs: Path,
    say: Say,
    command: tuple[str, ...] = COMMAND,
    seconds: float = 7200,
) -> Graded:
    """Grade a folder; `say` gets each line of progress.

    Raises:
        InfrastructureError: it could not be graded, and none of it is the submission's fault.
    """
    options = ["--challenge", challenge, "--profile", profile, "--runs", str(runs), "--json"]
    try:
        process = subprocess.Popen(
            [*command, str(submission), *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise InfrastructureError(f"{command[0]} cannot be run: {error.strerror or error}") from error
    last: list[str] = []
    listener = threading.Thread(target=_listen, args=(process.stderr, say, last), daemon=True)
    limit = threading.Timer(seconds, _end, (process,))
    listener.start()
    limit.start()
    try:
        printed = process.stdout.read() if process.stdout else ""
        code = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        limit.cancel()
    listener.join(5)
    return _read(printed, code, last)


def _listen(stream: IO[str] | None, say: Say, last: list[str]) -> None:
    for line in stream or ():
        last[:] = [*last[-4:], line.rstrip()]
        say(line.rstrip())


def _end(process: subprocess.Popen[str]) -> None:
    # SIGTERM lets it sweep up its containers.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _read(printed: str, code: int, last: list[str]) -> Graded:
    if code not in (*GRADED, 3):
        raise InfrastructureError(f"the grading ended with exit code {code}: {' '.join(last)[-500:] or 'no message'}")
    try:
        report = json.loads(printed)
        return Graded(
            run=report["run"]["id"], points=report["points"], decided=report["decided_points"], void=report["void"]
        )
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        said = " ".join(last)[-500:]
        raise InfrastructureError(f"the grading (exit code {code}) printed no report: {said or error}") from error

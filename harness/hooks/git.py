"""Git on repositories that candidates fill: nothing that they hold or name is run, and everything has a limit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.errors import UsageError
from harness.submission import SAFE_GIT, git_environment

POLL = 0.1
"""Seconds between two looks at a fetch: its time, and how much it has written."""


def environment(protocols: tuple[str, ...] = (), header: str = "") -> dict[str, str]:
    """Where git runs: no configuration but ours, no questions, only these protocols.

    A header (with a token) goes in here and not on the command line, which every user of the machine can read.
    """
    config = {"http.followRedirects": "false", "gc.auto": "0"}
    if header:
        config["http.extraHeader"] = header
    numbered: dict[str, str] = {"GIT_CONFIG_COUNT": str(len(config))}
    for at, (key, value) in enumerate(config.items()):
        numbered |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
    return {
        **git_environment(),
        **numbered,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
    }


def run(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """What a git command on a local repository prints.

    Raises:
        UsageError: git is not installed, or the command failed; with the last line of what it said.
    """
    command = [*SAFE_GIT, "--git-dir", str(folder), *arguments]
    try:
        done = subprocess.run(command, env=environment(), input=stdin, capture_output=True, check=False, timeout=120)
    except FileNotFoundError as error:
        raise UsageError("git is not installed", "Install it, and try again.") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"git {arguments[0]} in {folder} did not end within {error.timeout:.0f} s") from error
    if done.returncode:
        raise UsageError(f"git {arguments[0]} failed in {folder}: {last_line(done.stderr)}")
    return done.stdout


def watched(command: list[str], env: Mapping[str, str], folder: Path, *, cap_mb: int, seconds: float) -> None:
    """Run a git command that fetches into `folder`; ends it with all that it started at the first limit.

    Raises:
        UsageError: it failed, took longer than `seconds`, or wrote more than the cap.
    """
    said = folder / "fetch.log"
    with said.open("wb") as log:
        try:
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        except FileNotFoundError as error:
            raise UsageError("git is not installed", "Install it, and try again.") from error
        try:
            _wait(process, folder, cap_mb, seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise UsageError(f"git cannot fetch it: {last_line(said.read_bytes())}")


def _wait(process: subprocess.Popen[bytes], folder: Path, cap_mb: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL)
        if size(folder) > cap_mb * 2**20:
            raise UsageError(f"the commit takes more than {cap_mb} MB to fetch", "Large files do not belong in it.")
        if process.returncode is not None:
            return
        if time.monotonic() > deadline:
            raise UsageError(f"git did not fetch it within {seconds:.0f} s")


def size(folder: Path) -> int:
    """Bytes of all files below a folder, whatever comes and goes meanwhile."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with suppress(FileNotFoundError):
                total += (Path(parent) / name).lstat().st_size
    return total


def last_line(said: bytes) -> str:
    """The last line that says something."""
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"

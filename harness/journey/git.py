"""Git, run with its hooks and helpers off: a repository's own configuration is candidate code."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.submission import SAFE_GIT, git_environment

AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "mlops-harness"), ("EMAIL", "mlops-harness@localhost"))
}
"""Who commits what the harness makes, on machines where git knows nobody."""

REMOTE = "remote:"
"""How git marks what a remote's hook says."""


def git(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What a git command prints on standard output, without the last line break.

    Raises:
        UsageError: git is not installed, or the command failed; with what it said.
    """
    done = run(folder, *arguments, env=env)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise UsageError(f"git {arguments[0]} failed in {folder}: {said}")
    return done.stdout.rstrip("\n")


def run(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A git command that may fail.

    Raises:
        UsageError: git is not installed.
    """
    try:
        return subprocess.run(
            [*SAFE_GIT, "-C", str(folder), *arguments],
            env={**git_environment(), "GIT_TERMINAL_PROMPT": "0", **(env or {})},
            capture_output=True, text=True, encoding="utf-8", errors="surrogateescape", check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UsageError("git is not installed", "Install it, and try again.") from error


def push(folder: Path, to: str, refspec: str, hear: Callable[[str], None]) -> tuple[int, list[str]]:
    """Push; `hear` is told what the remote's hook says, as it says it. Returns the exit code and all that was said."""
    # On a terminal git may ask for a password there, as anybody who pushes expects.
    environment = {**git_environment(), "GIT_TERMINAL_PROMPT": "1" if sys.stdin.isatty() else "0"}
    command = [*SAFE_GIT, "-C", str(folder), "push", to, refspec]
    said: list[str] = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        errors="replace",
    ) as pushing:  # fmt: skip
        for line in pushing.stderr or ():
            # Git wipes the rest of a remote's line with an escape sequence, where it takes this for a terminal.
            said.append(re.sub(r"\x1b\[K|\r", "", line).rstrip())
            if said[-1].startswith(REMOTE):
                hear(said[-1].removeprefix(REMOTE).strip())
    return pushing.returncode, said


def top(folder: Path) -> Path:
    """The top of the repository that a folder lies in.

    Raises:
        UsageError: it lies in none.
    """
    done = run(folder, "rev-parse", "--show-toplevel")
    if done.returncode:
        raise UsageError(
            f"{folder.resolve()} is not in a git repository",
            "What git tracks is what is handed in: 'git init' makes one.",
        )
    return Path(done.stdout.rstrip("\n"))

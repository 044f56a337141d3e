"""Git, run with its hooks and helpers off: a repository's own configuration is candidate code."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.submission import SAFE_GIT, git_environment

AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "mlops-harness"), ("EMAIL", "mlops-harness@localhost"))
}
"""Who commits what the harness makes, on machines where git knows nobody."""


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


def run(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A git command that may fail.

    Raises:
        UsageError: git is not installed.
    """
    environment = {**git_environment(), "GIT_TERMINAL_PROMPT": os.environ.get("GIT_TERMINAL_PROMPT", "0"), **(env or {})}
    command = [*SAFE_GIT, "-C", str(folder), *arguments]
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, encoding="utf-8", errors="surrogateescape", check=False
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed", "Install it, and try again.") from error


def top(folder: Path) -> Path:
    """The top of the repository that a folder lies in.

    Raises:
        UsageError: it lies in none.
    """
    done = run(folder, "rev-parse", "--show-toplevel")
    if done.returncode:
        raise UsageError(
            f"{folder.resolve()} is not in a git repository", "What git tracks is what is handed in: 'git init' makes one."
        )
    return Path(done.stdout.rstrip("\n"))

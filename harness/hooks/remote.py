"""A bare repository that candidates push to: its settings, and the hook that git runs after each push."""

from __future__ import annotations

import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from grading.evidence import Record
from harness import receipts, runs
from harness.errors import UsageError
from harness.hooks import git, grader

FOLDER = "harness"
"""What we keep in a bare repository, beside git's own folders."""
MARK = "# Written by `harness hook install`; it is replaced by the next one."
RECEIPTS = "refs/harness"
"""References under which receipts can be fetched; nobody can push there."""


class Remote(Record):
    """How pushes to one bare repository are received and graded."""

    challenge: str
    runs: Path
    candidate: str
    issuer: str
    invitation: str
    key: Path
    """The file of the key that signs receipts."""
    profile: Literal["public", "review"] = "public"
    attempts: int = Field(default=20, ge=1)
    """Different submissions that are taken."""
    deadline: AwareDatetime | None = None
    """By the clock of this machine; later pushes get no receipt."""
    command: tuple[str, ...] = grader.COMMAND
    """What grades."""
    cap_mb: int = Field(default=512, gt=0)


def install(repository: Path, remote: Remote) -> Path:
    """Write the settings and the hook into a bare repository; returns the hook.

    Raises:
        UsageError: it is no bare repository, or has a hook that is not ours.
    """
    repository = repository.resolve()
    if (repository / ".git").exists() or git.run(repository, "rev-parse", "--is-bare-repository").strip() != b"true":
        raise UsageError(f"{repository} is not a bare repository", f"'git init --bare {repository}.git' makes one.")
    hook = repository / "hooks" / "post-receive"
    if hook.exists() and MARK not in hook.read_text("utf-8", "replace"):
        raise UsageError(f"{hook} is there already, and not from here", "Move it away, or call it from another hook.")
    if not remote.key.exists():
        receipts.new_key(remote.key)
    receipts.read_key(remote.key)
    (repository / FOLDER).mkdir(mode=0o700, exist_ok=True)
    runs.write(repository / FOLDER / "settings.json", remote.model_dump_json(indent=2) + "\n")
    # Nobody may push a receipt, and a damaged commit is refused by git itself, which says so better than we could.
    git.run(repository, "config", "--replace-all", "receive.hideRefs", RECEIPTS, f"^{RECEIPTS}$")
    git.run(repository, "config", "receive.fsckObjects", "true")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_script(repository), "utf-8")
    hook.chmod(0o755)
    return hook


def load(repository: Path) -> Remote:
    """The settings of a bare repository.

    Raises:
        UsageError: there are none, or they are damaged.
    """
    path = repository / FOLDER / "settings.json"
    try:
        return Remote.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "Run 'harness hook install' again.") from error


def moment(text: str) -> datetime | None:
    """A deadline as it was typed.

    Raises:
        UsageError: it is no time with a zone.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError as error:
        raise UsageError(f"'{text}' is no time", "Write it like 2026-03-31T23:59:00+02:00.") from error
    if found.tzinfo is None:
        raise UsageError(f"'{text}' has no time zone", "Write it like 2026-03-31T23:59:00+02:00.")
    return found.astimezone(UTC)


def _script(repository: Path) -> str:
    command = shlex.join([sys.executable, "-P", "-m", "harness", "hook", "receive", str(repository)])
    # Git has taken the push by now, and whatever happens here, the person who pushed must not be told otherwise.
    otherwise = "echo 'harness: the push is kept; the company can grade it by hand' >&2"
    return f"#!/bin/sh\n{MARK}\n{command} || {otherwise}\nexit 0\n"

"""What a candidate types: git, and the harness's own command, as processes."""

from __future__ import annotations

import os
import subprocess
import sys

from harness.challenge import HOME

ROOT = HOME.parent
FRAUD = HOME / "fraud_detection"
ANSWERS = {
    "challenge": "fraud_detection",
    "candidate": 'Ada "the first" Lovelace',
    "issuer": "Acme",
    "deadline": "2026-03-31T23:59:00+02:00",
    "attempts": 3,
    "deliver_kind": "folder",
    "deliver_to": "../handed-in",
}
NOW = ("submit", "--yes", "--no-check")
"""What hands in at once."""
PERSON = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}


def git(folder, *arguments, **env):
    command = ["git", "-C", str(folder), *arguments]
    environment = {**os.environ, **PERSON, **env}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def harness(folder, *arguments, **env):
    """The real command, as a candidate runs it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **env}
    if "HARNESS_TOKEN" not in env:
        environment.pop("HARNESS_TOKEN", None)
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def commit(repository, **files):
    for name, content in files.items():
        path = repository / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "--message", "work")


def bundles(repository):
    return sorted((repository / ".harness" / "bundles").glob("*.tar"))

"""Git as a candidate runs it, and the repositories that the published payloads name."""

from __future__ import annotations

import subprocess

GITHUB, GITLAB = "Codertocat/Hello-World", "mike/diaspora"


def git(folder, *arguments, check=True, **environment):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always"]
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **environment}
    return subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], check=check, capture_output=True, text=True, env=env
    )


def commit(folder, files, message="work"):
    """Write files into a working tree, commit all of it, and give the commit's SHA."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message, "--allow-empty")
    return git(folder, "rev-parse", "HEAD").stdout.strip()

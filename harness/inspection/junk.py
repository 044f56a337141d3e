"""Files that have no place in a repository, or in an image."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

LARGE_MB = 10
"""A file this large belongs in storage, not in git, unless it is part of the model."""
FOLDERS = {
    ".git": "git's own folder", ".hg": "mercurial's own folder", ".svn": "subversion's own folder",
    ".venv": "a virtual environment", "venv": "a virtual environment", "site-packages": "installed packages",
    "node_modules": "installed packages", "__pycache__": "compiled Python",
    ".ipynb_checkpoints": "notebook checkpoints",
    ".pytest_cache": "a tool's cache", ".mypy_cache": "a tool's cache", ".ruff_cache": "a tool's cache",
    ".tox": "a tool's cache", ".nox": "a tool's cache", "__MACOSX": "an archiver's leavings",
}  # fmt: skip
FILES = {
    r"\.DS_Store|Thumbs\.db|desktop\.ini": "a file manager's leavings",
    r".*\.py[co]": "compiled Python",
    r".*\.(?:swp|swo|orig|rej)|.*~": "an editor's leavings",
    r"\.coverage|coverage\.xml|nohup\.out|npm-debug\.log": "a tool's output",
}


def in_repository(name: str) -> str:
    """What kind of junk a file of a repository is, or an empty string."""
    path = PurePosixPath(name)
    if path.name == "pyvenv.cfg":
        return "a virtual environment"
    for part in path.parts[:-1]:
        if part in FOLDERS:
            return FOLDERS[part]
        if part.endswith(".egg-info"):
            return "a tool's output"
    return next((what for pattern, what in FILES.items() if re.fullmatch(pattern, path.name)), "")


# Where a distribution, its package managers and interpreters keep files: nothing there is the candidate's.
SYSTEM = re.compile(
    r"(?:usr|lib|lib32|lib64|libx32|bin|sbin|etc|var|proc|sys|dev|run|boot|media|mnt)/"
    r"|.*/(?:site-packages|dist-packages|node_modules|conda-meta|pkgs|lib/python[0-9.]+)/"
    r"|(?:\./)?(?:opt|root)/(?:conda|miniconda3?|\.pyenv|\.cargo|\.rustup|\.local/share)/"
)


def in_image(name: str) -> str:
    """What kind of junk a file of an image is, or an empty string. System and package folders are passed over."""
    name = name.removeprefix("./").removeprefix("/")
    path = PurePosixPath(name)
    if SYSTEM.match(name) and not name.startswith(("usr/src/", "usr/app/", "var/app/", "var/task/")):
        return ""
    if ".git" in path.parts:
        return "git's own folder"
    if path.name == ".env":
        return "an environment file"
    if path.suffix == ".ipynb":
        return "a notebook"
    if re.fullmatch(r"test_.*\.py|.*_test\.(?:py|go)|conftest\.py|.*\.(?:test|spec)\.[jt]sx?", path.name):
        return "a test"
    return ""


def shown(found: Iterable[tuple[str, str]], most: int = 5) -> str:
    """A few of the (name, what) pairs, one of each kind first, and how many more there are."""
    pairs = list(found)
    first = list({what: (name, what) for name, what in reversed(pairs)}.values())[::-1]
    rest = [pair for pair in pairs if pair not in first]
    chosen = (first + rest)[:most]
    more = f" and {len(pairs) - len(chosen)} more" if len(pairs) > len(chosen) else ""
    return ", ".join(f"{name} ({what})" for name, what in chosen) + more

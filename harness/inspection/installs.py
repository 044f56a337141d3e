"""What the commands of a build install, whichever tool they use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from harness.inspection.shell import commands

INSTALLERS = frozenset((
    "pip", "setuptools", "wheel", "uv", "poetry", "pdm", "pipenv", "pip-tools", "build", "virtualenv",
))  # fmt: skip
"""Packages that install others: their own version decides little about what ends up in the image."""
LOCKING = {
    "uv": ("sync",), "poetry": ("install", "sync"), "pdm": ("install", "sync"), "pipenv": ("install", "sync"),
    "pixi": ("install",),
}  # fmt: skip
"""Tools that install from a lock file of their own, and the words that make them."""
SYSTEM = {
    "apt-get": "install", "apt": "install", "apk": "add", "dnf": "install", "yum": "install", "microdnf": "install",
    "npm": "ci", "yarn": "install", "go": "mod", "cargo": "fetch",
}  # fmt: skip
"""Everything else that fetches dependencies."""
TAKES_VALUE = frozenset((
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target", "--prefix", "--root", "--python",
    "--trusted-host", "--timeout", "--retries", "--cache-dir", "--platform", "--no-binary", "--only-binary", "--proxy",
    "--cert", "--python-version", "--abi", "--implementation", "--src", "--progress-bar", "-p", "--root-user-action",
    "--upgrade-strategy", "--report", "--log", "--use-feature", "--config-settings", "-C", "--index",
    "--index-strategy", "--link-mode", "--extra", "--group", "--torch-backend",
))  # fmt: skip
"""Options of pip and uv that are followed by a value."""


@dataclass(frozen=True)
class Install:
    """One command that installs."""

    tool: str
    command: str
    files: tuple[str, ...] = ()
    """Requirement files, or a conda environment."""
    constraints: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    local: bool = False
    """The submission itself is installed."""
    dependencies: bool = True
    """False with `--no-deps` and the like: nothing but the submission itself is installed."""

    @property
    def only_installers(self) -> bool:
        """Whether it brings nothing but tools that install."""
        names = [project(package) for package in self.packages]
        return bool(names) and not self.files and not self.local and INSTALLERS.issuperset(names)


def installs(script: str) -> Iterator[Install]:
    """Everything that a script installs, in order."""
    for words in commands(script):
        program = PurePosixPath(words[0]).name
        command = " ".join(words)
        action = next((w for w in words[1:] if not w.startswith("-")), "")
        arguments = _pip_arguments(program, words[1:])
        if arguments is not None:
            yield _pip(command, arguments)
        elif action in LOCKING.get(program, ()):
            yield Install(program, command, local=not re.search(r"--no-(?:install-project|root|self)", command))
        elif program in ("conda", "mamba", "micromamba") and {"install", "create", "env"} & set(words):
            given = [b for a, b in pairwise(words) if a in ("-f", "--file")]
            yield Install("conda", command, tuple(given))
        elif SYSTEM.get(program) == action:
            yield Install(program, command)


def project(requirement: str) -> str:
    """The normalized name of the project that a requirement names (PEP 503)."""
    name = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    return re.sub(r"[-_.]+", "-", name[1]).lower() if name else ""


def _pip_arguments(program: str, rest: list[str]) -> list[str] | None:
    """The arguments of `pip install` in any of its spellings, or None."""
    if re.fullmatch(r"python[0-9.]*", program) and "-m" in rest and rest[rest.index("-m") + 1 :][:1] == ["pip"]:
        rest = rest[rest.index("pip") + 1 :]
    elif program == "uv" and rest[:1] == ["pip"]:
        rest = rest[1:]
    elif not re.fullmatch(r"pip[0-9.]*", program):
        return None
    if "sync" in rest and "install" not in rest:
        files = [w for w in rest[rest.index("sync") + 1 :] if not w.startswith("-")]
        return [item for file in files for item in ("-r", file)]
    return rest[rest.index("install") + 1 :] if "install" in rest else None


def _pip(command: str, arguments: list[str]) -> Install:
    files: list[str] = []
    constraints: list[str] = []
    packages: list[str] = []
    local = False
    words = iter(arguments)
    for word in words:
        if given := re.fullmatch(r"(?:-r|--requirements?)(?:=?(.+))?", word):
            files.append(given[1] or next(words, ""))
        elif given := re.fullmatch(r"(?:-c|--constraints?)(?:=?(.+))?", word):
            constraints.append(given[1] or next(words, ""))
        elif word in TAKES_VALUE:
            next(words, None)
        elif re.match(r"\.{1,2}(?:/|$|\[)|/", word):
            local = local or not word.endswith((".whl", ".tar.gz"))
        elif not word.startswith("-") and not re.match(r"\d?[<>]", word):
            packages.append(word)
    return Install(
        "pip", command, tuple(files), tuple(constraints), tuple(packages), local, "--no-deps" not in arguments
    )

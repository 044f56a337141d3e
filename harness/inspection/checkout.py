"""The files of a submission, read with caps and without ever following a link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath

FILES_CAP = 20_000
"""Files that are looked at; a submission with more is cut there."""
TEXT_CAP = 1024 * 1024
"""Bytes of a file that are read."""
VENDORED = frozenset((
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "site-packages", "__pycache__", ".tox", ".nox",
    ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache", ".pytest_cache",
))  # fmt: skip
"""Folders whose content is not the candidate's own work."""


class Checkout:
    """A submission's export. Names are relative, with `/`, and fit to print whatever bytes they were made of."""

    def __init__(self, folder: Path) -> None:
        self._paths = dict(sorted(_walk(folder)))

    @property
    def names(self) -> tuple[str, ...]:
        """All regular files, sorted."""
        return tuple(self._paths)

    @cached_property
    def own(self) -> tuple[str, ...]:
        """Files that the candidate wrote: none of a vendored folder or of a model's."""
        return tuple(n for n in self.names if not self.is_vendored(n) and not self.in_model(n))

    @cached_property
    def _models(self) -> frozenset[PurePosixPath]:
        return frozenset(PurePosixPath(n).parent for n in self.names if PurePosixPath(n).name == "MLmodel")

    def in_model(self, name: str) -> bool:
        """Whether a file belongs to an MLflow model, whose files MLflow wrote."""
        return any(parent in self._models for parent in PurePosixPath(name).parents)

    @cached_property
    def _by_base(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.own:
            found.setdefault(PurePosixPath(name).name, []).append(name)
        return found

    @staticmethod
    def is_vendored(name: str) -> bool:
        """Whether a file lies in a folder that tools fill."""
        return not VENDORED.isdisjoint(PurePosixPath(name).parts)

    def matching(self, *globs: str) -> tuple[str, ...]:
        """The candidate's own files whose whole name matches one of the globs; `*` matches `/` too."""
        return tuple(n for n in self.own if any(fnmatchcase(n, glob) for glob in globs))

    def named(self, path: str) -> str | None:
        """The file that a path in a script means: that very one, else the only one that ends so.

        Scripts and Dockerfiles name files as they lie in the image or from another folder.
        """
        wanted = PurePosixPath(path.removeprefix("./"))
        if str(wanted) in self._paths:
            return str(wanted)
        same_base = self._by_base.get(wanted.name, [])
        for depth in range(len(wanted.parts), 0, -1):
            tail = "/".join(wanted.parts[-depth:])
            if found := [n for n in same_base if n == tail or n.endswith(f"/{tail}")]:
                return min(found, key=lambda n: (n.count("/"), n))
        return None

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._paths[name].lstat().st_size

    def text(self, name: str, cap: int = TEXT_CAP) -> str:
        """The start of a file as text; empty if it is binary, missing or a link."""
        try:
            descriptor = os.open(self._paths[name], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (KeyError, OSError):
            return ""
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(cap)
        return "" if b"\0" in content else content.decode("utf-8", "replace").removeprefix("\ufeff")


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    left = FILES_CAP
    for parent, _, files in os.walk(folder):
        for file in files:
            path = Path(parent, file)
            if left <= 0:
                return
            if path.is_symlink() or not path.is_file():
                continue
            left -= 1
            yield os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace"), path

"""A folder becomes a submission: a name, a digest, and a clean export of its tracked files."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from harness.errors import UsageError

# A submission's own .git/config is candidate code: these keys would make git run programs that it names.
SAFE_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*")

TOOLS = ".harness"
"""The folder of a candidate's repository in which it carries the harness: no part of what is handed in."""


@dataclass(frozen=True)
class Submission:
    """What a candidate handed in."""

    name: str
    source: Path
    """Where it came from."""
    files: Path
    """A clean export: regular files only, nothing that git does not track."""
    digest: str
    """SHA-256 over the sorted paths, modes and contents of the export."""
    left_out: tuple[str, ...] = ()
    """What the export could not take (links that leave the folder, devices), each with the reason."""


def export(source: Path, destination: Path, *, cap_mb: int = 512) -> Submission:
    """Copy the tracked files of `source` into `destination`.

    In a git repository the files are those git tracks, as they are in the working tree; elsewhere all of them. The
    harness that a candidate's repository carries is none of them.

    Raises:
        UsageError: `source` is not a folder, has no files to grade, or is larger than the cap.
    """
    if not source.is_dir():
        what = "is not a folder" if source.exists() else "does not exist"
        raise UsageError(f"the submission {source} {what}", "Give the folder that holds the Dockerfile.")
    source = source.resolve()
    names = [name for name in _tracked(source) if not name.startswith(f"{TOOLS}/")]
    if not names:
        raise UsageError(f"{source} has no files that git tracks", "Commit the submission first, or copy it elsewhere.")
    left_out, size = [], 0
    for name in names:
        path = source / name
        if reason := _unfit(path, source):
            left_out.append(f"{name}: {reason}")
            continue
        size += path.lstat().st_size
        if size > cap_mb * 2**20:
            raise UsageError(f"{source} holds more than {cap_mb} MB of files to grade")
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)
    return Submission(source.name, source, destination, digest(destination), tuple(left_out))


def digest(folder: Path, *, without: frozenset[str] = frozenset()) -> str:
    """SHA-256 over the sorted paths, executable bits and contents of all files below a folder.

    Folders that bear a name in `without` are passed over.
    """
    total = hashlib.sha256()
    paths = (p for p in folder.rglob("*") if without.isdisjoint(p.relative_to(folder).parts))
    for path in sorted(p for p in paths if p.is_symlink() or p.is_file()):
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        mode = "link" if path.is_symlink() else "exec" if path.stat().st_mode & stat.S_IXUSR else "file"
        entry = f"{path.relative_to(folder).as_posix()}\0{mode}\0{hashlib.sha256(content).hexdigest()}\n"
        total.update(entry.encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def git_environment() -> dict[str, str]:
    """This process's environment without GIT_DIR and its like: a hook that started us would have set them."""
    return {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}


def forbidden(paths: Iterable[str]) -> str:
    """A path that no file of a submission may have, or an empty string.

    One that leaves the submission, that git would take for its own, or that another of the files has or is a folder of.
    """
    split = sorted(path.split("/") for path in paths)
    for parts in split:
        if any(part in {"", ".", ".."} or part.lower() == ".git" or "\0" in part for part in parts):
            return "/".join(parts)
    # Sorted by its parts, a file that is another's folder stands right before what would lie in it.
    return next(("/".join(two) for one, two in pairwise(split) if two[: len(one)] == one), "")


def leaves(link: Path, root: Path) -> bool:
    """Whether a link leads out of a folder, wherever that folder is moved; `root` has no links in it."""
    target = link.readlink()
    lexical = Path(os.path.normpath(link.relative_to(root).parent / target))
    outside = not Path(os.path.realpath(link)).is_relative_to(root)
    return outside or target.is_absolute() or lexical.parts[:1] == ("..",)


def _tracked(source: Path) -> list[str]:
    command = [*SAFE_GIT, "-C", str(source), "ls-files", "-z"]
    # A repository can name where its missing objects are fetched from, and the program that fetches them.
    environment = {**git_environment(), "GIT_ALLOW_PROTOCOL": ""}
    listing = subprocess.run(command, env=environment, capture_output=True, check=False)
    # A folder may lie in a repository that tracks nothing of it, as one that was unpacked does.
    if listing.returncode == 0 and (listing.stdout or (source / ".git").exists()):
        names = [os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]
        return sorted(name for name in set(names) if os.path.lexists(source / name))
    found = (
        (Path(folder) / name).relative_to(source)
        for folder, folders, files in os.walk(source)
        for name in (*files, *(inner for inner in folders if (Path(folder) / inner).is_symlink()))
    )
    return sorted(str(path) for path in found if ".git" not in path.parts)


def _unfit(path: Path, source: Path) -> str:
    """Why a path cannot be exported, or an empty string."""
    parents = (parent for parent in path.parents if parent != source and source in parent.parents)
    if any(parent.is_symlink() for parent in parents):
        return "stands behind a link"
    if path.is_symlink():
        return f"links outside the submission, to {path.readlink()}" if leaves(path, source) else ""
    return "" if stat.S_ISREG(path.lstat().st_mode) else "is not a regular file (a submodule, pipe or device)"


def plain_name(name: str) -> str:
    """A person's or a repository's name as part of a file's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").lower()[:60] or "submission"

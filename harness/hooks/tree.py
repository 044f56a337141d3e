"""The files of one commit, written without a checkout.

A checkout would obey the commit: attributes that name filters, submodules, links that later files are written through.
Here git only lists objects and prints them; every path is ours to judge.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness import submission
from harness.errors import UsageError
from harness.hooks.git import environment, run
from harness.submission import SAFE_GIT, Submission, forbidden

ENTRIES = 20_000
"""Files that a commit may have."""
LINK, EXECUTABLE, REGULAR, MODULE = "120000", "100755", "100644", "160000"


@dataclass(frozen=True)
class Entry:
    """One file of a commit."""

    path: PurePosixPath
    mode: str
    object: str
    size: int


def export(repository: Path, commit: str, destination: Path, *, cap_mb: int = 512) -> Submission:
    """The submission that a commit of a repository (its `.git`, or a bare one) is, exported to `destination`.

    Its digest is the one that `harness submit` gives a clean working tree of that commit.

    Raises:
        UsageError: there is no such commit, it is damaged, or it is larger than the caps.
    """
    with tempfile.TemporaryDirectory(prefix="harness-tree-") as folder:
        raw = Path(folder) / destination.name
        raw.mkdir()
        write(repository, commit, raw, cap_mb=cap_mb)
        exported = submission.export(raw, destination, cap_mb=cap_mb)
    return Submission(destination.name, destination, destination, exported.digest, exported.left_out)


def write(repository: Path, commit: str, folder: Path, *, cap_mb: int = 512) -> None:
    """Write all files of a commit into an empty folder, links as they are.

    Raises:
        UsageError: as `export`.
    """
    entries = list(_entries(repository, commit))
    if sum(entry.size for entry in entries) > cap_mb * 2**20:
        raise UsageError(f"the commit {commit[:12]} holds more than {cap_mb} MB of files")
    if odd := forbidden(str(entry.path) for entry in entries):
        raise UsageError(f"the commit holds a path that no file may have: {odd}")
    # Links last: no file is then written through one, whatever the commit's order is.
    ordered = sorted(entries, key=lambda entry: entry.mode == LINK)
    try:
        for entry, content in zip(ordered, _contents(repository, [e.object for e in ordered]), strict=True):
            _write(entry, content, folder.joinpath(*entry.path.parts))
    except OSError as error:
        raise UsageError(f"the commit {commit[:12]} cannot be written out: {error}") from error


def _entries(repository: Path, commit: str) -> Iterator[Entry]:
    kind = run(repository, "cat-file", "-t", commit).strip()
    if kind != b"commit":
        raise UsageError(f"{commit[:12]} is no commit but a {kind.decode()}")
    command = [*SAFE_GIT, "--git-dir", str(repository), "ls-tree", "-r", "-z", "-l", "--full-tree", commit]
    # A few objects can make a tree of a billion files, so the list is read only as far as the cap.
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as listing:
        assert listing.stdout is not None  # noqa: S101  # it was asked for
        try:
            for count, line in enumerate(_records(listing.stdout.fileno())):
                if count >= ENTRIES:
                    raise UsageError(f"the commit {commit[:12]} holds more than {ENTRIES} files")
                if entry := _entry(line):
                    yield entry
            if listing.wait():
                raise UsageError(f"the commit {commit[:12]} is damaged: its files cannot be listed")
        finally:
            listing.kill()


def _records(descriptor: int) -> Iterator[bytes]:
    rest = b""
    while chunk := os.read(descriptor, 2**16):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole


def _entry(line: bytes) -> Entry | None:
    head, _, name = line.partition(b"\t")
    mode, _, name_of_object, size = head.decode("ascii").split()
    path = PurePosixPath(os.fsdecode(name))
    if mode == MODULE:
        return None
    return Entry(path, mode, name_of_object, int(size))


def _contents(repository: Path, names: list[str]) -> Iterator[bytes]:
    command = [*SAFE_GIT, "--git-dir", str(repository), "cat-file", "--batch"]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as batch:
        assert batch.stdin is not None  # noqa: S101  # both were asked for
        assert batch.stdout is not None  # noqa: S101
        for name in names:
            batch.stdin.write(f"{name}\n".encode())
            batch.stdin.flush()
            head = batch.stdout.readline().split()
            if len(head) != 3:
                raise UsageError(f"the repository is damaged: the object {name} is missing")
            content = batch.stdout.read(int(head[2]))
            batch.stdout.read(1)
            yield content


def _write(entry: Entry, content: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if entry.mode == LINK:
        target.symlink_to(os.fsdecode(content))
        return
    with target.open("xb") as file:
        file.write(content)
    target.chmod(0o755 if entry.mode == EXECUTABLE else 0o644)

"""A submission as one file: the same tree gives the same bytes on every machine.

A tar (POSIX pax) of `manifest.json` and then the files below `files/`, sorted, without owner, time or umask. It is not
compressed: two versions of zlib give two digests of one tree.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from grading.evidence import Record
from harness.errors import InfrastructureError, UsageError
from harness.submission import TOOLS, Submission, digest, forbidden, leaves

MANIFEST = "manifest.json"
FILES = "files"
FORMAT: Literal["mlops-harness-bundle/1"] = "mlops-harness-bundle/1"
MANIFEST_CAP = 8 * 2**20
HEX = r"[0-9a-f]{64}"
OURS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE)
"""Errors of the machine that unpacks, whatever the bundle holds."""


class Entry(Record):
    """One file of a bundle."""

    path: str
    """Relative, with `/`."""
    mode: Literal["file", "exec", "link"]
    size: int = Field(ge=0)
    """Bytes; of a link, those of its target's name."""
    sha256: str = Field(pattern=HEX)


class Manifest(Record):
    """What a bundle says of itself."""

    format: Literal["mlops-harness-bundle/1"] = FORMAT
    challenge: str
    submission: str = Field(pattern=HEX)
    """The submission's digest, which names it everywhere."""
    files: tuple[Entry, ...]


def pack(submission: Submission, challenge: str, target: Path) -> Manifest:
    """Write a bundle of an export to `target`, by atomic rename; returns its manifest."""
    root = submission.files
    paths = sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    entries = tuple(_entry(path, path.relative_to(root).as_posix()) for path in paths)
    manifest = Manifest(challenge=challenge, submission=submission.digest, files=entries)
    unfinished = target.with_name(f".{target.name}.new")
    with tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as archive:
        text = json.dumps(manifest.model_dump(), indent=1, sort_keys=True).encode()
        _add(archive, MANIFEST, "file", text)
        for path, entry in zip(paths, entries, strict=True):
            content = str(path.readlink()).encode() if entry.mode == "link" else path.read_bytes()
            _add(archive, f"{FILES}/{entry.path}", entry.mode, content)
    unfinished.replace(target)
    return manifest


def read(bundle: Path) -> Manifest:
    """The manifest of a bundle, not yet held against its files.

    Raises:
        UsageError: it is no bundle.
    """
    try:
        with tarfile.open(bundle, "r:") as archive:
            first = archive.next()
            if first is None or first.name != MANIFEST or not first.isreg() or first.size > MANIFEST_CAP:
                raise UsageError(f"{bundle} is no bundle: it does not begin with {MANIFEST}")
            held = archive.extractfile(first)
            return Manifest.model_validate_json(held.read() if held else b"")
    except OSError as error:
        raise UsageError(f"{bundle} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, ValidationError) as error:
        raise UsageError(f"{bundle} is no bundle: {str(error).splitlines()[0]}") from error


def unpack(bundle: Path, destination: Path, *, cap_mb: int = 512) -> Manifest:
    """Unpack a bundle into a new folder and hold every file against the manifest.

    Raises:
        UsageError: it is no bundle, was altered, holds what a submission may not hold, or is larger than the cap. What
            was unpacked by then is left for the caller to remove.
        InfrastructureError: this machine cannot unpack anything now.
    """
    manifest = read(bundle)
    paths = [entry.path for entry in manifest.files]
    # What a repository carries of the harness is never packed, and would be left out again where it is graded.
    if odd := forbidden(paths) or next((path for path in paths if path.startswith(f"{TOOLS}/")), ""):
        raise UsageError(f"{bundle} holds a path that no file may have: {odd!r}")
    expected = {f"{FILES}/{entry.path}": entry for entry in manifest.files}
    if sum(entry.size for entry in manifest.files) > cap_mb * 2**20:
        raise UsageError(f"{bundle} holds more than {cap_mb} MB of files")
    try:
        destination.mkdir(parents=True)
        _extract(bundle, destination, expected)
    except (tarfile.TarError, OSError, ValueError) as error:
        ours = isinstance(error, OSError) and error.errno in OURS
        raise (InfrastructureError if ours else UsageError)(f"{bundle} cannot be unpacked: {error}") from error
    if expected:
        raise UsageError(f"{bundle} was altered: '{min(expected)}' is missing")
    if digest(destination / FILES) != manifest.submission:
        raise UsageError(f"{bundle} was altered: its files are not those that its manifest names")
    return manifest


def _extract(bundle: Path, destination: Path, expected: dict[str, Entry]) -> None:
    """Write what is expected, and take it from there; what is not written yet remains."""
    links = []
    with tarfile.open(bundle, "r:") as archive:
        for member in archive:
            if member.name == MANIFEST:
                continue
            entry = expected.pop(member.name, None)
            if entry is None or _mode(member) != entry.mode or (member.isreg() and member.size != entry.size):
                raise UsageError(f"{bundle} was altered: its manifest has no such '{member.name}'")
            if member.issym():
                links.append(member)
            else:
                archive.extract(member, destination, filter="data")
    # Last, so that nothing is written through one; and by us, since newer filters rewrite where a link leads.
    for member in links:
        link = destination / member.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(member.linkname)
    for member in links:
        if leaves(destination.resolve() / member.name, destination.resolve() / FILES):
            raise UsageError(f"{bundle} cannot be unpacked: '{member.name}' links outside the submission")


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The folder of a submission: `path` itself or, of a bundle, what it holds, for the length of the block.

    Raises:
        UsageError: it is a file and no sound bundle.
    """
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="mlops-harness-") as made:
        unpack(path, Path(made) / "bundle")
        yield (Path(made) / "bundle" / FILES).rename(Path(made) / path.stem)


def sha256(bundle: Path) -> str:
    """SHA-256 of a bundle's bytes."""
    with bundle.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(path: Path, name: str) -> Entry:
    if path.is_symlink():
        content, mode = str(path.readlink()).encode(), "link"
    else:
        content = path.read_bytes()
        mode = "exec" if path.stat().st_mode & stat.S_IXUSR else "file"
    return Entry.model_validate(
        {"path": name, "mode": mode, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    )


def _add(archive: tarfile.TarFile, name: str, mode: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    if mode == "link":
        member.type, member.linkname = tarfile.SYMTYPE, content.decode()
        archive.addfile(member)
        return
    member.mode, member.size = 0o755 if mode == "exec" else 0o644, len(content)
    archive.addfile(member, io.BytesIO(content))


def _mode(member: tarfile.TarInfo) -> str:
    if member.issym():
        return "link"
    return "" if not member.isreg() else "exec" if member.mode & stat.S_IXUSR else "file"

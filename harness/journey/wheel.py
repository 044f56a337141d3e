"""The harness with a challenge's public part, as a wheel that a candidate's repository carries.

Written by hand, because no build backend can be told to put a challenge's folder beside the packages and to leave most
of it out; a wheel is a zip with a few files more. The same source gives the same bytes, so that an edition of the
template changes only when something in it did.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.challenge import HOME, SCRATCH, Challenge
from harness.errors import UsageError

ROOT = HOME.parent
PACKAGES = ("harness", "grading")
PUBLIC = ("challenge.toml", "brief.md", "data.py", "model.py", "load.py", "functional", "public")
"""What a candidate gets of a challenge. A list of what is in, not of what is out: new solutions stay at home."""
TEMPLATE = ("README.md", "DECISIONS.md")
"""Of the candidate's template, what the repository stage compares documents with."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def build(challenge: Challenge, folder: Path) -> Path:
    """Write the wheel into a folder; returns its path.

    Raises:
        UsageError: this harness was not installed from its repository, so there is nothing to build from.
    """
    project = _project()
    name = f"{project['name'].replace('-', '_')}-{project['version']}"
    information = f"{name}.dist-info"
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        record = [_add(archive, entry, source.read_bytes()) for entry, source in sorted(_files(challenge))]
        record += [
            _add(archive, f"{information}/{entry}", text.encode())
            for entry, text in (
                ("METADATA", _metadata(project)),
                ("WHEEL", "Wheel-Version: 1.0\nGenerator: mlops-harness\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
                ("entry_points.txt", _entry_points(project)),
            )
        ]
        _add(archive, f"{information}/RECORD", "\n".join([*record, f"{information}/RECORD,,", ""]).encode())
    return path


def _project() -> dict[str, Any]:
    try:
        project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    except OSError as error:
        raise UsageError(
            f"{ROOT} is not the repository of the harness: {error.strerror}: pyproject.toml",
            "Candidates' repositories are made from a checkout of the harness ('make setup' there).",
        ) from error
    return project


def _files(challenge: Challenge) -> Iterator[tuple[str, Path]]:
    """Names in the wheel, and where their content is."""
    for package in PACKAGES:
        yield from _below(ROOT / package, package)
    for name in PUBLIC:
        yield from _below(challenge.folder / name, f"challenges/{challenge.id}/{name}")
    for name in TEMPLATE:
        yield from _below(ROOT / "candidate_template" / name, f"candidate_template/{name}")


def _below(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield name, path
        return
    for file in path.rglob("*"):
        inside = file.relative_to(path)
        if file.is_file() and SCRATCH.isdisjoint(inside.parts):
            yield f"{name}/{inside.as_posix()}", file


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> str:
    """Add a file; returns its line in RECORD."""
    member = zipfile.ZipInfo(name, EPOCH)
    member.external_attr = 0o100644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, content)
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={hashed},{len(content)}"


def _metadata(project: dict[str, Any]) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    lines += [f"Summary: {project['description']}", f"Requires-Python: {project['requires-python']}"]
    return "\n".join([*lines, *(f"Requires-Dist: {need}" for need in project["dependencies"]), ""])


def _entry_points(project: dict[str, Any]) -> str:
    return "\n".join(["[console_scripts]", *(f"{name} = {to}" for name, to in project["scripts"].items()), ""])

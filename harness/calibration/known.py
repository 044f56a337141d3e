"""The known submissions of a challenge, read strictly: what is wrong in one names its file and line.

submissions/reference/             golden: the submission that everything else is made from
submissions/golden/<name>/         golden: files laid over the reference, and `overlay.toml`
submissions/flawed/<fault>.patch   a golden one with one fault: headers, an empty line, prose if need be, a diff
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from grading.calibration.matrix import automatic
from grading.evidence import Record
from harness.challenge import Challenge, line_of
from harness.errors import ChallengeError

REFERENCE = "reference"
OVERLAY = "overlay.toml"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
HEADER = re.compile(r"([A-Za-z][A-Za-z-]*):\s*(.*)")
RecordT = TypeVar("RecordT", bound=BaseModel)

Source = Literal[
    "Build",
    "Contract",
    "Correctness",
    "Robustness",
    "Performance",
    "Monitoring",
    "Security",
    "Documents",
    "Resilience",
    "Lifecycle",
]


class Overlay(Record):
    """`overlay.toml` of a golden submission."""

    title: str = Field(min_length=1)
    base: Literal["reference"]
    remove: tuple[str, ...] = ()
    """Files and folders of the reference that it does without."""


class Header(Record):
    """What stands above the diff of a flawed submission."""

    fault: str = Field(min_length=1)
    """The fault in a sentence."""
    base: str = Field(min_length=1)
    """The golden submission that it is made from."""
    loses: tuple[str, ...] = Field(min_length=1)
    """The criteria that it must lose, and the only ones that it may lose."""
    source: Source
    """The kind of fault."""
    ignored: tuple[str, ...] = ()
    """Files and folders that lie in it and that git does not track."""


@dataclass(frozen=True)
class Golden:
    """A submission that must lose nothing."""

    name: str
    title: str
    folder: Path
    remove: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flawed:
    """A submission with one fault."""

    name: str
    path: Path
    header: Header
    lines: Mapping[str, int]
    """The line of each header."""


@dataclass(frozen=True)
class Known:
    """All known submissions of a challenge, by name; the reference comes first, then in the order of their names."""

    goldens: Mapping[str, Golden]
    flawed: Mapping[str, Flawed]

    @property
    def named_criteria(self) -> frozenset[str]:
        """The criteria that any flawed submission names."""
        return frozenset(criterion for flawed in self.flawed.values() for criterion in flawed.header.loses)


def read(challenge: Challenge) -> Known:
    """Read what is known of a challenge's known submissions, without making any.

    Raises:
        ChallengeError: naming file and line.
    """
    home = challenge.folder / "submissions"
    reference = home / REFERENCE
    if not reference.is_dir():
        raise ChallengeError(f"{reference} is missing: calibration starts from the reference submission")
    goldens = {REFERENCE: Golden(REFERENCE, "The reference submission", reference)}
    for folder in sorted(path for path in home.glob("golden/*") if path.is_dir()):
        overlay = _overlay(folder / OVERLAY)
        goldens[_name(folder.name, folder, goldens)] = Golden(folder.name, overlay.title, folder, overlay.remove)
    criteria = [criterion.id for criterion in automatic(challenge.spec.rubric)]
    flawed: dict[str, Flawed] = {}
    for path in sorted(home.glob("flawed/*.patch")):
        header, lines = _header(path, goldens, criteria)
        flawed[_name(path.stem, path, {**goldens, **flawed})] = Flawed(path.stem, path, header, lines)
    return Known(goldens, flawed)


def _name(name: str, path: Path, taken: Mapping[str, object]) -> str:
    if not NAME.fullmatch(name):
        raise ChallengeError(f"{path}: the name may hold small letters, digits, '_' and '-' only")
    if name in taken:
        raise ChallengeError(f"{path}: there is another known submission named '{name}'")
    return name


def _overlay(path: Path) -> Overlay:
    try:
        text = path.read_text("utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise ChallengeError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChallengeError(f"{path} is not valid TOML: {error}") from error
    return _checked(Overlay, values, path, {key: line_of(text, (key,)) for key in values})


def _header(path: Path, goldens: Mapping[str, Golden], criteria: list[str]) -> tuple[Header, dict[str, int]]:
    values, lines = _fields(path)
    header = _checked(Header, values, path, lines)
    if header.base not in goldens:
        there = ", ".join(goldens)
        raise ChallengeError(f"{path}:{lines['base']}: Base: there is no golden '{header.base}'; there are: {there}")
    if unknown := [name for name in header.loses if name not in criteria]:
        raise ChallengeError(
            f"{path}:{lines['loses']}: Loses: no automatic criterion of the rubric is called "
            f"{', '.join(repr(name) for name in unknown)}; there are: {', '.join(criteria)}"
        )
    return header, lines


def _fields(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The headers of a patch, up to the first empty line, and the line of each."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ChallengeError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ChallengeError(f"{path} is not UTF-8: {error}") from error
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            break
        if line[0] in " \t" and key:
            values[key] += f" {line.strip()}"
            continue
        found = HEADER.fullmatch(line.rstrip())
        if not found:
            raise ChallengeError(f"{path}:{number}: not a header like 'Loses: predictions'; an empty line ends them")
        key = found[1].lower()
        if key in values:
            raise ChallengeError(f"{path}:{number}: {found[1]}: given twice")
        values[key], lines[key] = found[2], number
    for key in {"loses", "ignored"} & values.keys():
        values[key] = tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", values[key]) if part))
    return values, lines


def _checked(kind: type[RecordT], values: dict[str, Any], path: Path, lines: dict[str, int]) -> RecordT:
    """The record, or one line for each thing that is wrong in it."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        told = []
        for detail in error.errors():
            key = str(detail["loc"][0])
            message = str(detail["msg"])
            told.append(f"{path}:{lines.get(key, 1)}: {key}: {message[:1].lower()}{message[1:]}")
        raise ChallengeError("\n".join(told)) from error

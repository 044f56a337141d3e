"""The invitation: who was asked what, by when, and where it goes. `harness new` writes it; the token is never in it."""

from __future__ import annotations

import os
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AwareDatetime, Field, ValidationError, field_validator

from grading.evidence import Record
from harness.errors import UsageError

FILE = "invitation.toml"
TOKEN = ".harness-token"  # noqa: S105  # the name of the file that holds it
TOKEN_VARIABLE = "HARNESS_TOKEN"  # noqa: S105  # the name of the variable
LOOPBACK = ("127.0.0.1", "::1", "localhost")
Kind = Literal["folder", "https", "git"]
WHERE = {"folder": "a folder", "https": "an intake", "git": "a git remote"}
"""What each kind of destination is called."""


class Deliver(Record):
    """Where a submission goes."""

    kind: Kind
    to: str = Field(min_length=1)
    """A folder, relative to the repository; the address of an intake; or a git remote."""


class Invitation(Record):
    """invitation.toml."""

    challenge: str
    candidate: str
    issuer: str = ""
    """Who invites, as the candidate knows them."""
    deadline: AwareDatetime | None = None
    """With the extra time, where there is some."""
    attempts: int | None = Field(None, ge=1)
    """How many different submissions are taken; whoever takes them keeps count."""
    deliver: Deliver
    public_key: str = ""
    """The key that receipts are signed with, where the company told it beforehand."""

    @field_validator("deadline", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value


def read(folder: Path) -> Invitation:
    """The invitation in a repository.

    Raises:
        UsageError: there is none, or it says something that it should not.
    """
    path = folder / FILE
    try:
        return Invitation.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UsageError(
            f"there is no invitation here: {path}: {error.strerror}",
            "Run this in the repository that you were given, or copy its invitation.toml here.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def destination(to: str) -> Deliver:
    """Where a text points: an intake's address, a git remote, or a folder.

    Raises:
        UsageError: it is an address that a token must not be sent to.
    """
    parts = _split(to)
    if to.startswith(("git+", "ssh://", "git://")) or to.endswith(".git") or re.match(r"[\w.-]+@[\w.-]+:", to):
        return Deliver(kind="git", to=to.removeprefix("git+"))
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return Deliver(kind="https", to=to.rstrip("/"))
    if "://" in to:
        raise UsageError(
            f"nothing is handed in over '{parts.scheme}'", "Name a folder, an https:// address, or a git remote."
        )
    if "//" in to.lstrip("/"):
        raise UsageError(f"'{to}' is no address and no folder", "An intake's begins with https://.")
    return Deliver(kind="folder", to=to)


def _split(address: str) -> SplitResult:
    """The parts of an address.

    Raises:
        UsageError: it names no host, or a port that is none.
    """
    shown = "Write it like https://intake.example.com."
    try:
        parts = urlsplit(address)
        _ = parts.port  # which reads it
    except ValueError as error:
        raise UsageError(f"'{address}' is no address: {error}", shown) from error
    if parts.scheme in ("http", "https") and (not parts.hostname or " " in parts.netloc):
        raise UsageError(f"'{address}' names no host", shown)
    return parts


def moment(text: str) -> str:
    """A deadline as RFC 3339, checked; an empty text is none.

    Raises:
        UsageError: it is no moment, or has no time zone.
    """
    shown = "Write it like 2026-03-31T23:59:00+02:00."
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"'{text}' is no deadline: {error}", shown) from error
    if found and found.tzinfo is None:
        raise UsageError(f"the deadline '{text}' names no time zone", shown)
    return text


def known_token(folder: Path) -> str:
    """The candidate's token for an intake: `$HARNESS_TOKEN`, or the file `.harness-token`; empty if there is none."""
    path = folder / TOKEN
    return (
        os.environ.get(TOKEN_VARIABLE, "") or (path.read_text("utf-8", "replace") if path.is_file() else "")
    ).strip()


def token(folder: Path) -> str:
    """The same, where it has to be there.

    Raises:
        UsageError: there is none.
    """
    if not (found := known_token(folder)):
        raise UsageError(
            "handing in needs the token of your invitation, and there is none",
            f"Write it into {TOKEN} at the top of the repository (git ignores it), or set {TOKEN_VARIABLE}.",
        )
    return found

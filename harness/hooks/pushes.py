"""What a provider's delivery says: a push to grade, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import UsageError
from harness.hooks.fetching import SHA

ProviderName = Literal["github", "gitlab"]
BRANCH = "refs/heads/"
NAME = re.compile(r"[\w.-]+(/[\w.-]+)+", re.ASCII)


@dataclass(frozen=True)
class Push:
    """A commit that became the head of a branch."""

    provider: ProviderName
    repository: str
    """Owner and name, as in its address."""
    sha: str
    branch: str


@dataclass(frozen=True)
class Ignored:
    """Why a delivery asks for no grading."""

    because: str


class _Payload(BaseModel):
    # Providers add fields as they please.
    model_config = ConfigDict(extra="ignore")


class _Repository(_Payload):
    full_name: str


class _Project(_Payload):
    path_with_namespace: str


class _GitHub(_Payload):
    ref: str
    after: str
    deleted: bool = False
    repository: _Repository


class _GitLab(_Payload):
    object_kind: Literal["push"]
    ref: str
    after: str
    project: _Project


P = TypeVar("P", bound=_Payload)


def github(headers: Mapping[str, str], body: bytes) -> Push | Ignored:
    """Read a delivery of GitHub.

    Raises:
        UsageError: it calls itself a push and is none.
    """
    event = headers.get("x-github-event", "")
    if event != "push":
        return Ignored(f"the event '{event}': only pushes are graded")
    payload = _parsed(_GitHub, body)
    return _push("github", payload.repository.full_name, payload.ref, "" if payload.deleted else payload.after)


def gitlab(headers: Mapping[str, str], body: bytes) -> Push | Ignored:
    """Read a delivery of GitLab.

    Raises:
        UsageError: it calls itself a push and is none.
    """
    event = headers.get("x-gitlab-event", "")
    if event != "Push Hook":
        return Ignored(f"the event '{event}': only pushes are graded")
    payload = _parsed(_GitLab, body)
    return _push("gitlab", payload.project.path_with_namespace, payload.ref, payload.after)


def _push(provider: ProviderName, repository: str, ref: str, sha: str) -> Push | Ignored:
    if not ref.startswith(BRANCH):
        return Ignored(f"{ref} is no branch")
    if not sha.strip("0"):
        return Ignored(f"the branch {ref.removeprefix(BRANCH)} was deleted")
    if not SHA.fullmatch(sha) or not NAME.fullmatch(repository) or ".." in repository:
        raise UsageError("the payload names no commit of a repository")
    return Push(provider, repository, sha, ref.removeprefix(BRANCH))


def _parsed(kind: type[P], body: bytes) -> P:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise UsageError(f"the payload is no push: {where}: {first['msg']}") from error

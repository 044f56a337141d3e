"""Which repositories are graded, for whom, and how their providers are spoken to: one TOML file, the company's own."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field, HttpUrl, ValidationError

from grading.evidence import Record
from harness.errors import UsageError
from harness.hooks.pushes import ProviderName, Push
from harness.hooks.signatures import checked


class Repository(Record):
    """A candidate's repository. A push to one that is not listed is refused."""

    name: str
    """Owner and name, as in its address."""
    invitation: str
    """The invitation that its pushes count against: it names challenge and candidate, deadline and attempts."""
    branches: tuple[str, ...] = ("*",)
    """Patterns of branches that are graded."""


class Provider(Record):
    """One GitHub or GitLab. Secrets are in files that only the server may read, never in this one."""

    secret_file: Path
    """The webhook's secret. For GitLab a signing token (whsec_...) or a secret token."""
    token_file: Path | None = None
    """Reads the repositories and sets commit statuses; without it, public ones are read and no status is set."""
    api: HttpUrl
    """Base address of the REST API."""
    clone: str
    """Address that commits are fetched from, with {repository} in it. What a payload says it is, is never used."""
    protocols: tuple[str, ...] = ("https",)
    repositories: tuple[Repository, ...] = ()

    def secret(self) -> str:
        """The webhook's secret.

        Raises:
            UsageError: it cannot be read, or is none.
        """
        return checked(_read(self.secret_file))

    def token(self) -> str:
        """The token, or an empty string.

        Raises:
            UsageError: it cannot be read.
        """
        return _read(self.token_file) if self.token_file else ""

    def find(self, name: str) -> Repository | None:
        """The repository of that name, as written or not: providers' names know no case."""
        return next((r for r in self.repositories if r.name.lower() == name.lower()), None)


class GitHub(Provider):
    """GitHub, or an Enterprise Server of one's own."""

    api: HttpUrl = HttpUrl("https://api.github.com")
    clone: str = "https://github.com/{repository}.git"


class GitLab(Provider):
    """GitLab, or a server of one's own."""

    api: HttpUrl = HttpUrl("https://gitlab.com/api/v4")
    clone: str = "https://gitlab.com/{repository}.git"


class HookSettings(Record):
    """All that webhooks need to know."""

    github: GitHub | None = None
    gitlab: GitLab | None = None
    context: str = Field(default="mlops-harness", min_length=1)
    """The name of the commit status."""
    fail_under: float | None = None
    """Points below which the commit status says failure; without it, every grading that ends is a success."""
    show_points: bool = False
    """Whether the commit status tells the points: whoever can read the repository reads it."""
    fetch_mb: int = Field(default=512, gt=0)
    fetch_seconds: float = Field(default=300, gt=0)

    def provider(self, name: ProviderName) -> Provider | None:
        """The settings of one provider, where there are any."""
        return self.github if name == "github" else self.gitlab

    def of(self, push: Push) -> tuple[Provider, Repository]:
        """The provider and the repository of a push.

        Raises:
            UsageError: the settings know them no longer.
        """
        provider = self.provider(push.provider)
        repository = provider.find(push.repository) if provider else None
        if provider is None or repository is None:
            raise UsageError(f"{push.repository} is not listed under [[{push.provider}.repositories]]")
        return provider, repository


def graded(repository: Repository, branch: str) -> bool:
    """Whether pushes to a branch are graded."""
    return any(fnmatchcase(branch, pattern) for pattern in repository.branches)


def load(path: Path) -> HookSettings:
    """Read the settings; files that they name are relative to their own folder.

    Raises:
        UsageError: the file, or one that it names, cannot be read or is wrong.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        for provider in (raw.get("github", {}), raw.get("gitlab", {})):
            for key in ("secret_file", "token_file"):
                if isinstance(provider.get(key), str):
                    provider[key] = path.parent / provider[key]
        found = HookSettings.model_validate(raw)
    except OSError as error:
        raise UsageError(f"the settings {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise UsageError(f"{path} is no TOML file as it should be: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    for each in filter(None, (found.github, found.gitlab)):
        each.secret(), each.token()
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the secret {path} cannot be read: {error}") from error

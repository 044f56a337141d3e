"""A candidate's repository, really rendered, and git as a candidate would use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from candidate import ANSWERS, FRAUD, git

from harness.challenge import load
from harness.journey import new


@pytest.fixture(scope="session")
def challenge():
    return load(FRAUD)


@pytest.fixture(scope="session")
def rendered(challenge, tmp_path_factory) -> Path:
    """A repository as `harness new` makes it, not to be changed."""
    home = tmp_path_factory.mktemp("rendered")
    new.render(challenge, home / "ada", ANSWERS, home / "store")
    return home / "ada"


@pytest.fixture
def repository(rendered, tmp_path) -> Path:
    """A candidate's own clone of it."""
    git(tmp_path, "clone", "--quiet", str(rendered), "ada")
    return tmp_path / "ada"


@pytest.fixture
def invite(repository):
    """Points the invitation somewhere else, and commits that."""

    def invite(kind, to, public_key=""):
        path = repository / "invitation.toml"
        text = path.read_text().replace('kind = "folder"', f'kind = "{kind}"').replace('"../handed-in"', f'"{to}"')
        path.write_text((f'public_key = "{public_key}"\n' if public_key else "") + text)
        git(repository, "commit", "--quiet", "--all", "--message", "where to")
        return repository

    return invite

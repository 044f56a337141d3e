"""A repository for one candidate, and pulling a later edition of the template into it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import copier
import yaml
from copier.errors import CopierError

from harness.challenge import Challenge
from harness.errors import UsageError
from harness.journey import template
from harness.journey.git import AUTHOR, git, top
from harness.journey.template import Edition

ANSWERS = ".copier-answers.yml"


def render(challenge: Challenge, destination: Path, answers: dict[str, Any], store: Path) -> Edition:
    """Make a candidate's repository, with one commit; returns the edition of the template that it was made from.

    Raises:
        UsageError: there is something at `destination` already, or it cannot be written.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UsageError(
            f"{destination} is there already, and not empty",
            "Name a new folder. 'harness update' pulls a later edition of the template into a repository.",
        )
    edition = template.publish(challenge, store)
    try:
        copier.run_copy(
            str(edition.repository), destination, data=answers, vcs_ref=edition.tag, defaults=True, quiet=True
        )
    except (CopierError, OSError) as error:
        raise UsageError(f"{destination} cannot be made: {error}") from error
    git(destination, "init", "--quiet", "--initial-branch=main")
    git(destination, "add", "--all")
    git(destination, "commit", "--quiet", "--no-gpg-sign", "--message", f"Start: {challenge.spec.title}", env=AUTHOR)
    return edition


@dataclass(frozen=True)
class Updated:
    """What an update did to a repository's working tree."""

    before: str
    after: str
    changed: tuple[str, ...]
    conflicts: tuple[str, ...]
    """Files in which both sides changed the same lines; git's conflict markers stand in them."""


def update(folder: Path) -> Updated:
    """Pull the latest edition of the template into a candidate's repository, as changes that are not committed yet.

    What the candidate changed stays; only where both changed the same lines, both are shown.

    Raises:
        UsageError: it was not made by `harness new`, has uncommitted changes, or the template cannot be reached.
    """
    root = top(folder)
    before = _edition(root)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            copier.run_update(root, defaults=True, overwrite=True, skip_answered=True, quiet=True)
    except (CopierError, OSError) as error:
        raise UsageError(f"the template cannot be pulled into {root}: {error}") from error
    except Exception as error:
        # What git says through plumbum's errors, of a source that is not there, for one.
        said = (getattr(error, "stderr", "") or str(error)).strip()
        raise UsageError(
            f"no later edition can be fetched for {root}: {said.splitlines()[-1] if said else error}",
            f"Editions come from the address in {ANSWERS} (_src_path). Where that is on another machine, those who "
            "invited you run 'harness update' there, and you pull what they push.",
        ) from error
    changed = tuple(line[3:] for line in git(root, "status", "--porcelain").splitlines())
    conflicts = tuple(git(root, "diff", "--name-only", "--diff-filter=U").splitlines())
    return Updated(before, _edition(root), changed, conflicts)


def _edition(root: Path) -> str:
    try:
        answers = yaml.safe_load((root / ANSWERS).read_text("utf-8"))
        return str(answers["_commit"])
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UsageError(
            f"{root} was not made by 'harness new': {ANSWERS} says nothing of a template",
        ) from error

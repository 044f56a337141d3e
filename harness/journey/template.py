"""Editions of what candidates start from: a git repository, because copier updates from one commit of it to another.

The harness's own repository cannot be that source, since it holds the solutions. An edition is the template, the public
part of the challenge and the harness as a wheel; it is committed and tagged (v1, v2, ...) when something in it changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.challenge import HOME, SCRATCH, Challenge
from harness.errors import UsageError
from harness.journey import wheel
from harness.journey.git import AUTHOR, git, run

HERE = Path(__file__).resolve().parent
BASE = HOME.parent / "candidate_template"
TOOLS = ".harness"


@dataclass(frozen=True)
class Edition:
    """One state of a challenge's template."""

    repository: Path
    tag: str
    new: bool
    """Whether it was made just now, because something had changed."""


def home() -> Path:
    """Where editions are kept unless told otherwise: in the user's data folder."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "mlops-harness" / "templates"


def publish(challenge: Challenge, store: Path) -> Edition:
    """The edition of the template as it is now, added to `store/<challenge>.git` if the last one differs.

    Raises:
        UsageError: the store cannot be written, or the harness was not installed from its repository.
    """
    repository = store.expanduser().resolve() / f"{challenge.id}.git"
    try:
        store.expanduser().mkdir(parents=True, exist_ok=True)
        with _alone(repository), tempfile.TemporaryDirectory(prefix="mlops-harness-") as made:
            if not repository.is_dir():
                git(repository.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(repository))
            tree = Path(made) / "tree"
            compose(challenge, tree)
            return _commit(repository, tree)
    except OSError as error:
        raise UsageError(
            f"templates cannot be kept in {store}: {error}", "Name another folder: --templates."
        ) from error


def compose(challenge: Challenge, folder: Path) -> None:
    """Write what copier renders: `copier.yml`, and below `template/` every file of a candidate's repository."""
    rendered = folder / "template"
    shutil.copytree(BASE, rendered, ignore=shutil.ignore_patterns(*SCRATCH, ".venv"))
    shutil.copytree(challenge.folder / "public", rendered, dirs_exist_ok=True)
    shutil.copyfile(challenge.folder / "brief.md", rendered / "brief.md")
    shutil.copytree(HERE / "rendered", rendered, dirs_exist_ok=True)
    shutil.copyfile(HERE / "copier.yml", folder / "copier.yml")
    tools = rendered / TOOLS
    # Beside the code in an installation, at the top of the repository in a checkout.
    shutil.copyfile(HERE / "requirements.lock", tools / "requirements.lock")
    shutil.copyfile(HOME.parent / "bootstrap.lock", tools / "bootstrap.lock")
    built = wheel.build(challenge, tools)
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    (tools / "wheel.lock").write_text(f"./{TOOLS}/{built.name} --hash=sha256:{digest}\n", "utf-8")


def _commit(repository: Path, tree: Path) -> Edition:
    env = {"GIT_DIR": str(repository), "GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": f"{tree}.index", **AUTHOR}
    git(tree, "-c", "core.autocrlf=false", "add", "--all", "--force", env=env)
    content = git(tree, "write-tree", env=env)
    last = run(repository, "rev-parse", "--verify", "--quiet", "main^{tree}").stdout.strip()
    tags = git(repository, "tag", "--list", "v*").split()
    if content == last and tags:
        return Edition(repository, f"v{len(tags)}", new=False)
    tag = f"v{len(tags) + 1}"
    parent = ["-p", git(repository, "rev-parse", "main")] if last else []
    commit = git(tree, "commit-tree", content, *parent, "-m", f"Edition {tag}", env=env)
    git(repository, "update-ref", "refs/heads/main", commit)
    git(repository, "update-ref", f"refs/tags/{tag}", commit)
    return Edition(repository, tag, new=True)


@contextmanager
def _alone(repository: Path) -> Iterator[None]:
    """Hold a challenge's editions: two commands at once would number them alike."""
    descriptor = os.open(repository.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

"""A known submission becomes a folder, as its candidate would have handed it in: a git repository.

git decides what belongs to it, as in life: a file that the fault makes git ignore lies in the folder and is not part of
the submission. Neither this machine's git configuration nor a repository around the folder has a say.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from harness.calibration.known import OVERLAY, Flawed, Golden, Known
from harness.challenge import SCRATCH
from harness.errors import ChallengeError
from harness.submission import SAFE_GIT, digest, git_environment

LEFT_BEHIND = (*SCRATCH, ".git", ".venv")
"""What working on a known submission leaves in its folder."""
OURS = frozenset({".git"})
GIT = (*SAFE_GIT, "-c", "core.excludesFile=/dev/null", "-c", "core.autocrlf=false")
FAILED_HUNK = re.compile(r"patch failed: (.+):(\d+)")
FAILED_LINE = re.compile(r"(?:at|on) (?:line |.*:)(\d+)")


def make(known: Known, name: str, home: Path) -> Path:
    """Make the known submission of that name as a folder of that name in `home`.

    Raises:
        ChallengeError: its patch does not apply or changes nothing, it removes what isn't there, or git ignores a file
            and its header does not say so.
    """
    folder = home / name
    flawed = known.flawed.get(name)
    golden = known.goldens[flawed.header.base if flawed else name]
    _lay_out(known, golden, folder)
    if flawed:
        _apply(flawed, folder)
    _track(folder, flawed, golden)
    return folder


def _lay_out(known: Known, golden: Golden, folder: Path) -> None:
    """The files of a golden submission, tracked by nobody yet."""
    reference = next(iter(known.goldens.values()))
    shutil.copytree(reference.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    _git(folder, "init", "--quiet", "--template=")
    _git(folder, "add", "--all")
    # What the reference's own .gitignore names was left behind by work on it.
    _git(folder, "clean", "-ffdxq")
    _git(folder, "read-tree", "--empty")
    for path in golden.remove:
        target = folder / path
        if not target.resolve().is_relative_to(folder.resolve()) or not os.path.lexists(target):
            file = golden.folder / OVERLAY
            line = next((n for n, text in enumerate(file.read_text("utf-8").splitlines(), 1) if path in text), 1)
            raise ChallengeError(f"{file}:{line}: remove: the reference has no '{path}'")
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink()
    if golden is not reference:
        ignore = shutil.ignore_patterns(*LEFT_BEHIND)
        shutil.copytree(golden.folder, folder, symlinks=True, dirs_exist_ok=True, ignore=ignore)
        (folder / OVERLAY).unlink()


def _apply(flawed: Flawed, folder: Path) -> None:
    text = flawed.path.read_bytes().splitlines(keepends=True)
    start = next((n for n, line in enumerate(text) if line.startswith(b"diff --git ")), None)
    if start is None:
        raise ChallengeError(f"{flawed.path}:{len(text)}: no line starts with 'diff --git': there is no diff")
    # Headers and prose are blanked, not cut, so that git counts lines as the file does.
    patch = b"\n" * start + b"".join(text[start:])
    before = digest(folder, without=OURS)
    done = _git(folder, "apply", "--whitespace=nowarn", "-", check=False, given=patch)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        line = _line(said, [part.decode("utf-8", "replace") for part in text], start)
        raise ChallengeError(f"{flawed.path}:{line}: does not apply to {flawed.header.base}: {said}")
    # git passes over paths that it takes to lie outside of a repository, without a word.
    if digest(folder, without=OURS) == before:
        raise ChallengeError(f"{flawed.path}:{start + 1}: changes nothing")


def _track(folder: Path, flawed: Flawed | None, golden: Golden) -> None:
    """Put under git's control what the submission's own .gitignore, and the header `Ignored`, leave."""
    ignored = flawed.header.ignored if flawed else ()
    where = f"{flawed.path}:{flawed.lines.get('ignored', 1)}" if flawed else str(golden.folder)
    if absent := [name for name in ignored if not (folder / name).exists()]:
        raise ChallengeError(f"{where}: Ignored: the submission has no '{absent[0]}'")
    exclude = folder / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("".join(f"/{name.rstrip('/')}\n" for name in ignored), "utf-8")
    _git(folder, "add", "--all")
    listing = _git(folder, "ls-files", "-z", "--others").stdout
    untracked = [os.fsdecode(name) for name in listing.split(b"\0") if name]
    unsaid = [name for name in untracked if not any(Path(name).is_relative_to(known) for known in ignored)]
    if unsaid:
        raise ChallengeError(
            f"{where}: git ignores {', '.join(unsaid)}, so it is no part of the submission",
            "If that is the fault, say so in a header 'Ignored:'; else mend its .gitignore.",
        )


def _line(said: str, text: list[str], start: int) -> int:
    """The line of a patch that git complains about, as well as it can be told."""
    if hunk := FAILED_HUNK.search(said):
        file = next((n for n, line in enumerate(text) if line.rstrip() == f"diff --git a/{hunk[1]} b/{hunk[1]}"), start)
        within = range(file, len(text))
        return next((n + 1 for n in within if text[n].startswith(f"@@ -{hunk[2]}")), file + 1)
    found = FAILED_LINE.search(said)
    return int(found[1]) if found else start + 1


def _git(
    folder: Path, *arguments: str, check: bool = True, given: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    alone = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(folder.parent.resolve()),
        "LC_ALL": "C",
    }
    command = [*GIT, "-C", str(folder), *arguments]
    return subprocess.run(command, env={**git_environment(), **alone}, input=given, capture_output=True, check=check)

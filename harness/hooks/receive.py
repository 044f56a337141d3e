"""What happens after a push to a bare repository: a receipt, then the grading, both told to the person who pushed."""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from harness import bundle, receipts, runs
from harness.errors import HarnessError, UsageError
from harness.hooks import git, grader, remote, tree
from harness.hooks.grader import Graded, Say
from harness.hooks.pushes import BRANCH
from harness.hooks.remote import Remote
from harness.receipts import Claim, Receipt
from harness.submission import Submission, plain_name

STARTED = re.compile(r"\[ *\d+ s\] (\w+)")
"""How `harness grade` says that a stage is at work."""


def receive(repository: Path, updates: Iterable[str], say: Say) -> None:
    """Answer one push. Each line of `updates` is `old new ref`, as git gives them to the hook.

    Raises:
        UsageError: the hook's settings cannot be read.
    """
    settings = remote.load(repository)
    done: set[str] = set()
    for line in updates:
        _, new, ref = line.split(maxsplit=2)
        ref = ref.strip()
        if not ref.startswith(BRANCH):
            say(f"harness: {ref} is no branch: nothing to grade")
        elif not new.strip("0"):
            say(f"harness: {ref.removeprefix(BRANCH)} was deleted: nothing to grade")
        elif new not in done:
            done.add(new)
            _one(repository, settings, new, say)


def _one(repository: Path, settings: Remote, commit: str, say: Say) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="harness-push-") as folder:
            files = Path(folder) / plain_name(settings.candidate)
            submission = tree.export(repository, commit, files, cap_mb=settings.cap_mb)
            for left_out in submission.left_out:
                say(f"harness: not part of the submission: {left_out}")
            receipt = _receipt(repository, settings, submission)
            _show(receipt, say)
            _graded(repository, settings, submission, say)
    except HarnessError as error:
        for line in f"harness: {commit[:12]}: {error}".splitlines():
            say(line)


def _receipt(repository: Path, settings: Remote, submission: Submission) -> Receipt:
    """The receipt of a submission: the one that it has, or a new one.

    Raises:
        UsageError: it is late, or no attempt is left.
    """
    folder = _folder(repository, "receipts")
    path = folder / f"{submission.digest}.json"
    with _held(folder / "lock"):
        if path.exists():
            return receipts.load(path)
        now, attempt = datetime.now(UTC).replace(microsecond=0), len(list(folder.glob("*.json"))) + 1
        if settings.deadline and now > settings.deadline:
            raise UsageError(
                f"not received: the deadline was {settings.deadline.isoformat()}, and it is {now.isoformat()}",
                f"The push is kept. Ask {settings.issuer} for more time.",
            )
        if attempt > settings.attempts:
            raise UsageError(
                f"not received: all {settings.attempts} attempts are used up",
                f"The push is kept. Ask {settings.issuer} which one they should grade.",
            )
        packed = _folder(repository, "bundles") / f"{submission.digest}.tar"
        bundle.pack(submission, settings.challenge, packed)
        claim = Claim(
            issuer=settings.issuer, invitation=settings.invitation, candidate=settings.candidate,
            challenge=settings.challenge, submission=submission.digest, bundle=bundle.sha256(packed),
            received_at=now, attempt=attempt, attempts=settings.attempts,
        )  # fmt: skip
        receipt = receipts.sign(claim, receipts.read_key(settings.key))
        runs.write(path, json.dumps(receipt.model_dump(mode="json"), indent=2, sort_keys=True) + "\n")
        _publish(repository, path)
        return receipt


def _publish(repository: Path, path: Path) -> None:
    # A push that was cut off after this can still get its receipt: git fetches it.
    # The receipt itself is in the file, so a repository that cannot take this reference loses nothing.
    with suppress(UsageError):
        blob = git.run(repository, "hash-object", "-w", "--stdin", stdin=path.read_bytes()).decode().strip()
        git.run(repository, "update-ref", f"{remote.RECEIPTS}/{path.stem[:12]}", blob)


def _show(receipt: Receipt, say: Say) -> None:
    say(f"harness: received by {receipt.issuer} at {receipt.received_at.isoformat()}")
    say(f"harness: attempt {receipt.attempt} of {receipt.attempts}; submission {receipt.submission}")
    say(f"harness: signed by the key {receipt.fingerprint}; the receipt is the next line, and it stays to be fetched")
    say(json.dumps(receipt.model_dump(mode="json"), sort_keys=True))


def _graded(repository: Path, settings: Remote, submission: Submission, say: Say) -> None:
    """Grade a submission unless it was, and say how that ended, as far as the profile lets a candidate see it.

    Raises:
        InfrastructureError: it could not be graded.
    """
    folder = _folder(repository, "graded")
    path = folder / f"{submission.digest}.json"
    # Held while it is graded: the same submission, pushed again meanwhile, waits for this grading.
    with _held(folder / f"{submission.digest}.lock"):
        if path.exists():
            say("harness: this submission was graded before")
            _verdict(settings, Graded.model_validate_json(path.read_bytes()), say)
            return
        say("harness: grading; closing this connection does not stop it")
        found = grader.grade(
            submission.files,
            challenge=settings.challenge,
            profile=settings.profile,
            runs=settings.runs,
            say=say if settings.profile == "public" else _stages(say),
            command=settings.command,
        )
        if found.void:
            say("harness: void: the harness or its machine failed, not the submission; it can be graded again")
            return
        runs.write(path, found.model_dump_json() + "\n")
        _verdict(settings, found, say)


def _verdict(settings: Remote, found: Graded, say: Say) -> None:
    if settings.profile == "public":
        say(f"harness: {found.points:g} of {found.decided:g} points with the public inputs")
    else:
        say(f"harness: graded; {settings.issuer} has the report")


def _stages(say: Say) -> Say:
    """Of the progress, only which stage is at work: the rest may tell of the hidden inputs."""
    told: set[str] = set()

    def hear(line: str) -> None:
        found = STARTED.match(line)
        if found and found[1] not in told:
            told.add(found[1])
            say(f"harness: {found[1]}")

    return hear


def _folder(repository: Path, name: str) -> Path:
    folder = repository / remote.FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _held(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

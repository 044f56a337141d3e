"""A bundle goes where the invitation says; what comes back proves it, as far as the destination can."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import bundle as bundles
from harness.errors import UsageError
from harness.journey import acknowledgement, intake
from harness.journey.acknowledgement import Acknowledgement
from harness.journey.git import git, push
from harness.journey.invitation import Invitation, token
from harness.receipts import Receipt
from harness.submission import plain_name

Say = Callable[[str], None]
MOST = 10
"""Lines that are quoted of what git said."""


@dataclass(frozen=True)
class Parcel:
    """A bundle, ready to go."""

    root: Path
    """The candidate's repository."""
    bundle: Path
    sha256: str
    manifest: bundles.Manifest

    @property
    def digest(self) -> str:
        """The submission's digest."""
        return self.manifest.submission


def deliver(parcel: Parcel, invitation: Invitation, say: Say) -> Receipt | Acknowledgement:
    """Deliver a bundle; trying again is safe everywhere, and never counts as another attempt.

    Raises:
        UsageError: it was refused, or cannot be delivered as asked.
        Undelivered: the destination cannot be reached now.
    """
    to = invitation.deliver.to
    if invitation.deliver.kind == "folder":
        return to_folder(parcel, invitation)
    if invitation.deliver.kind == "git":
        return to_remote(parcel, invitation, say)
    return intake.put(to, token(parcel.root), parcel.bundle, parcel.digest, parcel.sha256, say)


def to_folder(parcel: Parcel, invitation: Invitation) -> Acknowledgement:
    """Put a bundle into a folder, with an acknowledgement beside it; one that lies there already is left as it is.

    Raises:
        UsageError: the folder cannot be written.
    """
    folder = (parcel.root / Path(invitation.deliver.to).expanduser()).resolve()
    name = f"{invitation.challenge}-{plain_name(invitation.candidate)}-{parcel.digest[:12]}"
    target, beside = folder / f"{name}.tar", folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if target.is_file() and beside.is_file() and bundles.sha256(target) == parcel.sha256:
            found = acknowledgement.load(beside)
            if isinstance(found, Acknowledgement) and found.bundle == parcel.sha256:
                return found
        unfinished = target.with_name(f".{target.name}.new")
        shutil.copyfile(parcel.bundle, unfinished)
        unfinished.replace(target)
        written = _acknowledge(parcel, invitation, str(target))
        acknowledgement.write(written, beside)
    except OSError as error:
        raise UsageError(
            f"the bundle cannot be put into {folder}: {error.strerror or error}",
            f"It is kept at {parcel.bundle}: copy it there yourself, or send it.",
        ) from error
    return written


def to_remote(parcel: Parcel, invitation: Invitation, say: Say) -> Receipt | Acknowledgement:
    """Push the commit that was packed to a branch named for it; the remote's hook answers with a receipt.

    A receipt is one line of what the hook says, as JSON. A remote without such a hook gives none.

    Raises:
        UsageError: the remote refused.
        Undelivered: it cannot be reached.
    """
    root, to = parcel.root, invitation.deliver.to
    commit = git(root, "rev-parse", "HEAD")
    branch = f"submissions/{commit[:12]}"
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        if line and not line.startswith("{"):
            say(line)

    code, said = push(root, to, f"HEAD:refs/heads/{branch}", hear)
    if code:
        told = "\n  ".join([line for line in said if line.strip()][-MOST:]) or "it said nothing"
        if any(re.search(r"rejected|declined|denied", line) for line in said):
            raise UsageError(f"{to} refused the push: {' '.join(filter(None, heard)) or told}")
        raise intake.Undelivered(f"git cannot push to {to}:\n  {told}")
    return _receipt(heard, parcel) or _acknowledge(parcel, invitation, f"{to}, branch {branch}")


def _receipt(heard: list[str], parcel: Parcel) -> Receipt | None:
    for line in heard:
        if line.startswith("{"):
            with suppress(ValueError):
                found = Receipt.model_validate_json(line)
                if found.submission == parcel.digest:
                    return found
    return None


def _acknowledge(parcel: Parcel, invitation: Invitation, where: str) -> Acknowledgement:
    return Acknowledgement(
        candidate=invitation.candidate,
        challenge=parcel.manifest.challenge,
        submission=parcel.digest,
        bundle=parcel.sha256,
        delivered_to=where,
        written_at=datetime.now(UTC).replace(microsecond=0),
    )

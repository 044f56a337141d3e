"""A bundle that has wholly arrived becomes an acknowledged submission: checked, on disk, signed for, and queued."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness import bundle, receipts
from harness.errors import InfrastructureError, UsageError
from harness.receipts import Receipt
from harness.server import audit, invitations, queue
from harness.server.database import Database
from harness.server.refusals import Refused
from harness.server.settings import Settings
from harness.server.tables import Invitation, Submission

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrived:
    """A bundle on our disk that nothing is known of yet but its bytes."""

    path: Path
    sha256: str
    at: datetime
    """When it was announced, which is what a deadline is held against: its digest came first, and binds it."""
    address: str = ""


def find(session: Session, invitation: str, digest: str) -> Submission | None:
    """A submission that was acknowledged under an invitation."""
    wanted = select(Submission).where(Submission.invitation_id == invitation, Submission.digest == digest)
    return session.scalars(wanted).one_or_none()


def receipt(submission: Submission) -> Receipt:
    """The receipt that was given for a submission."""
    return Receipt.model_validate_json(submission.receipt)


def announce(session: Session, invitation: Invitation, digest: str, at: datetime) -> Receipt | None:
    """Judge a submission by its name alone; returns the receipt if it was acknowledged before.

    Raises:
        Refused: it would not be taken now.
    """
    if earlier := find(session, invitation.id, digest):
        return receipt(earlier)
    invitations.admit(session, invitation, at)
    return None


def accept(
    settings: Settings, database: Database, invitation: str, digest: str, arrived: Arrived
) -> tuple[Receipt, bool]:
    """Acknowledge a bundle and queue it; returns its receipt, and whether it is a new one.

    The same digest under the same invitation gives the same receipt, and counts as one attempt. `arrived.path` is moved
    away where the bundle is new, and left to the caller otherwise.

    Raises:
        Refused: it is no bundle, not the one that was announced, late, or one too many.
    """
    with database.read() as session:
        challenge = session.get_one(Invitation, invitation).challenge
    hold_against(arrived, digest, challenge, settings)
    with database.write() as session:
        row = session.get_one(Invitation, invitation, with_for_update=True)
        if earlier := find(session, invitation, digest):
            return receipt(earlier), False
        if row.revoked_at:
            raise Refused(403, "the invitation was revoked", "Ask those who invited you.")
        claim = receipts.Claim(
            issuer=settings.issuer, invitation=invitation, candidate=row.candidate, challenge=row.challenge,
            submission=digest, bundle=arrived.sha256, received_at=arrived.at.astimezone(UTC),
            attempt=invitations.admit(session, row, arrived.at), attempts=row.attempts,
        )  # fmt: skip
        # On disk before the row is: what is acknowledged must be there, and what is there without a row harms nobody.
        _settle(arrived.path, settings.bundle(invitation, digest))
        signed = receipts.sign(claim, settings.key)
        submission = Submission(
            invitation_id=invitation, digest=digest, attempt=claim.attempt, received_at=claim.received_at,
            receipt=signed.model_dump_json(),
        )  # fmt: skip
        session.add(submission)
        session.flush()
        queue.enqueue(session, submission.id)
        told = f"attempt {claim.attempt} of {claim.attempts}, bundle {arrived.sha256}"
        audit.record(
            session, "received", invitation=invitation, digest=digest, address=arrived.address, detail=told
        )  # fmt: skip
    return signed, True


def hold_against(arrived: Arrived, digest: str, challenge: str, settings: Settings) -> None:
    """Hold a bundle against the name under which it came.

    Raises:
        Refused: it is no bundle, was altered, or is another submission or for another challenge.
    """
    again = "Pack it anew with 'harness submit' and send that."
    try:
        with tempfile.TemporaryDirectory(dir=settings.incoming) as folder:
            manifest = bundle.unpack(arrived.path, Path(folder) / "bundle")
    except InfrastructureError as error:
        log.exception("nothing can be unpacked here")
        told = "the intake cannot unpack it: its disk is full or fails"
        raise Refused(503, told, "Tell those who invited you; nothing was counted.") from error
    except UsageError as error:
        # The path on our disk is nothing to the one who sent it.
        raise Refused(400, str(error).replace(str(arrived.path), "what you sent"), again) from error
    if manifest.submission != digest:
        raise Refused(400, f"the bundle holds the submission {manifest.submission[:12]}, not {digest[:12]}", again)
    if manifest.challenge != challenge:
        raise Refused(
            400,
            f"the bundle is for '{manifest.challenge}', the invitation for '{challenge}'",
            "Hand it in from the repository that came with this invitation.",
        )


def _settle(path: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    path.replace(target)
    for folder in (target.parent, target.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

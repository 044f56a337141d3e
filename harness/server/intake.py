"""What all requests share: who is let in, and what is logged of those who are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from harness.server import audit, invitations
from harness.server.database import Database
from harness.server.rates import Rates
from harness.server.refusals import Refused
from harness.server.settings import Settings
from harness.server.tables import Invitation


@dataclass
class Intake:
    """An intake at work."""

    settings: Settings
    database: Database
    rates: Rates
    queued: Callable[[], None] = lambda: None
    """Called when there is something to grade."""

    def known(self, request: Request, token: str, digest: str) -> Invitation:
        """The invitation of a token.

        Raises:
            Refused: it is nobody's, was revoked, or asks too often.
        """
        try:
            with self.database.read() as session:
                invitation = invitations.authenticate(session, token)
        except Refused as refused:
            self.log("refused", request, digest, f"{refused.status}: {refused.detail}")
            raise
        self.rates.token(invitation.id)
        return invitation

    def log(self, event: str, request: Request, digest: str, detail: str, invitation: str = "") -> None:
        """Add a line about a request to the audit log."""
        with self.database.write() as session:
            told = {"invitation": invitation, "digest": digest, "address": address(request), "detail": detail}
            audit.record(session, event, **told)


def of(request: Request) -> Intake:
    """The intake that a request came to."""
    found: Intake = request.app.state.intake
    return found


def address(request: Request) -> str:
    """Where a request came from."""
    return request.client.host if request.client else ""

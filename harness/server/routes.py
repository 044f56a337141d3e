"""The intake's addresses. What they answer is decided in the modules that they call."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from harness import receipts
from harness.receipts import HEX, Receipt
from harness.server import intake, status, submissions, uploads
from harness.server.public import PublicReport
from harness.server.refusals import Refused
from harness.server.status import Status
from harness.server.tables import Invitation

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'"
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the page's own address holds the token
    "X-Content-Type-Options": "nosniff",
}
BINARY = {"schema": {"type": "string", "format": "binary"}}
BUNDLE = {"requestBody": {"required": True, "content": {"application/x-tar": BINARY}}}


class Refusal(BaseModel):
    """What happened and why, and what to do next."""

    detail: str
    next: str


class Key(BaseModel):
    """Who signs receipts, and with what."""

    issuer: str
    public_key: str
    """Base64 of the 32 bytes of an Ed25519 key."""
    fingerprint: str


def _refusals(**described: str) -> dict[int | str, dict[str, Any]]:
    common = {"400": "Malformed.", "401": "The token is nobody's.", "429": "Too many requests; see Retry-After."}
    codes = {**common, **{name.removeprefix("_"): text for name, text in described.items()}}
    return {code: {"model": Refusal, "description": text} for code, text in codes.items()}


async def counted(request: Request) -> None:
    """Count a request against its address. Raises `Refused` (429) if there are too many."""
    intake.of(request).rates.address(intake.address(request))


def _invited(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
) -> Invitation:
    token = given.credentials if given else ""
    return intake.of(request).known(request, token, request.path_params["digest"])


routes = APIRouter()
Digest = Annotated[str, Path(pattern=f"^{HEX}$", description="The submission's digest: 64 hexadecimal digits.")]
Invited = Annotated[Invitation, Depends(_invited)]
UNKNOWN = _refusals(_403="The invitation was revoked.", _404="Nothing of that digest was received.")
AGAIN = {"model": Receipt, "description": "Received before: the same receipt, and no attempt counted."}
TAKING = _refusals(
    _400="No bundle, altered, or not what was announced.",
    _403="Late, or the invitation was revoked.",
    _409="All attempts are used.",
    _413="Larger than what is taken here.",
)


@routes.put(
    "/v1/submissions/{digest}", status_code=201, response_model=Receipt, tags=["submissions"], openapi_extra=BUNDLE,
    responses={200: AGAIN, **TAKING},
)  # fmt: skip
async def hand_in(request: Request, digest: Digest, invitation: Invited) -> Response:
    """Hand in a bundle, named by its submission's digest; `X-Bundle-SHA256` announces the SHA-256 of its bytes.

    Safe to repeat: what was received once gives the same receipt and counts as one attempt.
    """
    here = intake.of(request)
    try:
        receipt, new = await _take(request, digest, invitation)
    except Refused as refused:
        told = f"{refused.status}: {refused.detail}"
        await run_in_threadpool(here.log, "refused", request, digest, told, invitation.id)
        raise
    except ClientDisconnect:
        await run_in_threadpool(here.log, "cut off", request, digest, "the connection was lost", invitation.id)
        raise
    if new:
        here.queued()
    return Response(receipt.model_dump_json(), 201 if new else 200, media_type="application/json")


async def _take(request: Request, digest: str, invitation: Invitation) -> tuple[Receipt, bool]:
    now, here = datetime.now(UTC), intake.of(request)
    promised = request.headers.get("x-bundle-sha256", "").lower()
    if len(promised) != 64:
        raise Refused(400, "X-Bundle-SHA256 is missing", "Send the SHA-256 of the bundle's bytes in it.")

    def announce() -> Receipt | None:
        with here.database.read() as session:
            return submissions.announce(session, invitation, digest, now)

    if earlier := await run_in_threadpool(announce):
        await uploads.drain(request, here.settings.cap_mb)
        return earlier, False
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (refused := uploads.too_large(int(length), here.settings.cap_mb)):
        raise refused
    arrived = await uploads.receive(request, here.settings, promised, now)
    try:
        return await run_in_threadpool(
            submissions.accept, here.settings, here.database, invitation.id, digest, arrived
        )  # fmt: skip
    finally:
        arrived.path.unlink(missing_ok=True)


@routes.get("/v1/submissions/{digest}", tags=["submissions"], responses=UNKNOWN)
def where_it_is(request: Request, digest: Digest, invitation: Invited) -> Status:
    """Where a submission is: queued, grading, graded, or failed through our own fault."""
    with intake.of(request).database.read() as session:
        return status.read(session, invitation.id, digest).status


@routes.get("/v1/submissions/{digest}/receipt", tags=["submissions"], responses=UNKNOWN)
def receipt_again(request: Request, digest: Digest, invitation: Invited) -> Receipt:
    """The receipt that was given for a submission."""
    with intake.of(request).database.read() as session:
        return status.read(session, invitation.id, digest).receipt


@routes.get("/v1/submissions/{digest}/report", tags=["submissions"], responses=UNKNOWN)
def what_came_of_it(request: Request, digest: Digest, invitation: Invited) -> PublicReport:
    """The report of a graded submission, as far as its candidate may see it."""
    here = intake.of(request)
    with here.database.read() as session:
        found = status.read(session, invitation.id, digest)
    return status.report(here.settings, found)


@routes.get("/health", tags=["health"])
def health(request: Request) -> dict[str, str]:
    """Answers while the intake and its database do: 503 while the database does not."""
    with intake.of(request).database.read() as session:
        session.execute(select(1))
    return {"status": "ok"}


@routes.get("/v1/key", tags=["receipts"])
def key(request: Request) -> Key:
    """The key that receipts are signed with."""
    settings = intake.of(request).settings
    public = settings.public_key
    return Key(issuer=settings.issuer, public_key=public, fingerprint=receipts.fingerprint(public))


@routes.get("/status/{digest}", response_class=HTMLResponse, tags=["submissions"])
def page(request: Request, digest: Digest, token: str = "") -> HTMLResponse:
    """The status as a page that follows by itself."""
    here, nonce = intake.of(request), secrets.token_urlsafe(16)
    headers = {**PAGE_HEADERS, "Content-Security-Policy": PAGE_POLICY.format(nonce=nonce)}
    try:
        invitation = here.known(request, token, digest)
        with here.database.read() as session:
            details = status.read(session, invitation.id, digest)
        found = status.report(here.settings, details) if details.status.report else None
    except Refused as refused:
        return HTMLResponse(status.refusal_page(refused), refused.status, {**headers, **refused.headers})
    return HTMLResponse(status.page(details, found, nonce), headers=headers)

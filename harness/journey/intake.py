"""Handing a bundle to an intake over HTTPS: streamed, tried again, and the same receipt however often it is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from harness.errors import InfrastructureError, UsageError
from harness.journey.invitation import LOOPBACK
from harness.receipts import Receipt

PIECE = 256 * 1024
TIMEOUT = httpx.Timeout(60, connect=10)
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try. An intake takes a submission once, so that trying again counts for nothing."""
LONGEST_PAUSE = 60.0
"""Seconds that are waited at most when an intake asks for it."""
PASSING = (429, 500, 502, 503, 504)
NOTICE_EVERY = 2.0
NEXT = {
    401: "Check the token in .harness-token or HARNESS_TOKEN against your invitation.",
    403: "Ask those who invited you.",
    409: "Ask those who invited you.",
    413: "See what is large: make submit lists it. Data and environments do not belong in git.",
}


class Undelivered(InfrastructureError):
    """The destination could not be reached, or was not fit to answer; trying again later is safe."""


def put(  # noqa: PLR0917  # all of them are needed, in the order in which the intake sees them
    address: str, token: str, bundle: Path, digest: str, sha256: str, say: Callable[[str], None]
) -> Receipt:
    """Upload a bundle and return the intake's receipt.

    Raises:
        UsageError: the intake refused it; says what it said, and what to do next.
        Undelivered: it could not be reached in several tries, or answered with no receipt for this bundle.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise UsageError(f"a token is not sent to {address}, which is not encrypted", "The invitation needs https://.")
    url = f"{address.rstrip('/')}/v1/submissions/{digest}"
    headers = {
        "Authorization": f"Bearer {token}",
        "X-Bundle-SHA256": sha256,
        "Content-Type": "application/x-tar",
        "Content-Length": str(bundle.stat().st_size),
    }
    trouble = ""
    with httpx.Client(timeout=TIMEOUT) as client:
        for pause in (*PAUSES, None):
            asked = 0.0
            try:
                answer = client.put(url, content=_pieces(bundle, say), headers=headers)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                if "[SSL" in trouble:
                    untrusted = "CERTIFICATE_VERIFY_FAILED" in trouble
                    trouble += ". If you trust it, SSL_CERT_FILE may name its certificate" if untrusted else ""
                    break
            else:
                if answer.status_code not in PASSING:
                    return _receipt(answer, digest, sha256)
                trouble = f"it answered {answer.status_code}: {_said(answer)[0]}"
                asked = _seconds(answer.headers.get("Retry-After", ""))
            if pause is None or asked > LONGEST_PAUSE:
                break
            say(f"{parts.netloc}: {trouble}; trying again in {max(pause, asked):g} s")
            time.sleep(max(pause, asked))
    raise Undelivered(f"{address} did not take the bundle: {trouble}")


def _pieces(bundle: Path, say: Callable[[str], None]) -> Iterator[bytes]:
    """A bundle's bytes, with a word every other second about how much has gone."""
    total, sent, spoke = bundle.stat().st_size, 0, time.monotonic()
    with bundle.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
            sent += len(piece)
            if time.monotonic() - spoke > NOTICE_EVERY:
                spoke = time.monotonic()
                say(f"sent {sent / 2**20:.1f} of {total / 2**20:.1f} MB")


def _receipt(answer: httpx.Response, digest: str, sha256: str) -> Receipt:
    """The receipt in an answer.

    Raises:
        UsageError: the intake refused.
        Undelivered: it is no receipt for this bundle.
    """
    if not answer.is_success:
        detail, remedy = _said(answer)
        raise UsageError(f"the intake refused it ({answer.status_code}): {detail}", remedy)
    try:
        receipt = Receipt.model_validate_json(answer.content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Undelivered(f"{answer.url} answered {answer.status_code} with no receipt ({where})") from error
    if receipt.submission != digest or receipt.bundle != sha256:
        raise Undelivered(
            f"{answer.url} answered with a receipt for another bundle (submission {receipt.submission[:12]})",
            "Keep that receipt, and tell those who invited you.",
        )
    return receipt


def _said(answer: httpx.Response) -> tuple[str, str]:
    """What an answer says happened, and what to do next."""
    try:
        body = answer.json()
        detail, remedy = str(body["detail"]), str(body.get("next", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        detail, remedy = answer.reason_phrase or "no reason given", ""
    return detail, remedy or NEXT.get(answer.status_code, "")


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0

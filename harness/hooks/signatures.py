"""Whether a delivery is the provider's: compared in constant time, over the bytes as they came."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

from harness.errors import UsageError

SIGNING = "whsec_"
"""How the Standard Webhooks specification, and so GitLab, marks a signing token."""
TOLERANCE = 300.0
"""Seconds that a signed delivery's clock may be off."""


class Forged(Exception):
    """A delivery is not signed as it should be; the message says how."""


def github(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """Check `X-Hub-Signature-256`: HMAC-SHA256 of the body under the webhook's secret.

    Raises:
        Forged: it is missing or does not fit.
    """
    given = headers.get("x-hub-signature-256", "")
    if not given:
        raise Forged("there is no X-Hub-Signature-256: the webhook has no secret")
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Forged("X-Hub-Signature-256 does not fit the body and the secret")


def gitlab(secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> None:
    """Check a delivery of GitLab, by what kind of secret it is.

    A signing token (`whsec_...`) signs `id.timestamp.body` as the Standard Webhooks specification says; any other is a
    secret token, which GitLab sends as it is.

    Raises:
        Forged: signature or token is missing or does not fit, or the delivery is older than five minutes.
    """
    if not secret.startswith(SIGNING):
        if not hmac.compare_digest(headers.get("x-gitlab-token", "").encode(), secret.encode()):
            raise Forged("X-Gitlab-Token is not the secret token")
        return
    named, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    expected = hmac.new(_key(secret), f"{named}.{sent}.".encode() + body, hashlib.sha256).digest()
    given = [entry.partition(",") for entry in headers.get("webhook-signature", "").split()]
    if not any(kind == "v1" and hmac.compare_digest(_decoded(value), expected) for kind, _, value in given):
        raise Forged("webhook-signature does not fit the body and the signing token")
    if not sent.isascii() or not sent.isdigit() or abs((time.time() if now is None else now) - int(sent)) > TOLERANCE:
        raise Forged("webhook-timestamp is more than five minutes off: an old delivery, or a clock that is wrong")


def checked(secret: str) -> str:
    """A secret that can be used.

    Raises:
        UsageError: it is empty, or is marked as a signing token and is none.
    """
    if not secret:
        raise UsageError("a webhook's secret is empty: anybody could sign with it")
    if secret.startswith(SIGNING) and not _key(secret):
        raise UsageError(f"a secret that begins with {SIGNING} goes on with base64 of the signing token")
    return secret


def _key(secret: str) -> bytes:
    return _decoded(secret.removeprefix(SIGNING))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""

"""Receipts: what was handed in, by whom, when by the intake's clock, signed so that both sides can prove it offline.

Ed25519 (RFC 8032) over the receipt's fields as JSON with sorted keys and no spaces. A receipt carries its public key,
so it can be checked as it is; whether that key is the company's, its fingerprint tells.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AwareDatetime, Field, ValidationError

from grading.evidence import Record
from harness.errors import UsageError

HEX = r"[0-9a-f]{64}"


class Claim(Record):
    """What a receipt says."""

    format: Literal["mlops-harness-receipt/1"] = "mlops-harness-receipt/1"
    issuer: str
    """Who received it, as the candidate knows them."""
    invitation: str
    candidate: str
    challenge: str
    submission: str = Field(pattern=HEX)
    """The submission's digest."""
    bundle: str = Field(pattern=HEX)
    """SHA-256 of the bundle's bytes."""
    received_at: AwareDatetime
    """By the intake's clock, in UTC."""
    attempt: int = Field(ge=1)
    attempts: int = Field(ge=1)
    """How many the invitation allows."""


class Receipt(Claim):
    """A claim with its signature."""

    public_key: str
    """Base64 of the 32 bytes of the issuer's public key."""
    signature: str
    """Base64 of the 64 bytes of the signature."""

    @property
    def fingerprint(self) -> str:
        """The issuer's key in short, to be compared with what the company publishes."""
        return fingerprint(self.public_key)


def fingerprint(public_key: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a public key, in groups of four."""
    try:
        text = hashlib.sha256(base64.b64decode(public_key, validate=True)).hexdigest()[:16]
    except ValueError as error:
        raise UsageError("a public key is base64 of 32 bytes") from error
    return " ".join(text[at : at + 4] for at in range(0, 16, 4))


def new_key(path: Path) -> Ed25519PrivateKey:
    """Make a signing key and keep it in a file that only its owner can read; one that is there is never replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key.private_bytes_raw()) + b"\n")
    return key


def read_key(path: Path) -> Ed25519PrivateKey:
    """A signing key from its file.

    Raises:
        UsageError: it is not there, or is no such key.
    """
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_bytes(), validate=False))
    except OSError as error:
        raise UsageError(f"the signing key {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no signing key: base64 of 32 bytes was expected") from error


def public(key: Ed25519PrivateKey) -> str:
    """The public half, as receipts carry it."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def sign(claim: Claim, key: Ed25519PrivateKey) -> Receipt:
    """A receipt for a claim."""
    signature = base64.b64encode(key.sign(_signed(claim))).decode()
    return Receipt(**claim.model_dump(), public_key=public(key), signature=signature)


def verify(receipt: Receipt, public_key: str | None = None) -> None:
    """Check a receipt's signature, against `public_key` where one is given.

    Raises:
        UsageError: it was altered, or signed with another key.
    """
    if public_key is not None and public_key != receipt.public_key:
        raise UsageError(
            f"the receipt was signed with another key ({receipt.fingerprint}) than the one given "
            f"({fingerprint(public_key)})",
            "Ask the company which key is theirs.",
        )
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(receipt.public_key, validate=True))
        key.verify(base64.b64decode(receipt.signature, validate=True), _signed(receipt))
    except (InvalidSignature, ValueError) as error:
        raise UsageError("the receipt is forged or was altered: its signature does not fit what it says") from error


def load(path: Path) -> Receipt:
    """A receipt from its file.

    Raises:
        UsageError: it is not there, or is no receipt.
    """
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the receipt {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(f"{path} is no receipt: {where}: {first['msg']}") from error


def write(receipt: Receipt, path: Path) -> None:
    """Write a receipt to a file."""
    path.write_text(json.dumps(receipt.model_dump(mode="json"), indent=2, sort_keys=True) + "\n", "utf-8")


def _signed(claim: Claim) -> bytes:
    fields = {name: _plain(getattr(claim, name)) for name in Claim.model_fields}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value

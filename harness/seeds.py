"""Open code, secret seeds: where hidden inputs come from.

The seed of a review is HMAC-SHA256(key, challenge / version / cohort), as in commit-and-reveal: the report holds its
hash, so the seed can be revealed later and anyone can check that it is the one that was used.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

PUBLISHED = "0" * 64
"""The seed of the public profile, known to every candidate."""


@dataclass(frozen=True)
class Seed:
    """A root seed of 32 bytes, as 64 hexadecimal digits."""

    hex: str

    @property
    def commitment(self) -> str:
        """SHA-256 of the seed: safe to publish, and enough to check a seed that is revealed later."""
        return hashlib.sha256(bytes.fromhex(self.hex)).hexdigest()

    def child(self, purpose: str) -> int:
        """An independent 64-bit seed for one purpose, fit for `numpy.random.default_rng`."""
        digest = hmac.new(bytes.fromhex(self.hex), purpose.encode(), hashlib.sha256).digest()
        return int.from_bytes(digest[:8], "big")


def published() -> Seed:
    """The seed that candidates use themselves."""
    return Seed(PUBLISHED)


def of_review(key: bytes, challenge: str, version: str, cohort: str) -> Seed:
    """The hidden seed of one challenge and cohort, under a reviewer's key."""
    message = "/".join((challenge, version, cohort)).encode()
    return Seed(hmac.new(key, message, hashlib.sha256).hexdigest())


def key_file() -> Path:
    """Where the reviewer's key is kept: `$HARNESS_KEY_FILE`, or a file in the user's configuration folder."""
    if named := os.environ.get("HARNESS_KEY_FILE"):
        return Path(named)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return config / "mlops-harness" / "key"


def reviewer_key() -> tuple[bytes, bool]:
    """The reviewer's key, and whether it was made just now because there was none.

    Raises:
        UsageError: the file cannot be read or written, or holds less than 16 bytes.
    """
    path = key_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = False
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
            made = True
        key = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"the reviewer's key {path} cannot be read or made: {error}") from error
    if len(key) < 16:
        raise UsageError(f"the reviewer's key {path} is shorter than 16 bytes", "Delete it to have one made.")
    return key, made

"""Trained models that no candidate has seen, kept in a cache: the same seed gives the same model."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from harness.challenge import Challenge
from harness.seeds import Seed

CACHE = Path(os.environ.get("HARNESS_CACHE") or Path(__file__).resolve().parent.parent / ".cache")


def hidden(challenge: Challenge, seed: Seed, version: int = 2) -> Path:
    """The challenge's model under this seed: trained once, then found in the cache."""
    name = f"{challenge.id}-{challenge.digest[:12]}-{seed.commitment[:12]}-v{version}"
    folder = CACHE / "models" / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = folder.with_name(f".{name}.{secrets.token_hex(4)}")
        challenge.model.save(unfinished, version, seed.child(f"model/{version}"))
        for path in (unfinished, *unfinished.rglob("*")):
            # Services run as another user, who must be able to read it under any umask.
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            unfinished.replace(folder)
        except OSError:
            # Another thread or process was faster, and the same seed gave it the same model.
            shutil.rmtree(unfinished)
    return folder

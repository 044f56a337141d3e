"""What the environment may change, and the limits that it may not."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Alias:
    """A name in an MLflow registry that is moved from one version of a model to another."""

    server: str
    """Address of the tracking server."""
    model: str
    alias: str

    def __str__(self) -> str:
        return f"models:/{self.model}@{self.alias}"


@dataclass(frozen=True)
class Settings:
    """How one process serves."""

    port: int = 8080
    model: Path | Alias = Path("/opt/ml/model")
    poll_seconds: float = 2.0
    """How often the registry is asked where the alias points; a promotion has to be in use within 15 s."""
    body_bytes: int = 10 * 1024 * 1024
    """A longer request body is refused with 413."""
    body_seconds: float = 30.0
    """A body that takes longer to arrive is refused with 408."""
    waiting: int = 64
    """Predictions that may wait their turn; one more is refused with 503, so that a queue never outlives a burst."""
    drain_seconds: int = 20
    """After SIGTERM, how long the requests in flight may take; the platform kills after 30 s."""

    @classmethod
    def of_environment(cls) -> Settings:
        """`PORT`, `MODEL_URI` and `MLFLOW_TRACKING_URI`, where they are set.

        Raises:
            ValueError: the model is named in a way that this service cannot follow.
        """
        uri = os.environ.get("MODEL_URI") or str(cls.model)
        return cls(port=int(os.environ.get("PORT") or cls.port), model=_model(uri))


def _model(uri: str) -> Path | Alias:
    if not uri.startswith("models:"):
        return Path(uri.removeprefix("file://"))
    named = re.fullmatch(r"models:/([^/@]+)@([^/@]+)", uri)
    if named is None:
        raise ValueError(f"MODEL_URI is {uri}: name a folder, or an alias as models:/NAME@ALIAS")
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not server.startswith(("http://", "https://")):
        raise ValueError(f"MODEL_URI is {uri}: set MLFLOW_TRACKING_URI to the address of the tracking server")
    return Alias(server.rstrip("/"), named[1], named[2])

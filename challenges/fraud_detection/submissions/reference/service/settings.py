"""What the environment may change, and the limits that it may not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """How one process serves."""

    port: int = 8080
    model: Path = Path("/opt/ml/model")
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
        """`PORT` and `MODEL_URI` (a folder, or its `file:` URI), where they are set."""
        uri = os.environ.get("MODEL_URI") or str(cls.model)
        return cls(port=int(os.environ.get("PORT") or cls.port), model=Path(uri.removeprefix("file://")))

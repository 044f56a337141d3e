"""Folders of submissions made of `tiny_service.py`: sound ones, and ones that are flawed in one way each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.sandbox import Limits

SERVICE = Path(__file__).with_name("tiny_service.py")
DOCKERFILE = """FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1
WORKDIR /app
COPY model /opt/ml/model
COPY server.py .
ENV FLAWS={flaws}
USER 1000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz')"]
CMD ["python", "server.py"]
"""


def files(*flaws: str, old: str = "", new: str = "") -> dict[str, str | bytes | None]:
    """The files of a submission with these flaws; `old` in its Dockerfile becomes `new`."""
    dockerfile = DOCKERFILE.format(flaws=",".join(flaws))
    assert old in dockerfile
    return {
        "Dockerfile": dockerfile.replace(old, new) if old else dockerfile,
        "server.py": SERVICE.read_bytes(),
        "model/MLmodel": "flavors: {}\n",
    }


def hurried(stage, memory_mb: int, **contract: float):
    """The stage, with little memory and short deadlines: a test would have to wait for those of the challenge."""
    spec = stage.subject.challenge.spec
    changes = {"contract": spec.contract.model_copy(update=contract), "limits": Limits(memory_mb=memory_mb)}
    challenge = replace(stage.subject.challenge, spec=spec.model_copy(update=changes))
    stage.subject = replace(stage.subject, challenge=challenge)
    return stage

"""A companion: a service of our own that runs beside a submission, on a closed network that only the two are on.

It is built, started, confined and swept as submissions are, and what goes wrong with it is never theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.errors import InfrastructureError
from harness.readiness import NotReady, wait_ready
from harness.sandbox import BuildFailed, CannotStart, Image, Launch, Limits, Service
from harness.stages import Stage
from harness.submission import export


@contextmanager
def running(
    stage: Stage[Any],
    folder: Path,
    *,
    network: str,
    port: int,
    ready_path: str,
    ready_seconds: float,
    limits: Limits,
    env: Mapping[str, str],
) -> Iterator[Service]:
    """Build the image in `folder` (the engine's cache keeps it), run it, and wait until `ready_path` answers 200.

    Raises:
        InfrastructureError: it does not build, start, or get ready.
    """
    image = _image(stage, folder, limits)
    launch = Launch(folder.name, {"PORT": str(port), **env}, port=port, network=network)
    with stage.ledger.span("serving"):
        try:
            started = stage.subject.sandbox.start(image, limits, launch)
            service = started.__enter__()
        except CannotStart as error:
            raise InfrastructureError(f"our own {folder.name} cannot be started: {error}") from error
    try:
        with stage.ledger.span("serving"):
            wait_ready(service, (ready_path,), ready_seconds)
        yield service
    except NotReady as error:
        raise InfrastructureError(f"our own {folder.name} did not come up: {error}") from error
    finally:
        stage.text_artifact(f"{folder.name}.log", service.logs())
        with stage.ledger.span("serving"):
            started.__exit__(*sys.exc_info())


def _image(stage: Stage[Any], folder: Path, limits: Limits) -> Image:
    with TemporaryDirectory(prefix="mlops-harness-") as made, stage.ledger.span("building"):
        own = export(folder, Path(made) / folder.name)
        try:
            return stage.subject.sandbox.build(own, limits, stage.artifact_path(f"{folder.name}-build.log"))
        except BuildFailed as error:
            raise InfrastructureError(f"the image of our own {folder.name} does not build: {error}") from error

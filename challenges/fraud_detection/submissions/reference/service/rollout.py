"""Which model is in use: a folder's, once and for all, or whichever one an alias names at the moment."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from threading import Event

from service.engine import Engine
from service.settings import Alias, Settings

log = logging.getLogger(__name__)


def keep(engine: Engine, settings: Settings, stop: Event) -> None:
    """Load the model, and follow the alias until `stop` is set. This is the body of a thread."""
    if isinstance(settings.model, Path):
        engine.load(settings.model)
    else:
        _follow(engine, settings.model, settings.poll_seconds, stop)


def _follow(engine: Engine, alias: Alias, seconds: float, stop: Event) -> None:
    from service.registry import Registry  # noqa: PLC0415 - a service with a folder needs no HTTP client

    registry = Registry(alias)
    in_use = tried = ""
    while True:
        try:
            version = registry.version()
            if version not in (in_use, tried):
                # The files are read once: they leave the small /tmp before the next version comes.
                with tempfile.TemporaryDirectory() as folder:
                    registry.download(version, Path(folder))
                    if engine.load(Path(folder), f"{alias} version {version}"):
                        in_use = version
            # A version that cannot be loaded is not tried again and again: it will not change.
            tried = version
        except Exception as error:
            # Whatever it was, the model in use goes on, and the registry is asked again.
            engine.excuse(f"{alias} cannot be had: {error}")
        if stop.wait(seconds):
            return

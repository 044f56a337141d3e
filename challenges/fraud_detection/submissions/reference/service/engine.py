"""The model and its drift monitor, from the moment that the process starts."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from service.protocol import Refused, parse

if TYPE_CHECKING:
    from service.drift import Monitor
    from service.model import Model

log = logging.getLogger(__name__)


class Engine:
    """Loads once, then scores. `ready` turns true when both the model and its reference sample are there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: tuple[Model, Monitor] | None = None

    @property
    def ready(self) -> bool:
        """Whether predictions can be made."""
        return self._loaded is not None

    @property
    def model(self) -> Model:
        """The model. Raises `Refused` (503) until it is loaded."""
        return self._parts()[0]

    @property
    def monitor(self) -> Monitor:
        """The drift monitor. Raises `Refused` (503) until it is loaded."""
        return self._parts()[1]

    def load(self) -> None:
        """Load everything. A failure is logged and leaves the service alive and not ready, for an operator to see."""
        try:
            # scikit-learn and SciPy take seconds to import: here, off the main thread, while /livez already answers.
            from service.drift import Monitor  # noqa: PLC0415 - late on purpose
            from service.model import Model  # noqa: PLC0415 - late on purpose

            model = Model(self._folder)
            # The first prediction pays for imports and caches; it is ours, not a caller's.
            model.predict(model.reference.head(1))
            self._loaded = model, Monitor(model.reference, model.signature)
        except Exception:
            log.exception("the model in %s cannot be served", self._folder)
        else:
            log.info("serving %s version %s from %s", model.name, model.version, self._folder)

    def score(self, body: bytes) -> tuple[bytes, int]:
        """The answer to the body of a request, as JSON, and the number of rows in it.

        Raises:
            Refused: the body is not a valid request, or the model is not loaded yet.
        """
        model, monitor = self._parts()
        table = parse(body, model.signature)
        predictions = model.predict(table)
        monitor.observe(table)
        return json.dumps({"predictions": predictions.tolist()}).encode(), table.rows

    def _parts(self) -> tuple[Model, Monitor]:
        if self._loaded is None:
            raise Refused("the model is not loaded", 503)
        return self._loaded

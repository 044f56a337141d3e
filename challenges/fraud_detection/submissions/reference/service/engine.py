"""The model and its drift monitor, from the moment that the process starts."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from service.protocol import Refused, parse

if TYPE_CHECKING:
    from service.drift import Monitor
    from service.model import Model

log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """A model and the monitor of its inputs. They come and go together."""

    model: Model
    monitor: Monitor


class Scored(NamedTuple):
    """What became of one request."""

    answer: bytes
    """JSON."""
    rows: int
    version: str
    """Of the model that made this answer, whichever is in use by now."""


class Engine:
    """Scores with the model that was loaded last. Ready when both a model and its reference sample are there."""

    def __init__(self) -> None:
        self._loaded: Loaded | None = None
        self._reason = "loading"

    @property
    def loaded(self) -> Loaded | None:
        """What is in use. Take it once for one answer: at any moment it may be replaced."""
        return self._loaded

    @property
    def reason(self) -> str:
        """Why nothing is loaded, for whoever asks before something is."""
        return self._reason

    def now(self) -> Loaded:
        """What is in use. Raises `Refused` (503) until something is."""
        if self._loaded is None:
            raise Refused(f"the model is not loaded: {self._reason}", 503)
        return self._loaded

    def load(self, folder: Path, called: str = "") -> bool:
        """Load a model beside the one in use and put it in its place. Gives whether that went well.

        A failure is logged and changes nothing: the service goes on with the model that it has, or alive and not ready,
        for an operator to see. `called` is what the operator calls the model, if that is not the folder.
        """
        called = called or str(folder)
        try:
            # scikit-learn and SciPy take seconds to import: here, off the main thread, while /livez already answers.
            from service.drift import Monitor  # noqa: PLC0415 - late on purpose
            from service.model import Model  # noqa: PLC0415 - late on purpose

            model = Model(folder)
            # The first prediction pays for imports and caches; it is ours, not a caller's.
            model.predict(model.reference.head(1))
            # One assignment: a request sees the old pair or the new one, never a half of each.
            self._loaded = Loaded(model, Monitor(model.reference, model.signature))
        except Exception as error:
            log.exception("%s cannot be served", called)
            self._reason = f"{called} cannot be served: {type(error).__name__}: {error}"
            return False
        log.info("serving %s version %s from %s", model.name, model.version, called)
        return True

    def excuse(self, reason: str) -> None:
        """Note why there is nothing to load. It is logged when it is news."""
        if reason != self._reason:
            log.warning("%s", reason)
            self._reason = reason

    def score(self, body: bytes) -> Scored:
        """Answer the body of a request.

        Raises:
            Refused: the body is not a valid request, or no model is loaded yet.
        """
        model, monitor = self.now()
        table = parse(body, model.signature)
        predictions = model.predict(table)
        monitor.observe(table)
        return Scored(json.dumps({"predictions": predictions.tolist()}).encode(), table.rows, model.version)

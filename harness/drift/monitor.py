"""What a drift monitor is to the exam, and the one that a service has behind its routes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Literal, Protocol

from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, ValidationError

from harness.client import Client, NoAnswer, Reply
from harness.drift.arms import Rows
from harness.drift.settings import Settings
from harness.drift.traffic import Spoilt, spoil
from harness.errors import SubmissionError
from harness.sandbox import State
from harness.stages import deadline

BUSY = (429, 503)
"""Answers that ask a caller to come again: a burst may meet them."""
PAUSE = 0.1


class NoReport(SubmissionError):
    """The route of the drift report did not give one."""


class Refused(SubmissionError):
    """Valid rows were not scored."""


class Ended(NoAnswer):
    """The service ended while it was in use."""


class _Answer(BaseModel):
    """A part of the contract's answer; a service may add keys of its own."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Feature(_Answer):
    """What the monitor says of one feature."""

    drifted: StrictBool
    score: StrictFloat | None
    """None while there is too little data."""
    threshold: StrictFloat | None
    method: str


class Report(_Answer):
    """The contract's answer of `GET /monitoring/drift`."""

    status: Literal["ok", "insufficient_data"]
    drift_detected: StrictBool
    n_observed: StrictInt = Field(ge=0)
    """Rows scored since the start."""
    window_size: StrictInt = Field(ge=0)
    reference_size: StrictInt = Field(ge=0)
    features: dict[str, Feature]

    @property
    def alarm(self) -> bool:
        """Whether it reports drift; a monitor with too little data raises no alarm."""
        return self.status == "ok" and self.drift_detected


class Monitor(Protocol):
    """Something that sees rows and says whether they drifted. Its methods raise `SubmissionError`."""

    def send(self, columns: list[str], rows: Rows) -> None:
        """Have valid rows scored. Called from several threads at once in a burst."""

    def provoke(self, columns: list[str], rows: Rows, how: Spoilt) -> None:
        """Send a request that must be refused and must not move the window."""

    def poll(self) -> Report:
        """Read the drift report."""

    def predictions(self) -> float:
        """Read the counter of predicted rows."""


class HttpMonitor:
    """The monitor of a running service.

    Every read takes a connection of its own: a kept one would always meet the same worker of a service with several.
    """

    def __init__(self, client: Client, settings: Settings, state: Callable[[], State]) -> None:
        """`state` tells what the engine says of the service when it no longer answers."""
        self._client = client
        self._settings = settings
        self._state = state

    def send(self, columns: list[str], rows: Rows) -> None:
        """Have valid rows scored, asking again while the service says that it is busy.

        Raises:
            Refused: they were not.
            NoAnswer: no answer came.
        """
        body = json.dumps({"dataframe_split": {"columns": columns, "data": rows}}).encode()
        left = deadline(self._settings.keep_up_seconds)
        while (reply := self._exchange("POST", self._settings.invocations, body)).status in BUSY and left():
            time.sleep(PAUSE)
        if reply.status != 200:
            shown = reply.text[:200]
            raise Refused(f"{len(rows)} valid rows were answered {reply.status} instead of 200: {shown!r}")

    def provoke(self, columns: list[str], rows: Rows, how: Spoilt) -> None:
        """Send a malformed request; what it is answered is the business of another stage. Raises `NoAnswer`."""
        self._exchange("POST", self._settings.invocations, spoil(columns, rows, how))

    def poll(self) -> Report:
        """Read the drift report.

        Raises:
            NoReport: the answer is not what the contract says.
            NoAnswer: no answer came.
        """
        route = self._settings.route
        reply = self._read(route)
        try:
            return Report.model_validate(reply.json())
        except ValidationError as error:
            wrong = "; ".join(_explain(dict(detail)) for detail in error.errors()[:3])
            raise NoReport(f"the answer of {route} is not as the contract says: {wrong}") from error
        except SubmissionError as error:
            raise NoReport(f"{route}: {error}") from error

    def predictions(self) -> float:
        """Read the counter of predicted rows, summed over its labels.

        Raises:
            NoReport: the metrics do not hold it, or are not in Prometheus's text format.
            NoAnswer: no answer came.
        """
        route, counter = self._settings.metrics, self._settings.predictions
        reply = self._read(route)
        try:
            families = list(text_string_to_metric_families(reply.text))
        except Exception as error:  # what the parser raises on nonsense depends on the nonsense
            raise NoReport(f"{route} is not in Prometheus's text format: {error}") from error
        values = [sample.value for family in families for sample in family.samples if sample.name == counter]
        if not values:
            raise NoReport(f"{route} has no {counter}")
        return sum(values)

    def _read(self, route: str) -> Reply:
        reply = self._exchange("GET", route)
        if reply.status != 200:
            raise NoReport(f"{route} answers {reply.status} instead of 200")
        return reply

    def _exchange(self, method: str, route: str, body: bytes | None = None) -> Reply:
        headers = {"content-type": "application/json"} if body is not None else {"connection": "close"}
        try:
            return self._client.request(method, route, body=body, headers=headers)
        except NoAnswer as error:
            state = self._state()
            if state.running:
                raise
            why = "killed for memory" if state.killed_for_memory else f"exit code {state.exit_code}"
            raise Ended(f"the service ended while it was in use ({why})") from error


def _explain(detail: dict[str, object]) -> str:
    place = detail["loc"]
    where = ".".join(str(part) for part in place) if isinstance(place, tuple) else ""
    message = str(detail["msg"])
    return f"{where or 'the whole answer'}: {message[:1].lower()}{message[1:]}"

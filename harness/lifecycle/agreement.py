"""What the service says of itself, held against the version that answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.client import Client
from harness.errors import SubmissionError
from harness.lifecycle.registry import Version
from harness.lifecycle.settings import Settings
from harness.lifecycle.traffic import HEADER, Answer

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

AGAIN = 0.2
EVERY = 0.5
"""Seconds between two readings of the counter."""


def version_route(client: Client, settings: Settings, name: str, version: Version) -> str:
    """How `/version` differs from the version in use, or an empty string."""

    def look() -> str:
        said = client.get(settings.version_path).json()
        wanted = {"name": name, "version": version.number}
        found = {key: said.get(key) for key in wanted} if isinstance(said, dict) else said
        return "" if found == wanted else f"{settings.version_path} says {found} while version {version.number} answers"

    return _at_last(look, settings.agree_seconds)


def model_info(client: Client, settings: Settings, name: str, version: Version) -> str:
    """How the gauge differs from the version in use, or an empty string."""
    wanted = [(name, version.number, 1.0)]

    def look() -> str:
        samples = [sample for sample in _samples(client) if sample.name == settings.info]
        found = [(one.labels.get("name"), one.labels.get("version"), one.value) for one in samples]
        if found == wanted:
            return ""
        text = "; ".join(f'{settings.info}{{name="{n}",version="{v}"}} {value:g}' for n, v, value in found[:3])
        return f"/metrics has {text or f'no sample of {settings.info}'} while version {version.number} answers"

    return _at_last(look, settings.agree_seconds)


def names(answers: list[Answer]) -> str:
    """How the versions that answers name differ from those whose predictions they hold, or an empty string."""
    for answer in answers:
        if not answer.named:
            return f"An answer has no header {HEADER}."
        if not answer.version:
            return f"An answer that names version {answer.named} holds predictions of no registered version."
        if answer.named != answer.version:
            return f"An answer that names version {answer.named} holds the predictions of version {answer.version}."
    return ""


class Counter:
    """Reads a counter over and over, from the start of the `with` block to its end."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self._name = client, name
        self._readings: list[tuple[float, float]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Counter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def falls(self, start: float = 0.0, end: float = float("inf")) -> list[tuple[float, float]]:
        """Neighbouring readings of which the second is the lower one."""
        values = [value for at, value in tuple(self._readings) if start <= at <= end]
        return [(one, other) for one, other in pairwise(values) if other < one]

    @property
    def found(self) -> bool:
        """Whether it is there at all."""
        return bool(self._readings)

    def _read(self) -> None:
        while not self._end.wait(EVERY):
            try:
                values = [sample.value for sample in _samples(self._client) if sample.name == self._name]
            except (SubmissionError, AssertionError):
                continue
            if values:
                self._readings.append((time.monotonic(), sum(values)))


def _samples(client: Client) -> list[Sample]:
    from harness import kit

    return kit.metrics(client)


def _at_last(look: Callable[[], str], seconds: float) -> str:
    """What `look` still finds wrong after a while; what the service fails to answer is wrong, too."""
    end = time.monotonic() + seconds
    while True:
        try:
            wrong = look()
        except (SubmissionError, AssertionError) as error:
            wrong = str(error)
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(AGAIN)

"""A service that may die of what it is sent: then the next request goes to a fresh one.

So one fatal request costs its own check and `serves_after_bad_input`, and the rest is still judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from harness.client import Client, NoAnswer, Reply
from harness.payloads import INVOCATIONS
from harness.robustness import counters
from harness.robustness.malformed import Malformed
from harness.robustness.settings import Settings
from harness.sandbox import Service
from harness.stages import Stage

LIVES = 4
"""Services that are started at most."""
TOO_OFTEN = "It was not sent: the service had died too often of what was sent before."


@dataclass
class Target:
    """Where requests of this stage go."""

    stage: Stage[Settings]
    deaths: list[str] = field(default_factory=list)
    """What the service did not survive."""
    counted: set[str] = field(default_factory=set)
    """Names of the counters that were there to look at."""
    moved: dict[str, float] = field(default_factory=dict)
    """By how many rows each counter grew beyond `scored`."""
    scored: float = 0.0
    """Rows of malformed requests that were answered 200 nonetheless, and so may be counted."""
    _running: AbstractContextManager[tuple[Service, Client]] | None = None
    _current: tuple[Service, Client] | None = None
    _before: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        running, self._running, self._current = self._running, None, None
        if running is not None:
            running.__exit__(kind, error, at)

    @property
    def spent(self) -> bool:
        """Whether it has died so often that no more is sent."""
        return len(self.deaths) >= LIVES

    @property
    def current(self) -> tuple[Service, Client]:
        """The service and a client for it; started if need be. Raises `NotReady`."""
        if self._current is None:
            name = f"service-{len(self.deaths) + 1}"
            self._running = self.stage.service(name=name, model=self.stage.subject.hidden_model())
            self._current = self._running.__enter__()
        return self._current

    @property
    def client(self) -> Client:
        """A client for the service that runs now."""
        return self.current[1]

    def send(self, case: Malformed, seconds: float | None = None) -> Reply | NoAnswer | None:
        """Send a request and see whether the service lives on; None if it was not sent, because too many died."""
        if self.spent:
            return None
        limit = seconds or self.stage.settings.request_seconds
        try:
            headers = {"content-type": case.content_type}
            answer: Reply | NoAnswer = self.client.request(
                "POST", INVOCATIONS, body=case.body, headers=headers, seconds=limit
            )
        except NoAnswer as error:
            answer = error
        if not self.alive():
            self.bury(case.what)
        return answer

    def alive(self) -> bool:
        """Whether the service runs and answers at all, whatever it answers."""
        service, client = self.current
        try:
            client.get(self.stage.settings.live_path, seconds=self.stage.settings.request_seconds)
        except NoAnswer:
            return False
        return service.state().running

    def bury(self, what: str) -> None:
        """Note what it died of, and leave it."""
        self.deaths.append(what)
        self.__exit__(None, None, None)

    @contextmanager
    def watching_counters(self) -> Iterator[None]:
        """Compare what the service has counted before and after the `with` block, if it is still the same one."""
        start, deaths, self.scored = counters.read(self.client, self.stage.settings), len(self.deaths), 0.0
        self.counted |= set(start)
        yield
        if len(self.deaths) == deaths:
            end = counters.read(self.client, self.stage.settings)
            for name, value in start.items():
                if (excess := end.get(name, value) - value - self.scored) > 0:
                    self.moved[name] = self.moved.get(name, 0.0) + excess

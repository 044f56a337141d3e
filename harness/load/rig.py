"""What the phases work with: the generator, the two services, and requests that nobody has seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from harness.client import Client
from harness.load import driven, pool
from harness.load.driven import Driven
from harness.load.generator import Generator
from harness.load.plan import Order, Target, Window
from harness.load.pool import Pool, Traffic
from harness.load.settings import Settings
from harness.sandbox import Service

Name = Literal["candidate", "reference"]
CANDIDATE: Name = "candidate"
REFERENCE: Name = "reference"
NAMES: tuple[Name, ...] = (CANDIDATE, REFERENCE)


@dataclass
class Rig:
    """Two running services and the means to drive them."""

    settings: Settings
    generator: Generator
    traffic: Traffic
    services: dict[Name, Service]
    clients: dict[Name, Client]
    headers: dict[str, str]
    """Those of the requests of every other stage: nothing must tell that this is the load stage."""
    seed: Callable[[str], int]
    """A seed for a purpose."""
    cores: tuple[int, ...]
    """Those that are pinned, that of the services first."""
    measuring: Callable[[], AbstractContextManager[None]]
    """Accounts for the time of a window."""
    left: Callable[[], float] = lambda: math.inf
    """Seconds in which a phase may be tried again."""
    say: Callable[[str], None] = lambda _: None
    keep: Callable[[str, list[Driven]], None] = lambda _name, _windows: None
    """Keeps what was driven beside the evidence."""
    pools: dict[str, Pool] = field(default_factory=dict)
    alone: bool = False
    """Whether there is no reference here, and the candidate's own image stands in for it: its answers and its latency
    excuse nothing, and the ratio says nothing."""
    isolate: bool = False
    """Freeze the service that is not driven, so that nothing it does can disturb the other."""

    def __post_init__(self) -> None:
        self.targets = [
            Target(name, service.url, self.traffic.path, str(service.cpu_file() or ""))
            for name, service in self.services.items()
        ]

    def fill(self, name: str, count: int, *, rows: int = 1) -> None:
        """Make a pool of requests, and hand it to the generator."""
        self.put(pool.make(self.traffic, name, count, self.seed(name), rows))

    def put(self, requests: Pool) -> None:
        """Hand a pool to the generator."""
        self.pools[requests.name] = requests
        self.generator.fill(requests.name, requests.bodies)

    def drive(self, windows: Sequence[Window], *, patience: float = 2.0) -> list[Driven]:
        """Drive windows one after the other; `patience` is how long after each its last answers are waited for (s)."""
        if self.isolate:
            return [self._isolated(window, patience) for window in windows]
        return self._drive(windows, patience)

    def _isolated(self, window: Window, patience: float) -> Driven:
        others = [service for name, service in self.services.items() if name != window.target]
        for other in others:
            other.freeze(True)
        try:
            return self._drive([window], patience)[0]
        finally:
            for other in others:
                other.freeze(False)

    def _drive(self, windows: Sequence[Window], patience: float) -> list[Driven]:
        order = Order(tuple(self.targets), tuple(windows), out="", headers=self.headers, patience=patience)
        with self.measuring():
            seen, requests = self.generator.drive(order)
        return driven.cut(seen, requests, [self.pools[window.pool] for window in windows], self.traffic)

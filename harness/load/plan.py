"""What the generator is asked to do and what it saw: records of the standard library, so that it stays lean."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

NO_ANSWER = 0
"""Status of a request that was refused, reset, timed out, or answered with something that is not HTTP."""
ABANDONED = -1
"""Status of a request still without an answer when its window was closed."""
DROPPED = -2
"""Status of a request that was never sent: too many were in flight."""


@dataclass(frozen=True)
class Target:
    """A service to drive."""

    name: str
    url: str
    path: str = "/"
    cpu_file: str = ""
    """The kernel's account of its cpu time; empty where there is none."""


@dataclass(frozen=True)
class Window:
    """Some seconds of traffic to one service.

    With users it is a closed loop: each sends its next request when the last is answered. With steps it is an open
    loop: requests leave at Poisson times, whether or not the last are answered.
    """

    target: str
    pool: str
    """The requests to send, in order, from where the last window of this target and pool ended."""
    seconds: float = 0.0
    """Length of a closed loop."""
    users: int = 0
    steps: tuple[tuple[float, float], ...] = ()
    """An open loop: requests a second, and for how many seconds, one step after the other."""
    lead_in: float = 0.1
    """Seconds of the same traffic before it that count for nothing: connections open, caches fill."""
    seed: int = 0
    """Of the arrival times."""
    probe: str = ""
    """A path to GET at the same time, one request after the other, `probe_pause` seconds apart on average."""
    probe_pause: float = 0.02

    @property
    def length(self) -> float:
        """Seconds in which requests are sent, the lead-in left out."""
        return self.seconds + sum(seconds for _, seconds in self.steps)


@dataclass(frozen=True)
class Order:
    """A list of windows, driven one after the other; what each request did is written to `out` (npz)."""

    targets: tuple[Target, ...]
    windows: tuple[Window, ...]
    out: str
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every request."""
    timeout: float = 10.0
    """Seconds that a request may take."""
    patience: float = 2.0
    """Seconds after the end of a window until requests without an answer are abandoned."""
    in_flight: int = 2000
    """Requests of an open loop that may be without an answer; more are dropped."""


@dataclass(frozen=True)
class Reading:
    """The machine's clocks at one moment, in seconds."""

    at: float
    """Monotonic."""
    busy: tuple[float, ...]
    """Time that each pinned core did not idle, ever: the service's first, the generator's last."""
    own: float
    """Cpu time of the generator itself."""
    services: dict[str, float] = field(default_factory=dict)
    """Cpu time of each target that has an account."""


@dataclass(frozen=True)
class Seen:
    """One window as it was driven: the clocks at its start and at its end, when the last answer had come."""

    window: Window
    before: Reading
    after: Reading

    @property
    def seconds(self) -> float:
        """Its length, the wait for the last answers included."""
        return self.after.at - self.before.at


def dump(value: Any) -> str:
    """A record as one line of JSON."""
    return json.dumps(asdict(value), separators=(",", ":"))


def order(raw: dict[str, Any]) -> Order:
    """An `Order` from JSON."""
    targets = tuple(Target(**t) for t in raw["targets"])
    return Order(**{**raw, "targets": targets, "windows": tuple(window(w) for w in raw["windows"])})


def window(raw: dict[str, Any]) -> Window:
    """A `Window` from JSON."""
    return Window(**{**raw, "steps": tuple((rate, seconds) for rate, seconds in raw["steps"])})


def seen(raw: dict[str, Any]) -> Seen:
    """A `Seen` from JSON."""
    return Seen(window(raw["window"]), reading(raw["before"]), reading(raw["after"]))


def reading(raw: dict[str, Any]) -> Reading:
    """A `Reading` from JSON."""
    return Reading(**{**raw, "busy": tuple(raw["busy"])})

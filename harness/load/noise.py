"""What else the machine was doing, and when that makes a result void.

Noise does not average out: it moves the ratio towards the slower service (a true 0.495 read 0.55 to 0.59). Time that
others spent on the two pinned cores tells a quiet machine (at most 1 % with nothing driven, 2.1 % with it, since the
kernel's work for connections is in nobody's account) from a noisy one (at least 4.8 %); the time that the hypervisor
says it stole missed nearly all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.load.plan import Seen

IN_TIME_MS = 20.0


@dataclass(frozen=True)
class Conditions:
    """How windows were driven; shares of wall time unless said otherwise. None where it cannot be known."""

    foreign_service_core: float | None
    """What others used of the core of the services."""
    foreign_generator_core: float | None
    """What others used of the generator's core."""
    generator: float
    """The generator's own cpu time."""
    lag_p95: float = 0.0
    """Milliseconds between a request's intended time and its sending."""
    arrivals: float = 1.0
    """Share of the requests that left within `IN_TIME_MS` of their moment."""

    @property
    def foreign(self) -> float | None:
        """The greater of the two."""
        known = [share for share in (self.foreign_service_core, self.foreign_generator_core) if share is not None]
        return max(known, default=None)


@dataclass(frozen=True)
class Tolerance:
    """What is still good enough."""

    foreign: float = 0.03
    """On the core of the services."""
    foreign_generator: float = 0.10
    """On the generator's: what it does to requests, lag and arrivals tell better."""
    generator: float = 0.70
    lag_p95: float = 2.0
    arrivals: float = 0.99


def conditions(windows: Sequence[Seen], lags: NDArray[np.float64]) -> Conditions:
    """The conditions over some windows taken together; `lags` has the lag of each of their requests, in milliseconds.

    On a machine with one core both cores are the same, and what generator and services used is taken off together.
    """
    lag_p95 = float(np.percentile(lags, 95)) if len(lags) else 0.0
    arrivals = float((lags <= IN_TIME_MS).mean()) if len(lags) else 1.0
    seconds = sum(w.seconds for w in windows)
    if not seconds:
        return Conditions(None, None, 0.0, lag_p95, arrivals)
    own = sum(w.after.own - w.before.own for w in windows)
    services = _services(windows)
    cores = len(windows[0].before.busy)
    busy = [sum(w.after.busy[core] - w.before.busy[core] for w in windows) for core in range(cores)]
    foreign_service = foreign_generator = None
    if cores == 1 and services is not None:
        foreign_service = foreign_generator = max(0.0, busy[0] - own - services) / seconds
    elif cores > 1:
        foreign_service = None if services is None else max(0.0, busy[0] - services) / seconds
        foreign_generator = max(0.0, busy[-1] - own) / seconds
    return Conditions(foreign_service, foreign_generator, own / seconds, lag_p95, arrivals)


def _services(windows: Sequence[Seen]) -> float | None:
    """Cpu seconds of all services together; None if there is one without an account."""
    total = 0.0
    for window in windows:
        before, after = window.before.services, window.after.services
        if not before or before.keys() - after.keys():
            return None
        total += sum(after[name] - before[name] for name in before)
    return total


def reasons(seen: Conditions, tolerance: Tolerance) -> list[str]:
    """Why a result under these conditions is void; none if it is not."""
    found = []
    for share, core, limit in (
        (seen.foreign_service_core, "the services", tolerance.foreign),
        (seen.foreign_generator_core, "the generator", tolerance.foreign_generator),
    ):
        if share is not None and share > limit:
            found.append(f"others used {share:.1%} of the core of {core}, more than {limit:.0%}")
    if seen.generator > tolerance.generator:
        found.append(f"the generator used {seen.generator:.0%} of its core, more than {tolerance.generator:.0%}")
    if seen.lag_p95 > tolerance.lag_p95:
        found.append(f"requests left {seen.lag_p95:.1f} ms late (p95), more than {tolerance.lag_p95:g} ms")
    if seen.arrivals < tolerance.arrivals:
        found.append(f"{seen.arrivals:.1%} of the requests left in time, fewer than {tolerance.arrivals:.0%}")
    return found

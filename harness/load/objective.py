"""Latency at a rate: requests leave at Poisson times whether or not the last are answered, as those of users do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.load import slices
from harness.load.driven import Driven, cpu_per_answer, latencies
from harness.load.plan import Window
from harness.load.rig import NAMES, REFERENCE, Name, Rig
from harness.load.rounds import WARM_UP
from harness.load.slices import Verdict

LEAD_IN = 0.2
WINDOW_SECONDS = 1.0
YARDSTICK_SECONDS = 0.4
STEEP = 3.0
"""A service is driven up the ladder until its p95 is this many times the objective: then only the axis grows."""


@dataclass(frozen=True)
class Level:
    """Services at their rates, in alternating windows."""

    rates: dict[Name, float]
    windows: tuple[Driven, ...]
    objective_ms: float
    yardstick: tuple[Driven, ...] = ()
    """Closed loops to the reference in between, as when capacity was measured: how fast the machine is meanwhile."""

    def of(self, name: Name) -> list[Driven]:
        """The windows of one service."""
        return [window for window in self.windows if window.target == name]

    def late(self, name: Name) -> tuple[int, int]:
        """How many requests were late, and how many there were. Late is what is not answered rightly in time."""
        found = latencies(self.of(name))
        return int((found > self.objective_ms).sum()), len(found)

    def verdict(self, name: Name) -> Verdict:
        """The binomial rule's."""
        return slices.judge(*self.late(name))

    def hopeless(self, name: Name) -> bool:
        """Whether so many requests got no right answer at all that the objective is missed whatever the machine did."""
        found = latencies(self.of(name))
        return slices.judge(int(np.isinf(found).sum()), len(found)) is Verdict.MISSED

    def met(self, name: Name) -> bool:
        """The binomial rule's verdict or, where the last look left it open, the share of late ones itself."""
        late, total = self.late(name)
        verdict = self.verdict(name)
        return verdict is Verdict.MET or (verdict is Verdict.OPEN and late <= 0.05 * total)

    def slowness(self, usual: float | None) -> float:
        """How many times its usual cpu seconds an answer cost the reference meanwhile; 1 where that is not known.

        It is the same program under the same load, so what changes is the machine.
        """
        cost = cpu_per_answer(self.yardstick, REFERENCE)
        return cost / usual if cost and usual else 1.0

    def quantiles(self, name: Name) -> tuple[float, float, float]:
        """p50, p95 and p99 in milliseconds; infinite where so many were not answered rightly."""
        p50, p95, p99 = slices.quantiles(latencies(self.of(name)), 0.50, 0.95, 0.99)
        return p50, p95, p99


def level(rig: Rig, label: str, rates: dict[Name, float]) -> Level:
    """Drive services in turns, each at its rate, until the rule decides on all or the looks are used up."""
    settings = rig.settings
    count = math.ceil(settings.look_requests / min(rates.values()) / WINDOW_SECONDS)
    most = count * (WINDOW_SECONDS + LEAD_IN) * max(rates.values())
    found = Level(rates, (), settings.objective_ms)
    for look in range(settings.looks):
        pool = f"objective-{label}-{look}"
        rig.fill(pool, math.ceil(most + 5 * math.sqrt(most)) + 10)
        driven = rig.drive(_turns(rig, pool, rates, count))
        found = Level(
            rates,
            (*found.windows, *(one for one in driven if one.seen.window.steps)),
            settings.objective_ms,
            (*found.yardstick, *(one for one in driven if not one.seen.window.steps)),
        )
        if all(found.verdict(name) is not Verdict.OPEN for name in rates):
            break
    rig.keep(f"objective-{label}", list(found.windows))
    return found


def _turns(rig: Rig, pool: str, rates: dict[Name, float], count: int) -> list[Window]:
    """Each service at its rate, so many times, and after each turn a yardstick where the reference is among them."""
    yardstick = Window(REFERENCE, WARM_UP, seconds=YARDSTICK_SECONDS, users=rig.settings.users)
    order: list[Window] = []
    for number in range(count):
        # The same arrival times for both where the rates are the same.
        seed = rig.seed(f"{pool}-{number}")
        order += [
            Window(name, pool, steps=((rate, WINDOW_SECONDS),), lead_in=LEAD_IN, seed=seed)
            for name, rate in rates.items()
        ]
        order += [yardstick] if REFERENCE in rates else []
    return order


def ladder(rig: Rig, capacity: dict[Name, float]) -> dict[Name, list[tuple[float, float]]]:
    """p95 (ms) at growing rates (1/s), of each service at shares of its own capacity. A picture, never scored."""
    settings = rig.settings
    steps: dict[Name, list[tuple[float, float]]] = {name: [] for name in NAMES}
    if not settings.ladder_seconds:
        return steps
    most = settings.ladder_seconds * sum(settings.ladder) * max(capacity.values()) * 1.2
    rig.fill("ladder", math.ceil(most + 5 * math.sqrt(most)) + 10)
    windows: list[Driven] = []
    for share in settings.ladder:
        flat = [name for name in NAMES if not steps[name] or steps[name][-1][1] <= STEEP * settings.objective_ms]
        order = [
            Window(
                name,
                "ladder",
                steps=((share * capacity[name], settings.ladder_seconds),),
                lead_in=LEAD_IN,
                seed=rig.seed(f"ladder-{share}"),
            )
            for name in flat
            if capacity[name]
        ]
        driven = rig.drive(order) if order else []
        windows += driven
        for name in NAMES:
            for one in driven:
                if one.target == name:
                    (p95,) = slices.quantiles(one.latencies, 0.95)
                    steps[name].append((share * capacity[name], p95))
    rig.keep("ladder", windows)
    return steps

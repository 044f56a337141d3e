"""The main number: how much the candidate gets done beside the reference, on the same core, in alternating slices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.load import slices
from harness.load.driven import Driven, conditions_of, cpu_per_answer, cpu_share
from harness.load.plan import Window
from harness.load.rig import CANDIDATE, NAMES, REFERENCE, Name, Rig
from harness.load.settings import Settings

LEAD_IN = 0.1
SPARE = 1.5
"""A pool holds this many times the requests that are expected to be sent."""
WARM_UP, WARM_REQUESTS = "warm-up", 1000
"""A pool that nothing is concluded from, and how many requests it has."""
SHORT, LONG = 2.0, 10.0
"""Seconds that a slice waits for its last answers: what a slow service still works on would slow the other's slice."""


@dataclass(frozen=True)
class Warm:
    """Services that have been driven until they got no faster."""

    rates: dict[Name, float]
    """Good answers a second."""
    medians: dict[Name, float]
    """Median latency of a closed loop in seconds; 0 where most answers were not good."""

    def slice_length(self, settings: Settings) -> float:
        """Seconds of a slice: long enough that what happens at its edges is of no account."""
        wanted = max(settings.slice_seconds, settings.slice_factor * max(self.medians.values()))
        return min(wanted, settings.slice_most)


def warm_up(rig: Rig) -> Warm:
    """Drive both services in turns until neither gets faster."""
    settings = rig.settings
    rig.fill(WARM_UP, WARM_REQUESTS)
    order = [
        Window(name, WARM_UP, seconds=settings.warm_window_seconds, users=settings.users, lead_in=0.0) for name in NAMES
    ]
    rates: dict[Name, list[float]] = {name: [] for name in NAMES}
    medians: dict[Name, float] = {}
    warm = False
    while not warm and len(rates[CANDIDATE]) * settings.warm_window_seconds < settings.warm_most_seconds:
        for name, window in zip(NAMES, rig.drive(order), strict=True):
            rates[name].append(float(window.good.sum() / window.seconds))
            (median,) = slices.quantiles(window.latencies, 0.5)
            medians[name] = median / 1e3 if math.isfinite(median) else 0.0
        warm = all(slices.warm(rates[name]) for name in NAMES)
    return Warm({name: rates[name][-1] for name in NAMES}, medians)


@dataclass(frozen=True)
class Round:
    """One round of slices with fresh services: in pairs, one slice of each right after the other."""

    candidate: tuple[Driven, ...]
    reference: tuple[Driven, ...]
    pool_size: int
    burst: float
    isolated: bool = False
    """Whether the service that was not driven was frozen meanwhile."""

    def of(self, name: Name) -> tuple[Driven, ...]:
        """The slices of one service."""
        return self.candidate if name == CANDIDATE else self.reference

    @property
    def clean(self) -> list[tuple[Driven, Driven]]:
        """The pairs that count: no burst of foreign work met either slice.

        A burst is what is unusual for that service. Where the candidate's output keeps the engine busy, all its slices
        are alike, and none is dropped for it.
        """
        bursts = [a or b for a, b in zip(self._bursts(CANDIDATE), self._bursts(REFERENCE), strict=True)]
        pairs = zip(self.candidate, self.reference, bursts, strict=True)
        return [(candidate, reference) for candidate, reference, burst in pairs if not burst]

    @property
    def logs(self) -> list[float]:
        """log of the ratio of throughputs, of each clean pair."""
        return [slices.log_throughput(candidate.slice, reference.slice) for candidate, reference in self.clean]

    @property
    def cpu_logs(self) -> list[float]:
        """log of the ratio of cpu per good answer, of each pair; NaN where it is not known.

        Of pairs that are not clean too: foreign work hardly moves it.
        """
        pairs = zip(self.candidate, self.reference, strict=True)
        return [slices.log_cpu(candidate.slice, reference.slice) for candidate, reference in pairs]

    def _bursts(self, name: Name) -> list[bool]:
        return slices.outliers([conditions_of([one]).foreign or 0.0 for one in self.of(name)], self.burst)

    def rate(self, name: Name) -> float:
        """Good answers a second of one service."""
        own = self.of(name)
        return float(sum(one.good.sum() for one in own) / sum(one.seconds for one in own))

    def cpu_per_answer(self, name: Name) -> float | None:
        """Cpu seconds per good answer of one service; None where it is not known."""
        return cpu_per_answer(self.of(name), name)

    @property
    def idle(self) -> float | None:
        """Share of the core that the candidate used while the reference was driven."""
        return cpu_share(self.reference, CANDIDATE)

    @property
    def repeated(self) -> bool:
        """Whether the pool was too small, so that requests came twice."""
        return any(int(one.number.max(initial=0)) >= self.pool_size for one in self.candidate)


def measure(rig: Rig, warm: Warm, label: str) -> Round:
    """One round, with requests of its own."""
    settings = rig.settings
    length = warm.slice_length(settings)
    whole = length + LEAD_IN + 2 * max(warm.medians.values())
    count = max(math.ceil(settings.pairs / settings.rounds), round(settings.ratio_seconds / (2 * whole)))
    name = f"round-{label}"
    rig.fill(name, math.ceil(SPARE * count * (length + LEAD_IN) * max(warm.rates.values())) + 20 * settings.users)
    shuffled = np.random.default_rng(rig.seed(f"order-{label}")).permuted(np.tile(NAMES, (count, 1)), axis=1)
    order = [Window(service, name, seconds=length, users=settings.users, lead_in=LEAD_IN) for service in shuffled.flat]
    driven = rig.drive(order, patience=min(max(SHORT, 4 * max(warm.medians.values())), LONG))
    rig.keep(name, driven)
    own = {service: tuple(one for one in driven if one.target == service) for service in NAMES}
    return Round(own[CANDIDATE], own[REFERENCE], len(rig.pools[name].bodies), settings.burst, rig.isolate)

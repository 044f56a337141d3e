"""Statistics of slices and of open-loop windows. Pure: numbers in, numbers out.

The ratio rests on half-second slices that alternate between candidate and reference on the same core. Noise that is
slower than a slice meets both and cancels out: the ratio of one 20-second run to the next varied by 2.3 % on a quiet
machine and 32 % on a busy one, that of slices by 0.1 % and 6.8 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

Floats = NDArray[np.float64]
RESAMPLES = 4000


@dataclass(frozen=True)
class Slice:
    """A closed loop to one service, from its start until the last answer."""

    good: int
    """Right answers."""
    seconds: float
    cpu: float | None = None
    """Cpu seconds that the service used."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval."""

    value: float
    low: float
    high: float
    level: float = 0.95

    def holds(self, edges: Sequence[float]) -> bool:
        """Whether one of these values lies within the interval."""
        return any(self.low < edge <= self.high for edge in edges)


def log_throughput(candidate: Slice, reference: Slice) -> float:
    """log of (candidate's good answers a second / the reference's). None at all counts as half an answer.

    All answers until the last one came are divided by all the time until then. Answers within a fixed window would be
    biased by requests in flight: with 8 users on one core and 16 ms an answer, half-second windows read 0.44 for a true
    0.50 where answers come in bursts, this reads 0.50 (simulated, 60 pairs each).
    """
    return float(
        np.log(max(candidate.good, 0.5) / candidate.seconds) - np.log(max(reference.good, 0.5) / reference.seconds)
    )


def log_cpu(candidate: Slice, reference: Slice) -> float:
    """log of (candidate's cpu seconds per good answer / the reference's); NaN where either is not known."""
    if not candidate.cpu or not reference.cpu:
        return float("nan")
    return float(np.log(candidate.cpu / max(candidate.good, 0.5)) - np.log(reference.cpu / max(reference.good, 0.5)))


def estimate(logs: Sequence[float], level: float = 0.95) -> Estimate:
    """exp of the median of logarithms, with its percentile bootstrap interval over them (Efron 1979).

    What is resampled are pairs of slices, never requests: requests of one slice share its noise, and an interval over
    them would be far too narrow.
    """
    values = np.asarray([value for value in logs if np.isfinite(value)])
    if not len(values):
        raise ValueError("no pair of slices to estimate from")
    resampled = np.random.default_rng(0).choice(values, size=(RESAMPLES, len(values)))
    tail = (1 - level) / 2
    low, high = np.quantile(np.median(resampled, axis=1), [tail, 1 - tail])
    return Estimate(float(np.exp(np.median(values))), float(np.exp(low)), float(np.exp(high)), level)


class Verdict(Enum):
    """Whether 95 % of all requests are in time."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"


def judge(late: int, total: int, *, allowed: float = 0.05, confidence: float = 0.95) -> Verdict:
    """MLPerf's early-stopping rule: met or missed as soon as the binomial distribution leaves little doubt.

    Met if so few late ones would be rarer than 1 - confidence were the true share `allowed`: 59 requests with none
    late, 208 with 5, 577 with 20. Missed if so many would be (MLPerf Inference rules, appendix on early stopping).
    """
    if total and float(bdtr(late, total, allowed)) <= 1 - confidence:
        return Verdict.MET
    if late and bdtrc(late - 1, total, allowed) <= 1 - confidence:
        return Verdict.MISSED
    return Verdict.OPEN


def quantiles(milliseconds: Floats, *shares: float) -> tuple[float, ...]:
    """The smallest values that at least each share of all lies at or below; NaN if there are none."""
    if not len(milliseconds):
        return (float("nan"),) * len(shares)
    return tuple(float(v) for v in np.quantile(milliseconds, shares, method="inverted_cdf"))


def warm(rates: Sequence[float], tolerance: float = 0.10, fewest: int = 3) -> bool:
    """Whether a service no longer gets faster: its last window is at most `tolerance` above the fastest before it.

    Not whether windows agree: on a machine whose own speed varies (the reference did 100 to 127 answers a second in
    windows of one second) they do not for 8 to 15 windows, and nothing gets warmer in them.
    """
    return len(rates) >= fewest and rates[-1] <= (1 + tolerance) * max(rates[:-1])


def differ(rounds: Sequence[Sequence[float]], tolerance: float, level: float = 0.95) -> bool:
    """Whether rounds of logarithms lie further apart than `tolerance`, beyond what their intervals leave open."""
    found = [estimate(logs, level) for logs in rounds]
    return max(one.low for one in found) > (1 + tolerance) * min(one.high for one in found)


def within_objective(ladder: Sequence[tuple[float, float]], objective: float) -> float:
    """The greatest rate at which p95 keeps to the objective, interpolated between steps of (1/s, p95 in ms)."""
    best, below = 0.0, None
    for rate, p95 in ladder:
        if p95 > objective:
            return best if below is None else best + (rate - best) * (objective - below) / (p95 - below)
        best, below = rate, p95
    return best


def outliers(shares: Sequence[float], distance: float) -> list[bool]:
    """Which values lie further than `distance` from the median of all."""
    values = np.asarray(shares)
    return [bool(far) for far in np.abs(values - np.median(values)) > distance] if len(values) else []

"""One window as it was driven, with what each of its requests came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.load.generator import Requests
from harness.load.noise import Conditions, conditions
from harness.load.plan import Seen
from harness.load.pool import Pool, Traffic, judge
from harness.load.slices import Slice

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Driven:
    """A window and its requests, those of the lead-in left out; arrays of one length, times in monotonic seconds."""

    seen: Seen
    number: NDArray[np.uint32]
    """In the pool, counted on beyond its end."""
    intended: Floats
    sent: Floats
    done: Floats
    status: NDArray[np.int16]
    good: Flags
    """Status 200 and the right answer."""
    wrong: Flags
    """Status 200 and not the right answer."""
    probes: Floats
    """One row each: sent, done, status."""
    answered: int
    """Answers with status 200, those of the lead-in too."""

    @property
    def target(self) -> str:
        """The service that was driven."""
        return self.seen.window.target

    @property
    def seconds(self) -> float:
        """From its start until its last answer."""
        return self.seen.seconds

    @property
    def latencies(self) -> Floats:
        """Milliseconds from the intended moment to the answer; infinite for every answer that is not good."""
        return np.where(self.good, (self.done - self.intended) * 1e3, np.inf)

    def cpu(self, service: str) -> float | None:
        """Cpu seconds that a service used meanwhile; None if it has no account."""
        before, after = self.seen.before.services, self.seen.after.services
        return after[service] - before[service] if service in before and service in after else None

    @property
    def slice(self) -> Slice:
        """What it counts for in a ratio."""
        return Slice(int(self.good.sum()), self.seconds, self.cpu(self.target))


def cut(seen: Sequence[Seen], requests: Requests, pools: Sequence[Pool], traffic: Traffic) -> list[Driven]:
    """The windows of an order, with their requests judged; `pools` has the pool of each window."""
    answers = judge(requests, pools, traffic)
    windows = []
    for index, one in enumerate(seen):
        own = (requests.window == index) & requests.scored
        windows.append(
            Driven(
                seen=one,
                number=requests.number[own],
                intended=requests.intended[own],
                sent=requests.sent[own],
                done=requests.done[own],
                status=requests.status[own],
                good=answers.good[own],
                wrong=answers.wrong[own],
                probes=requests.probes[requests.probes[:, 0] == index, 1:],
                answered=int(((requests.window == index) & (requests.status == 200)).sum()),
            )
        )
    return windows


def latencies(windows: Sequence[Driven]) -> Floats:
    """Of all requests of some windows; see `Driven.latencies`."""
    return np.concatenate([np.empty(0), *(one.latencies for one in windows)])


def conditions_of(windows: Sequence[Driven]) -> Conditions:
    """How some windows were driven."""
    lags = np.concatenate([np.empty(0), *((one.sent - one.intended) * 1e3 for one in windows)])
    return conditions([one.seen for one in windows], lags)


def cpu_share(windows: Sequence[Driven], service: str) -> float | None:
    """Share of the core that a service used in some windows; None if it has no account."""
    used = [one.cpu(service) for one in windows]
    known = [seconds for seconds in used if seconds is not None]
    return sum(known) / sum(one.seconds for one in windows) if known and len(known) == len(used) else None


def cpu_per_answer(windows: Sequence[Driven], service: str) -> float | None:
    """Cpu seconds per good answer of one service, in windows in which it was driven; None where that is not known."""
    share, good = cpu_share(windows, service) if windows else None, sum(int(one.good.sum()) for one in windows)
    return share * sum(one.seconds for one in windows) / good if share is not None and good else None

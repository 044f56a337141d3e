"""What only load shows: overload and what comes after it, health while predictions run, and caches."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus

import numpy as np

from harness.load import slices
from harness.load.driven import Driven
from harness.load.plan import ABANDONED, DROPPED, NO_ANSWER, Window
from harness.load.pool import Pool
from harness.load.rig import CANDIDATE, Rig
from harness.load.slices import Verdict

CLEAR = (429, 503)
"""Answers that shed load and say so."""
HEAVY_USERS = 2
HEAVY_REQUESTS, LIGHT_REQUESTS = 40, 1000
SAME_WARM = 0.1
NAMES_OF_NOTHING = {NO_ANSWER: "no answer", ABANDONED: "no answer in time", DROPPED: "no answer in time"}


@dataclass(frozen=True)
class Overload:
    """A burst beyond capacity, and the quiet after it."""

    rate: float
    statuses: Counter[str]
    """What the requests of the burst were answered with."""
    clear: float
    """Share of them with a right answer, a 429 or a 503."""
    late: int
    """Requests that were late, of those sent when everything had to be back to normal..."""
    total: int
    limit_ms: float
    """...which means answered rightly within this time."""
    p95: float

    @property
    def recovered(self) -> bool:
        """Whether the latency is back: not if so many late ones are beyond chance."""
        return self.total > 0 and slices.judge(self.late, self.total) is not Verdict.MISSED


def overload(rig: Rig, capacity: float, limit_ms: float, label: str) -> Overload:
    """Drive the candidate beyond its capacity, then at a fraction of it."""
    settings = rig.settings
    rate = settings.overload * capacity
    steps = ((rate, settings.overload_seconds), (settings.after * capacity, settings.after_seconds))
    most = sum(each * seconds for each, seconds in steps)
    pool = f"overload-{label}"
    rig.fill(pool, math.ceil(most + 5 * math.sqrt(most)) + 10)
    (driven,) = rig.drive([Window(CANDIDATE, pool, steps=steps, lead_in=0.0, seed=rig.seed(pool))])
    rig.keep(pool, [driven])
    start = driven.seen.before.at
    burst = driven.intended < start + settings.overload_seconds
    back = driven.intended >= start + driven.seen.window.length - settings.recovered_seconds
    statuses = Counter(
        _name(int(status), bool(wrong)) for status, wrong in zip(driven.status[burst], driven.wrong[burst], strict=True)
    )
    clear = driven.good[burst] | np.isin(driven.status[burst], CLEAR)
    after = driven.latencies[back]
    (p95,) = slices.quantiles(after, 0.95)
    return Overload(
        rate=rate,
        statuses=statuses,
        clear=float(clear.mean()) if len(clear) else 0.0,
        late=int((after > limit_ms).sum()),
        total=len(after),
        limit_ms=limit_ms,
        p95=p95,
    )


def _name(status: int, wrong: bool) -> str:
    return "a wrong answer" if wrong else NAMES_OF_NOTHING.get(status, str(status))


@dataclass(frozen=True)
class Health:
    """The health route while predictions run."""

    probes: int
    failed: int
    p95: float
    """Milliseconds."""
    prediction: float
    """Median of what the predictions took meanwhile, in milliseconds; NaN if none was answered with 200. Only the first
    answer to a request counts: a cache may repeat it at once."""
    rows: int


def health(rig: Rig, label: str) -> Health:
    """Ask the health route while large predictions run, or single ones where large ones are not answered.

    Only a prediction that takes long tells a service whose event loop it blocks: the health route waits for its end.
    """
    settings = rig.settings
    pool, rows = f"heavy-{label}", settings.health_rows
    rig.fill(pool, HEAVY_REQUESTS, rows=rows)
    driven = _probed(rig, pool, HEAVY_USERS)
    if not (driven.status == HTTPStatus.OK).any():
        pool, rows = f"light-{label}", 1
        rig.fill(pool, LIGHT_REQUESTS)
        driven = _probed(rig, pool, settings.users)
    rig.keep(f"health-{label}", [driven])
    return health_of(driven, rows, len(rig.pools[pool].bodies))


def health_of(driven: Driven, rows: int, different: int) -> Health:
    """What a window says of the health route, driven with that many different requests of `rows` rows."""
    predicted = (driven.status == HTTPStatus.OK) & (driven.number < different)
    taken = (driven.done - driven.sent)[predicted] * 1e3
    probed = (driven.probes[:, 1] - driven.probes[:, 0]) * 1e3
    failed = driven.probes[:, 2] != HTTPStatus.OK
    (p95,) = slices.quantiles(np.where(failed, np.inf, probed), 0.95)
    return Health(len(probed), int(failed.sum()), p95, float(np.median(taken)) if len(taken) else math.nan, rows)


def _probed(rig: Rig, pool: str, users: int) -> Driven:
    seconds, path = rig.settings.health_seconds, rig.settings.health_path
    window = Window(CANDIDATE, pool, seconds=seconds, users=users, lead_in=0.0, probe=path, seed=rig.seed(pool))
    return rig.drive([window])[0]


def same_against_unique(rig: Rig, capacity: float, length: float) -> float | None:
    """Throughput with one request sent over and over, as a multiple of that with unique ones; None if it was left out.

    0.98 to 1.02 for an honest service, 8.9 for one with a cache. Noted only: capacity counts unique requests.
    """
    pairs = rig.settings.same_pairs
    if not pairs:
        return None
    rig.fill("unique", math.ceil(2 * capacity * pairs * (length + SAME_WARM)) + 100)
    unique = rig.pools["unique"]
    rig.put(Pool("same", unique.bodies[:1], unique.expected[:1]))
    driven = rig.drive(
        [
            Window(CANDIDATE, pool, seconds=length, users=rig.settings.users, lead_in=SAME_WARM)
            for _ in range(pairs)
            for pool in ("same", "unique")
        ]
    )
    rig.keep("same", driven)
    logs = [
        slices.log_throughput(same.slice, other.slice) for same, other in zip(driven[::2], driven[1::2], strict=True)
    ]
    return float(np.exp(np.median(logs)))

"""Windows as a generator would have seen them, and as much of a rig as a phase asks for."""

from __future__ import annotations

import math
from contextlib import nullcontext

import numpy as np

from harness.load.driven import Driven
from harness.load.plan import Reading, Seen, Window
from harness.load.rig import CANDIDATE, REFERENCE
from harness.load.settings import Settings


def window(
    target, good, *, bad=0, busy=0.95, foreign=0.0, seconds=1.0, idle=0.0, generator=0.3, account=True
) -> Driven:
    """One slice: `busy` and `idle` are the cpu of the service that is driven and of the other."""
    other = REFERENCE if target == CANDIDATE else CANDIDATE
    used = {target: busy * seconds, other: idle * seconds} if account else {}
    core = min(1.0, busy + idle + foreign) * seconds
    before = Reading(0.0, (0.0, 0.0), 0.0, dict.fromkeys(used, 0.0))
    after = Reading(seconds, (core, generator * seconds), generator * seconds, used)
    total = good + bad
    flags = np.arange(total) < good
    times = np.linspace(0, seconds, total)
    return Driven(
        seen=Seen(Window(target, "pool", seconds=seconds, users=8), before, after),
        number=np.arange(total, dtype=np.uint32),
        intended=times,
        sent=times,
        done=times + 0.01,
        status=np.where(flags, 200, 500).astype(np.int16),
        good=flags,
        wrong=np.zeros(total, dtype=bool),
        probes=np.empty((0, 3)),
        answered=good,
    )


class Patient:
    """As much of a rig as `tried` asks for."""

    settings = Settings(repeats=2, pause_seconds=0)
    isolate = False

    def left(self):
        return math.inf

    def say(self, _):
        pass

    def measuring(self):
        return nullcontext()

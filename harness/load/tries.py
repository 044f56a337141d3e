"""A phase that the machine disturbed is tried again, and so is one that would cost points.

After a disturbed one, the service that is not driven is frozen: were it the candidate that disturbs the reference, that
ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.load.rig import Rig

T = TypeVar("T")


@dataclass(frozen=True)
class Tried(Generic[T]):
    """A phase's last result, and why it is void; nothing if it is not."""

    result: T
    void: tuple[str, ...] = ()


def tried(
    rig: Rig,
    attempt: Callable[[str], T],
    void: Callable[[T], Sequence[str]],
    fine: Callable[[T], bool] = lambda _: True,
) -> Tried[T]:
    """Try a phase until nothing makes it void, as often as the settings allow. Each try is given a label of its own.

    A result that is not `fine` would cost points, so it is measured again first: only two in a row stand.
    """
    before, number, failed = rig.isolate, 0, False
    try:
        while True:
            number += 1
            result = attempt(str(number))
            why = tuple(void(result))
            last = number >= rig.settings.repeats or not rig.left()
            if why and last:
                return Tried(result, why)
            if not why and (fine(result) or failed or not rig.left()):
                return Tried(result)
            failed = not why
            if failed:
                rig.say("measuring again before it costs points")
                continue
            rig.say(f"disturbed, trying again: {why[0]}")
            with rig.measuring():
                time.sleep(rig.settings.pause_seconds)
            rig.isolate = True
    finally:
        rig.isolate = before

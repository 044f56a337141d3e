"""The generator: Locust's fast client in a process of its own, because importing Locust patches the standard library.

It drives what it is told to and records each request raw; it judges nothing. Its protocol is one line of JSON on
standard input, one back on standard output; it ends when standard input does, so it cannot outlive the harness.

Two things of Locust's are not used, for reasons that were measured. Its percentiles have buckets of 1 to 10 ms and
count failures as fast answers. Its users wait for an answer before they send again, so a service that stalls is simply
sent less (a server frozen 17 % of the time read p95 3.3 ms): the open loop here sends at times drawn beforehand.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import numpy as np
from gevent.fileobject import FileObjectThread
from gevent.queue import Queue

from harness.load import clocks, plan
from harness.load.loops import Loop
from harness.load.notes import Notes
from harness.load.plan import Order, Seen, Window


class Driver:
    """Drives windows with the pools that it was given."""

    def __init__(self, cores: tuple[int, ...]) -> None:
        self._cores = cores
        self._pools: dict[str, list[bytes]] = {}
        self._next: dict[tuple[str, str], int] = {}

    def fill(self, name: str, path: str) -> None:
        """Read a pool of request bodies."""
        with np.load(path) as file:
            ends, whole = np.cumsum(file["lengths"]).tolist(), file["bodies"].tobytes()
        self._pools[name] = [whole[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        self._next = {key: number for key, number in self._next.items() if key[1] != name}

    def drive(self, order: Order) -> list[Seen]:
        """Drive all windows and write what each request did."""
        targets = {target.name: target for target in order.targets}
        notes, seen = Notes(), []
        gc.disable()  # a collection in the middle of a window would look like a late answer
        try:
            for index, window in enumerate(order.windows):
                gc.collect()
                take, read = partial(self._take, window), partial(clocks.read, self._cores, targets)
                loop = Loop(order, window, index, targets[window.target], take, read, notes)
                seen.append(Seen(window, *loop.run()))
        finally:
            gc.enable()
        notes.write(order.out)
        return seen

    def _take(self, window: Window) -> tuple[int, bytes]:
        """The next request of a window's pool; after the last comes the first again."""
        pool, key = self._pools[window.pool], (window.target, window.pool)
        number = self._next.get(key, 0)
        self._next[key] = number + 1
        return number, pool[number % len(pool)]


def answer(driver: Driver, command: dict[str, Any]) -> dict[str, Any]:
    """Do what a command says."""
    if command["do"] == "pool":
        driver.fill(command["name"], command["path"])
        return {}
    return {"seen": [json.loads(plan.dump(one)) for one in driver.drive(plan.order(command["order"]))]}


def main(settings: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
    """Answer commands until standard input ends."""
    if settings["pin"]:
        os.sched_setaffinity(0, settings["pin"])
    driver = Driver(tuple(settings["cores"]))
    commands: Queue[bytes] = Queue()

    def listen() -> None:
        for line in FileObjectThread(sys.stdin.buffer, "rb"):
            commands.put(line)
        os._exit(0)  # in the middle of a window too: nobody is left who would read the result

    gevent.spawn(listen)
    reply({"ready": True})
    while True:
        try:
            reply(answer(driver, json.loads(commands.get())))
        except Exception:  # it is the harness that must know and stop, not this process that must end
            reply({"error": traceback.format_exc()})


if __name__ == "__main__":
    # Libraries may print; the protocol keeps the real standard output to itself.
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    main(json.loads(sys.argv[1]), lambda value: print(json.dumps(value), file=channel, flush=True))

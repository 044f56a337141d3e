"""One window at work: the closed loop and the open one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import gevent
import numpy as np
from gevent.event import Event
from gevent.pool import Group
from numpy.typing import NDArray

from harness.load.connection import Connection
from harness.load.notes import Note, Notes
from harness.load.plan import ABANDONED, DROPPED, NO_ANSWER, Order, Reading, Target, Window

REFUSED_PAUSE = 0.01
"""Seconds that a user of a closed loop waits after no answer: a port that refuses would be asked as fast as it can."""
HEAD_START = 0.005
"""Seconds between the making of arrival times and the first of them."""


@dataclass
class Loop:
    """Drives one window to its end."""

    order: Order
    window: Window
    index: int
    target: Target
    take: Callable[[], tuple[int, bytes]]
    """Gives the next request, with its number."""
    read: Callable[[], Reading]
    """Reads all clocks."""
    notes: Notes
    _idle: list[Connection] = field(default_factory=list)
    _broken: list[BaseException] = field(default_factory=list)
    """What went wrong in our own code, which gevent would only print."""

    def run(self) -> tuple[Reading, Reading]:
        """The clocks at its start, the lead-in over, and at its end, when no request waits for an answer any more."""
        before = self._open() if self.window.steps else self._closed()
        after = self.read()
        for connection in self._idle:
            connection.close()
        return before, after

    def _closed(self) -> Reading:
        self._idle = [self._connect() for _ in range(self.window.users)]
        self._users(self.window.lead_in, scored=False)
        before = self.read()
        stop = Event()
        probing = gevent.spawn(self._probe, stop) if self.window.probe else None
        self._users(self.window.seconds, scored=True)
        if probing:
            stop.set()
            probing.join(self.order.timeout)
            probing.kill()
        return before

    def _users(self, seconds: float, *, scored: bool) -> None:
        """All users send, one request after the other, and stop after `seconds` with the answer that they wait for."""
        end = time.monotonic() + seconds

        def user(connection: Connection) -> None:
            while (now := time.monotonic()) < end:
                if self._send(connection, now, scored=scored) == NO_ANSWER:
                    gevent.sleep(REFUSED_PAUSE)

        group = Group()
        for connection in self._idle:
            self._spawn(group, user, connection)
        gevent.sleep(seconds)
        self._finish(group)

    def _open(self) -> Reading:
        window, group, before = self.window, Group(), None
        times = arrivals(((window.steps[0][0], window.lead_in), *window.steps), window.seed)
        start = time.monotonic() + HEAD_START
        scored_from = start + window.lead_in
        for intended in (start + times).tolist():
            scored = intended >= scored_from
            if scored and before is None:
                sleep_until(scored_from)
                before = self.read()
            sleep_until(intended)
            if len(group) < self.order.in_flight:
                self._spawn(group, self._one, intended, scored)
            else:
                now = time.monotonic()
                self.notes.add(Note(self.index, 0, intended, now, now, DROPPED, scored))
        sleep_until(scored_from + window.length)
        self._finish(group)
        return before or self.read()

    def _one(self, intended: float, scored: bool) -> None:
        connection = self._idle.pop() if self._idle else self._connect()
        self._send(connection, intended, scored=scored)
        self._idle.append(connection)

    def _send(self, connection: Connection, intended: float, *, scored: bool) -> int:
        number, body = self.take()
        sent = time.monotonic()
        try:
            status, content, encoding = connection.send("POST", self.target.path, body)
        except gevent.GreenletExit:
            self.notes.add(Note(self.index, number, intended, sent, time.monotonic(), ABANDONED, scored))
            raise
        self.notes.add(Note(self.index, number, intended, sent, time.monotonic(), status, scored), content, encoding)
        return status

    def _probe(self, stop: Event) -> None:
        # At random moments: a route that waits for a lock would answer whenever it is free, and one pause later a
        # regular probe would always meet the same part of the next prediction.
        connection, rng = self._connect(), np.random.default_rng(self.window.seed)
        while not stop.is_set():
            sent = time.monotonic()
            status, _, _ = connection.send("GET", self.window.probe)
            self.notes.add_probe(self.index, sent, time.monotonic(), status)
            stop.wait(rng.exponential(self.window.probe_pause))
        connection.close()

    def _spawn(self, group: Group, run: Callable[..., object], *arguments: object) -> None:
        group.spawn(run, *arguments).link_exception(lambda ended: self._broken.append(ended.exception))

    def _finish(self, group: Group) -> None:
        group.join(timeout=self.order.patience)
        group.kill()
        if self._broken:
            raise self._broken[0]

    def _connect(self) -> Connection:
        return Connection(self.target, self.order)


def arrivals(steps: Iterable[tuple[float, float]], seed: int) -> NDArray[np.float64]:
    """Times in seconds, from 0 on, of a Poisson process that goes through steps of (events a second, seconds)."""
    generator = np.random.default_rng(seed)
    times, start = [np.empty(0)], 0.0
    for rate, seconds in steps:
        count = generator.poisson(rate * seconds)
        times.append(start + np.sort(generator.uniform(0.0, seconds, count)))
        start += seconds
    return np.concatenate(times)


def sleep_until(moment: float) -> None:
    """Let others run until then; for a moment in the past too, or the requests just spawned would never start."""
    gevent.sleep(max(0.0, moment - time.monotonic()))

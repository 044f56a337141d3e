"""Before anything runs: is the machine quiet, and how fast is the generator itself?"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InfrastructureError
from harness.load import clocks, slices
from harness.load.generator import Generator, Requests
from harness.load.plan import Order, Target, Window
from harness.load.settings import Settings
from harness.stages import deadline

NULL = "null"
CEILING_SECONDS = 1.0
FLOOR_SECONDS = 1.0
FLOOR_MARGIN = 5
"""The objective is at least this many times the harness's own latency."""


@dataclass(frozen=True)
class Floor:
    """The generator against a server that answers at once."""

    ceiling: float
    """Requests a second of a closed loop."""
    p95: float
    """Latency in milliseconds of an open loop at the required rate: the harness's own."""


def watch(cores: Sequence[int], seconds: float) -> float:
    """Share of the busiest of the cores that is used while the harness does nothing."""
    before = clocks.read(tuple(cores), {})
    time.sleep(seconds)
    after = clocks.read(tuple(cores), {})
    elapsed = after.at - before.at
    own = 0.0 if len(cores) > 1 else after.own - before.own
    return max((b - a - own) / elapsed for a, b in zip(before.busy, after.busy, strict=True)) if elapsed > 0 else 0.0


def wait_until_quiet(cores: Sequence[int], settings: Settings, say: Callable[[str], None]) -> str:
    """Watch the machine until it is quiet, for as long as the settings allow; returns what still disturbs it."""
    left = deadline(settings.repeats * (settings.quiet_seconds + settings.pause_seconds))
    while (share := watch(cores, settings.quiet_seconds)) > settings.foreign and left():
        # What the stage before has left to the engine is over within seconds.
        say(f"others use {share:.0%} of a core: waiting for quiet")
    if share <= settings.foreign:
        return ""
    return f"others used {share:.1%} of a core before anything ran, more than {settings.foreign:.0%}"


def check(floor: Floor, settings: Settings) -> None:
    """Hold the harness's own latency against the objective.

    Raises:
        InfrastructureError: this machine is too slow, or too busy, to judge it.
    """
    if floor.p95 * FLOOR_MARGIN > settings.objective_ms:
        raise InfrastructureError(
            f"load is inconclusive: the harness's own latency (p95 {floor.p95:.1f} ms) is more than a fifth of the "
            f"objective of {settings.objective_ms:g} ms"
        )


def floor(generator: Generator, core: Sequence[int], rate: float, headers: dict[str, str], body: bytes) -> Floor:
    """Measure the generator against a null server on the core of the services."""
    with _null_server(core) as url:
        generator.fill(NULL, [body])
        windows = (
            Window(NULL, NULL, seconds=CEILING_SECONDS, users=8, lead_in=0.5),
            Window(NULL, NULL, steps=((max(rate, 100.0), FLOOR_SECONDS),), seed=1),
        )
        _, requests = generator.drive(Order((Target(NULL, url),), windows, out="", headers=headers))
    return _floor(requests)


def _floor(requests: Requests) -> Floor:
    closed = requests.scored & (requests.window == 0) & (requests.status == 200)
    opened = requests.scored & (requests.window == 1)
    (p95,) = slices.quantiles((requests.done - requests.intended)[opened] * 1e3, 0.95)
    return Floor(float(closed.sum()) / CEILING_SECONDS, p95)


@contextmanager
def _null_server(cores: Sequence[int]) -> Iterator[str]:
    root = Path(__file__).resolve().parents[2]
    # It inherits a socket that listens already: whoever connects early waits, and nobody waits for a line of output.
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        command = [sys.executable, "-m", "harness.load.null", str(listening.fileno()), *map(str, cores)]
        with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, pass_fds=[listening.fileno()]) as server:
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                server.kill()

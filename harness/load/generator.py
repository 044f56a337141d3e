"""Our side of the generator's process: starts it, asks it, and ends it with everything it started."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.errors import InfrastructureError
from harness.load import plan
from harness.load.plan import Order, Seen

START_SECONDS = 30
GRACE_SECONDS = 20
"""What an order may take beyond its own windows and waits."""


@dataclass(frozen=True)
class Requests:
    """What each request of an order did; arrays of one length, times in monotonic seconds."""

    window: NDArray[np.uint16]
    number: NDArray[np.uint32]
    """Its number in the pool, counted on beyond the pool's end."""
    intended: NDArray[np.float64]
    sent: NDArray[np.float64]
    done: NDArray[np.float64]
    status: NDArray[np.int16]
    scored: NDArray[np.bool_]
    """False in a lead-in."""
    bodies: tuple[bytes, ...]
    encodings: NDArray[np.str_]
    """Content encodings of the answers."""
    probes: NDArray[np.float64]
    """One row each: window, sent, done, status."""


class Generator:
    """The generator's process; use as a context manager."""

    def __init__(self, *, pin: Sequence[int], cores: Sequence[int], log: Path, scratch: Path) -> None:
        """`pin`: cores that it may use, none for any; `cores`: whose clocks to read; `log`: for what it prints;
        `scratch`: a folder for files between the two processes."""
        self._settings = json.dumps({"pin": list(pin), "cores": list(cores)})
        self._log, self._scratch = log, scratch
        self._orders = 0
        self._buffer = b""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "harness.load.driver", self._settings]
        # One thread of numpy's is enough, and nothing of the user's own Locust configuration may reach it.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LOCUST_")} | {"OMP_NUM_THREADS": "1"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd=Path(__file__).resolve().parents[2],
                start_new_session=True,
            )
        self._ready = False
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # a command that it did not live to read
                if stream:
                    stream.close()

    def fill(self, name: str, bodies: Sequence[bytes]) -> None:
        """Hand over a pool of request bodies."""
        path = self._scratch / f"pool-{name}.npz"
        np.savez(
            path,
            lengths=np.array([len(body) for body in bodies], dtype="u4"),
            bodies=np.frombuffer(b"".join(bodies), dtype="u1"),
        )
        self._ask({"do": "pool", "name": name, "path": str(path)}, GRACE_SECONDS)
        path.unlink()

    def drive(self, order: Order) -> tuple[list[Seen], Requests]:
        """Drive an order and return what was seen of its windows and requests. Its `out` is chosen here.

        Raises:
            InfrastructureError: the generator ended, failed, or took longer than its windows can.
        """
        self._orders += 1
        out = self._scratch / f"order-{self._orders}.npz"
        raw = json.loads(plan.dump(order)) | {"out": str(out)}
        longest = sum(w.lead_in + w.length + 2 * order.patience + order.timeout for w in order.windows)
        reply = self._ask({"do": "drive", "order": raw}, longest + GRACE_SECONDS)
        with np.load(out) as file:
            table = {name: file[name] for name in file.files}
        out.unlink()
        ends, whole = np.cumsum(table.pop("lengths")).tolist(), table.pop("bodies").tobytes()
        bodies = tuple(whole[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)) if ends else ()
        return [plan.seen(one) for one in reply["seen"]], Requests(bodies=bodies, **table)

    def _ask(self, command: dict[str, Any], seconds: float) -> dict[str, Any]:
        if self._process.stdin is None:
            raise InfrastructureError("the load generator has no input")
        if not self._ready:
            # Locust takes a second to import, which the harness can use for other things.
            self._receive(START_SECONDS)
            self._ready = True
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise InfrastructureError(self._ended()) from error
        reply = self._receive(seconds)
        if "error" in reply:
            raise InfrastructureError(f"the load generator failed: {reply['error'].strip().splitlines()[-1]}")
        return reply

    def _receive(self, seconds: float) -> dict[str, Any]:
        stream = self._process.stdout
        if stream is None:
            raise InfrastructureError("the load generator has no output")
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise InfrastructureError(f"the load generator did not answer within {seconds:.0f} s")
                chunk = os.read(stream.fileno(), 65536)
                if not chunk:
                    raise InfrastructureError(self._ended())
                self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _ended(self) -> str:
        tail = self._log.read_text("utf-8", "replace").splitlines()[-3:]
        return f"the load generator ended: {' / '.join(tail) or 'it printed nothing'}"

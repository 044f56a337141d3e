"""Waiting for a service to become ready, and saying in plain words why it did not.

Whether it is ready, it shows by what it answers. Only the explanation draws on what it printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import httpx

from harness import listeners
from harness.client import plain_http
from harness.errors import SubmissionError
from harness.inspection import start_failure
from harness.sandbox import Service

INTERVAL = 0.05
LOOK = 0.5
"""Seconds between two questions to the engine whether the service still runs: each costs it as much as ten answers."""
SAID_CAP = 300
"""Bytes of an answer that is not ready that are shown."""
BY_THE_ENGINE = "by the engine's own record"
NOTHING_LISTENS = "nothing listens on its port"
TAIL = 15
"""Lines of a service's output that an explanation shows."""


class NotReady(SubmissionError):
    """A service that ended, or that did not answer 200 where it says that it is ready."""


def wait_ready(
    service: Service,
    paths: Sequence[str],
    seconds: float,
    meanwhile: Callable[[str], None] = lambda _: None,
    *,
    interval: float = INTERVAL,
) -> float:
    """Wait until the service says at one of `paths` that it is ready; returns the seconds it took.

    A later path is asked only where those before it are not there (404): a service that answers 503 at the first is
    not ready, whatever it says at the second. `meanwhile` is told at each attempt what stands in the way; `interval`
    is the time between two of them (s).

    Raises:
        NotReady: the service ended, or the deadline passed; the first line of its message says why.
    """
    start = looked = time.monotonic()
    with httpx.Client(base_url=service.url, timeout=2.0, trust_env=False, verify=plain_http()) as http:
        while (waited := time.monotonic() - start) < seconds:
            if not (last := obstacle(http, paths)):
                return time.monotonic() - start
            if time.monotonic() - looked >= LOOK:
                looked = time.monotonic()
                if not service.state().running:
                    raise NotReady(ended(service))
            meanwhile(last)
            time.sleep(interval)
    why = _where(service, last)
    if service.state().killed_for_memory:
        why = f"{BY_THE_ENGINE} one of its processes was killed because it used more memory than its limit"
    raise NotReady(_explained(f"not ready after {waited:.0f} s: {why}", service.logs()))


def obstacle(http: httpx.Client, paths: Sequence[str]) -> str:
    """What stands in the way of readiness now, or an empty string."""
    for path in paths:
        try:
            with http.stream("GET", path) as answer:
                status = answer.status_code
                said = "" if status in (200, 404) else _start(answer)
        except httpx.ConnectError:
            return NOTHING_LISTENS
        except httpx.HTTPError as error:
            return f"{path}: {type(error).__name__}"
        if status != 404:
            return "" if status == 200 else f"{path} answers {status}{said and f': {said}'}"
    return f"{' and '.join(paths)} answer 404"


def _start(answer: httpx.Response) -> str:
    """The start of an answer on one line: what it says of the reason."""
    said = next(answer.iter_bytes(SAID_CAP), b"")[:SAID_CAP]
    return " ".join(said.decode("utf-8", "replace").split())


def ended(service: Service) -> str:
    """Why a service that runs no more ended, with the end of its output."""
    state = service.state()
    why = f"it exited with code {state.exit_code}"
    if state.killed_for_memory:
        why = f"{BY_THE_ENGINE} it was killed because it used more memory than its limit"
    return _explained(f"the service ended before it was ready: {why}", service.logs())


def _where(service: Service, last: str) -> str:
    """What was last seen of a service; where it does not listen on its port, where it listens instead."""
    port = urlsplit(service.url).port
    if last != NOTHING_LISTENS or (found := listeners.of(service.processes())) is None:
        return last
    if not found:
        nowhere = "it listens on no port at all"
        if tries := listeners.attempts(service.processes()):
            nowhere += (
                f", and by the kernel's counters it has tried to reach something over the network ({tries} packets): "
                "it seems to wait for the network, and there is none. Put all that it needs into the image"
            )
        return nowhere
    if any(one.port == port and one.loopback for one in found):
        return f"it listens on 127.0.0.1:{port}, which nothing outside its container can reach; bind 0.0.0.0"
    ports = ", ".join(sorted({str(one.port) for one in found if not one.loopback} or {str(one.port) for one in found}))
    return f"it listens on port {ports}, not on {port}, which $PORT names (and which is the default without $PORT)"


def _explained(what: str, said: str) -> str:
    hint = start_failure.cause(said)
    tail = "\n".join(said.splitlines()[-TAIL:]) or "(it printed nothing)"
    return f"{what}. {hint}".rstrip() + f"\nThe end of its output:\n{tail}"

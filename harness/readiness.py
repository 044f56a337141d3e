"""Waiting for a service to become ready, and saying in plain words why it did not."""

from __future__ import annotations

import time

import httpx

from harness.errors import SubmissionError
from harness.sandbox import Service

INTERVAL = 0.05


class NotReady(SubmissionError):
    """A service that ended, or that did not answer 200 where it says that it is ready."""


def wait_ready(service: Service, path: str, seconds: float) -> float:
    """Wait until `path` answers 200; returns the seconds it took.

    Raises:
        NotReady: the service ended, or the deadline passed.
    """
    start = time.monotonic()
    last = "nothing listens on its port"
    with httpx.Client(base_url=service.url, timeout=2.0, trust_env=False) as http:
        while (waited := time.monotonic() - start) < seconds:
            try:
                with http.stream("GET", path) as answer:
                    if answer.status_code == 200:
                        return time.monotonic() - start
                    last = f"{path} answers {answer.status_code}"
            except httpx.ConnectError:
                last = "nothing listens on its port"
            except httpx.HTTPError as error:
                last = f"{path}: {type(error).__name__}"
            state = service.state()
            if not state.running:
                raise NotReady(_ended(service))
            time.sleep(INTERVAL)
    raise NotReady(f"not ready after {waited:.0f} s: {last}. The end of its output:\n{_tail(service)}")


def _ended(service: Service) -> str:
    state = service.state()
    why = "it was killed for memory" if state.killed_for_memory else f"it exited with code {state.exit_code}"
    return f"the service ended before it was ready: {why}. The end of its output:\n{_tail(service)}"


def _tail(service: Service, lines: int = 15) -> str:
    return "\n".join(service.logs().splitlines()[-lines:]) or "(it printed nothing)"

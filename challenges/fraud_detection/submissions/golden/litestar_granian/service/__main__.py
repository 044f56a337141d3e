"""`python -m service` serves until SIGTERM, then answers what is in flight and exits."""

from __future__ import annotations

import sys

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from service.settings import Settings


def main() -> None:
    """One worker and one event loop: the drift monitor's window and the counters live in its process."""
    try:
        settings = Settings.of_environment()
    except ValueError as error:
        sys.exit(str(error))
    Granian(
        "service.app:create",
        factory=True,
        address="0.0.0.0",
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        # Longer than a load balancer's: else it sends a request down a connection that is just being closed.
        http1_settings=HTTP1Settings(header_read_timeout=75_000),
        workers_kill_timeout=settings.drain_seconds,
    ).serve()


if __name__ == "__main__":
    main()

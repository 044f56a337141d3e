"""`python -m service` serves until SIGTERM, then answers what is in flight and exits."""

from __future__ import annotations

import logging
import sys

import uvicorn

from service.app import create_app
from service.settings import Settings


def main() -> None:
    """One process and one event loop: the drift monitor's window and the counters live in this process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # A prediction holds the interpreter's lock; the event loop gets it back after 1 ms, not 5, to answer the probes.
    sys.setswitchinterval(0.001)
    try:
        settings = Settings.of_environment()
    except ValueError as error:
        sys.exit(str(error))
    uvicorn.run(
        create_app(settings),
        host="0.0.0.0",
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        # Longer than a load balancer's: else it sends a request down a connection that is just being closed.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


if __name__ == "__main__":
    main()

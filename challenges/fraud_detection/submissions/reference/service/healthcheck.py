"""`python -m service.healthcheck` is the container's health check: exit code 0 if the service is ready, else 1."""

from __future__ import annotations

import http.client
import os
import sys


def ready() -> bool:
    """Whether the service on this port says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8080), timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not ready())

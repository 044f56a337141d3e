"""Where a service says that it is ready: at the first of the contract's paths that is there."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from harness.challenge import Contract
from harness.readiness import obstacle

PATHS = Contract().ready_paths


@pytest.fixture
def answers() -> Iterator[tuple[dict[str, int], httpx.Client]]:
    """Statuses by path, which a test may change, and a client of the server that answers with them."""
    statuses: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as http:
        yield statuses, http
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("said", "stands_in_the_way"),
    [
        ({"/readyz": 200, "/ping": 200}, ""),
        ({"/readyz": 200, "/ping": 503}, ""),
        ({"/ping": 200}, ""),
        ({"/readyz": 503, "/ping": 200}, "/readyz answers 503"),
        ({"/readyz": 500, "/ping": 200}, "/readyz answers 500"),
        ({"/ping": 503}, "/ping answers 503"),
        ({"/livez": 200}, "/readyz and /ping answer 404"),
    ],
)
def test_a_later_path_counts_only_where_the_earlier_is_not_there(answers, said, stands_in_the_way):
    statuses, http = answers
    statuses.update(said)
    assert obstacle(http, PATHS) == stands_in_the_way

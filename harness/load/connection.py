"""One keep-alive connection from the generator to a service, by Locust's fast client."""

from __future__ import annotations

import time

import gevent
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment

from harness.load.plan import NO_ANSWER, Order, Target

BODY_CAP = 64 * 1024
"""Bytes of an answer that are kept."""
IDLE = 1.0
"""Seconds after which an idle connection is not used again: servers close them after as little as 2 s, and a request
that meets a closing connection would count against the service."""
EVENTS = Environment().events


class Connection:
    """Opened by its first request, and again by the first one after a pause."""

    def __init__(self, target: Target, order: Order) -> None:
        self._timeout, self._headers = order.timeout, dict(order.headers)
        self._session = FastHttpSession(
            base_url=target.url,
            request_event=EVENTS.request,
            user=None,
            concurrency=1,
            connection_timeout=order.timeout,
            network_timeout=order.timeout,
            max_retries=0,
        )
        self._session.client.cookiejar = None
        self._used = time.monotonic()

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, str]:
        """Status, body up to the cap, and content encoding of the answer; status `NO_ANSWER` if there is none."""
        if time.monotonic() - self._used > IDLE:
            self.close()
        try:
            with gevent.Timeout(self._timeout):
                answer = self._session.request(
                    method,
                    path,
                    data=body,  # type: ignore[arg-type]  # Locust says text; geventhttpclient below it sends bytes too
                    headers=self._headers,
                    stream=True,
                    allow_redirects=False,
                )
                if not answer.status_code or answer.headers is None:
                    return NO_ANSWER, b"", ""
                try:
                    return answer.status_code, answer.read(BODY_CAP), str(answer.headers.get("content-encoding") or "")
                finally:
                    answer.release()
        except (Exception, gevent.Timeout):  # whatever a service does to a connection, it gave no answer
            return NO_ANSWER, b"", ""
        finally:
            self._used = time.monotonic()

    def close(self) -> None:
        """Close it."""
        self._session.client.clientpool.close()

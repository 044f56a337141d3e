"""The harness's own HTTP client: every wait has a deadline and every body a cap, whatever the service does."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness.errors import SubmissionError

BODY_CAP = 8 * 1024 * 1024
"""Bytes of an answer that are read; a service that sends more is cut off and told so."""

CLOSED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""What a connection that the other side has closed shows itself by."""


class NoAnswer(SubmissionError):
    """The service refused, reset or outwaited a request."""


@dataclass(frozen=True)
class Reply:
    """An answer, cut at the cap."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    seconds: float
    truncated: bool = False

    @property
    def text(self) -> str:
        """The body, undecodable bytes replaced."""
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            SubmissionError: it is not JSON, or was cut at the cap.
        """
        if self.truncated:
            raise SubmissionError(f"the answer is longer than {BODY_CAP // 2**20} MB and was cut off")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            start = self.text[:80]
            raise SubmissionError(f"the answer (status {self.status}) is not JSON: it starts {start!r}") from error


def plain_http() -> ssl.SSLContext:
    """What httpx needs for a client that speaks plain HTTP: reading the certificates of the world takes it 60 ms."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Client:
    """Sends requests to one service. Safe to share between threads; use as a context manager."""

    def __init__(self, url: str, *, seconds: float = 10.0) -> None:
        """`url` is the service's base; `seconds` is the default deadline of a whole exchange."""
        self.url = url
        self.seconds = seconds
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        # Plain bodies only: a compressed one could unpack to a thousand times what was read.
        plain = {"accept-encoding": "identity"}
        self._http = httpx.Client(base_url=url, limits=limits, headers=plain, trust_env=False, verify=plain_http())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def headers(self) -> dict[str, str]:
        """What every request of it carries, beside what it is given with each."""
        return dict(self._http.headers)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def get(self, path: str, *, seconds: float | None = None) -> Reply:
        """GET a path. Raises `NoAnswer`."""
        return self.request("GET", path, seconds=seconds)

    def post(self, path: str, payload: Any, *, seconds: float | None = None) -> Reply:
        """POST a value as JSON. Raises `NoAnswer`."""
        body = json.dumps(payload).encode()
        return self.request("POST", path, body=body, headers={"content-type": "application/json"}, seconds=seconds)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """Send one request and read its answer up to the cap and the deadline.

        An open connection may be closed by the service just as it is used again: some servers close the one on which
        they failed, right after the answer. Then the request is sent once more, on a new one (RFC 9112, 9.3.1).

        A connection whose body was refused is not used again. Some servers answer before they have read it, and lose
        what follows: gunicorn 26.2 (gthread) may read it together with the rest of the body, and then waits for more.
        Measured: 3 of 3,000 requests that followed a refused one were never answered.

        Raises:
            NoAnswer: no whole answer arrived in time, or the connection broke.
        """
        opened: list[str] = []
        try:
            return self._request(method, path, body, headers, seconds or self.seconds, opened=opened)
        except NoAnswer as error:
            if opened or not isinstance(error.__cause__, CLOSED):
                raise
        return self._request(method, path, body, headers, seconds or self.seconds, opened=opened)

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        limit: float,
        *,
        opened: list[str],
    ) -> Reply:
        """One attempt; `opened` is told of each connection that was made for it."""

        def note(event: str, _: object) -> None:
            if event == "connection.connect_tcp.started":
                opened.append(event)

        start = time.monotonic()
        deadline = start + limit
        traced = {"trace": note}
        try:
            with self._http.stream(
                method, path, content=body, headers=headers, timeout=limit, extensions=traced
            ) as answer:
                chunks, size, truncated = [], 0, False
                for chunk in answer.iter_bytes():
                    chunks.append(chunk)
                    size += len(chunk)
                    truncated = size > BODY_CAP
                    # A body that drips never trips the read timeout, so the whole exchange has a deadline too.
                    if truncated or time.monotonic() > deadline:
                        break
                if not truncated and time.monotonic() > deadline:
                    raise NoAnswer(f"{method} {path}: no whole answer within {limit:g} s")
                if body and answer.is_error:
                    answer.extensions["network_stream"].close()
                content = b"".join(chunks)[:BODY_CAP]
                return Reply(answer.status_code, answer.headers, content, time.monotonic() - start, truncated)
        except httpx.TimeoutException as error:
            raise NoAnswer(f"{method} {path}: no answer within {limit:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(f"{method} {path}: {type(error).__name__}: {error}") from error

"""Counts and times every request, those that fail included."""

from __future__ import annotations

from time import perf_counter

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import Metrics


class Observed:
    """ASGI middleware. It counts before the answer leaves: who has an answer finds it in the metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()

        def count(status: int) -> None:
            path = scope.get("path_template", "unmatched")
            self._metrics.request(scope["method"], path, status, perf_counter() - start)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            count(500)
            raise

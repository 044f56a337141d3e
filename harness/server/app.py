"""The application: the intake's routes, its worker's life, and what becomes of what goes wrong."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness import __version__
from harness.server import uploads
from harness.server.intake import Intake, of
from harness.server.refusals import Refused
from harness.server.routes import counted, routes
from harness.server.worker import Worker

DESCRIPTION = """Takes submissions, gives signed receipts, and tells each candidate how the grading goes.

Everything under `/v1/submissions` wants the token of an invitation: `Authorization: Bearer inv-...`."""
log = logging.getLogger(__name__)


def create(intake: Intake, worker: Worker, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The application, which starts the worker and stops it; `routers` are others' routes beside its own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        worker.start()
        yield
        await run_in_threadpool(worker.stop)

    app = FastAPI(
        title="Intake", version=__version__, description=DESCRIPTION, lifespan=lifespan,
        # Their pages load scripts of others, and whatever runs at this address could read a candidate's token.
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.state.intake = intake
    intake.queued = worker.wake
    for router in (routes, *routers):
        app.include_router(router, dependencies=[Depends(counted)])
    app.add_middleware(Log)
    app.add_exception_handler(Refused, _refuse)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(SQLAlchemyError, _unavailable)
    app.add_exception_handler(ClientDisconnect, _cut_off)
    return app


class Log:
    """One line a request, and never its query, which may hold a token; uvicorn's own access log would print it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, codes = time.monotonic(), []

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            who, seconds = (scope.get("client") or ["somebody"])[0], time.monotonic() - begun
            path = scope["path"].encode("unicode_escape").decode()
            log.info("%s %s %s %s %.2f s", who, scope["method"], path, codes[0] if codes else "-", seconds)


async def _refuse(request: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):
        raise refused
    if request.method == "PUT":
        await uploads.drain(request, of(request).settings.cap_mb)
    return JSONResponse(refused.body, refused.status, refused.headers)


def _malformed(request: Request, error: Exception) -> Response:
    del error
    told = f"{request.url.path} names no submission"
    return JSONResponse({"detail": told, "next": "A submission's digest is 64 hexadecimal digits."}, 400)


def _unavailable(request: Request, error: Exception) -> Response:
    log.error("%s %s: the database does not answer", request.method, request.url.path, exc_info=error)
    body = {"detail": "the intake's database does not answer", "next": "Send it again in a minute; no attempt is lost."}
    return JSONResponse(body, 503, {"Retry-After": "30"})


def _cut_off(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=400)

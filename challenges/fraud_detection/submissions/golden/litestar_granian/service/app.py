"""The HTTP routes."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter, to_thread
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.engine import Engine
from service.intake import read_body
from service.metrics import Metrics
from service.observed import Observed
from service.protocol import Refused, require_json
from service.rollout import keep
from service.schema import NOT_LOADED, PROBLEMS, SCORED, Drift, Health, Invocation, Predictions, Version
from service.settings import Settings

log = logging.getLogger(__name__)


def create() -> Observed:
    """The app of a granian worker."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # A prediction holds the interpreter's lock; the event loop gets it back after 1 ms, not 5, to answer the probes.
    sys.setswitchinterval(0.001)
    return create_app(Settings.of_environment())


def create_app(settings: Settings) -> Observed:
    """An app of its own: model, monitor and counters are not shared with any other."""
    engine = Engine()
    metrics = Metrics(engine)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        # Predictions hold the interpreter's lock: a second one at a time would only slow the first and the event loop.
        app.state.turns = CapacityLimiter(1)
        stop = threading.Event()
        threading.Thread(target=keep, args=(engine, settings, stop), name="model", daemon=True).start()
        yield
        stop.set()

    app = Litestar(
        [livez, readyz, version, invocations, show_metrics, drift, openapi],
        lifespan=[lifespan],
        state=State({"settings": settings, "engine": engine, "metrics": metrics}),
        exception_handlers={Refused: _refuse, HTTPException: _tell, 500: _fail},
        openapi_config=OpenAPIConfig("Fraud detection", "1"),
        logging_config=None,
    )
    # Around the app, not a middleware of it: Litestar's see only requests that found a route.
    return Observed(app, metrics)


@get("/livez")
async def livez() -> Health:
    """The process serves."""
    return Health("alive")


@get(["/readyz", "/ping"], responses=NOT_LOADED)
async def readyz(state: State) -> Health:
    """The model and its reference sample are loaded."""
    state.engine.now()
    return Health("ready")


@get("/version", responses=NOT_LOADED)
async def version(state: State) -> Version:
    """The model that answers."""
    model = state.engine.now().model
    return Version(model.name, model.version)


@post("/invocations", status_code=200, operation_class=Invocation, response_headers=[SCORED], responses=PROBLEMS)
async def invocations(request: Request, state: State) -> Response[Predictions]:
    """Score rows by MLflow's protocol."""
    settings: Settings = state.settings
    turns: CapacityLimiter = state.turns
    require_json(request.headers.get("content-type", ""))
    try:
        async with asyncio.timeout(settings.body_seconds):
            body = await read_body(request, settings.body_bytes)
    except TimeoutError as error:
        raise Refused("the body took too long to arrive", 408) from error
    if turns.statistics().tasks_waiting >= settings.waiting:
        raise Refused("too many requests are waiting", 503)
    scored = await to_thread.run_sync(state.engine.score, body, limiter=turns)
    state.metrics.predictions.inc(scored.rows)
    return Response(scored.answer, headers={SCORED.name: scored.version}, media_type=MediaType.JSON)


# In a thread: the tests that these two may run would hold up the event loop.
@get("/metrics", sync_to_thread=True, media_type=CONTENT_TYPE_LATEST)
def show_metrics(state: State) -> bytes:
    """Everything that Prometheus collects."""
    return generate_latest(state.metrics.registry)


@get("/monitoring/drift", sync_to_thread=True, responses=NOT_LOADED)
def drift(state: State) -> Drift:
    """Whether the last rows look like the reference. Reading changes nothing."""
    return Drift.of(state.engine.now().monitor.verdict())


# Not by the configuration's `path`: on `/` Litestar would take every unknown route for a page of documentation.
@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    """This API."""
    return request.app.openapi_schema.to_schema()


def _refuse(_: Request, error: Refused) -> Response[dict[str, str]]:
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    return Response({"detail": str(error)}, status_code=error.status, headers=headers)


def _tell(_: Request, error: HTTPException) -> Response[dict[str, str]]:
    # Litestar's own answer to an unknown route would be a page.
    return Response({"detail": error.detail}, status_code=error.status_code, headers=error.headers)


def _fail(request: Request, error: Exception) -> Response[dict[str, str]]:
    # The traceback is in the log; the caller learns nothing of the inside.
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return Response({"detail": "internal error"}, status_code=500)

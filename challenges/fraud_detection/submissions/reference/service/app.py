"""The HTTP routes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.engine import Engine
from service.intake import read_body
from service.metrics import Metrics
from service.observed import Observed
from service.protocol import Refused, require_json
from service.rollout import keep
from service.schema import INVOCATION, PROBLEMS, SCORED, VERSION_HEADER, Drift, Health, Predictions, Problem, Version
from service.settings import Settings

router = APIRouter()
NOT_LOADED = {503: {"model": Problem, "description": "Not loaded yet"}}


def _engine(request: Request) -> Engine:
    return request.app.state.engine


OfApp = Annotated[Engine, Depends(_engine)]


def create_app(settings: Settings) -> FastAPI:
    """An app of its own: model, monitor and counters are not shared with any other."""
    engine = Engine()
    metrics = Metrics(engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Predictions hold the interpreter's lock: a second one at a time would only slow the first and the event loop.
        app.state.turns = CapacityLimiter(1)
        stop = threading.Event()
        threading.Thread(target=keep, args=(engine, settings, stop), name="model", daemon=True).start()
        yield
        stop.set()

    app = FastAPI(title="Fraud detection", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    app.state.settings, app.state.engine, app.state.metrics = settings, engine, metrics
    app.add_middleware(Observed, metrics=metrics)
    app.add_exception_handler(Refused, _refuse)
    app.add_exception_handler(Exception, _fail)
    app.include_router(router)
    return app


@router.get("/livez")
async def livez() -> Health:
    """The process serves."""
    return Health(status="alive")


@router.get("/readyz", responses=NOT_LOADED)
@router.get("/ping", responses=NOT_LOADED)
async def readyz(engine: OfApp) -> Health:
    """The model and its reference sample are loaded."""
    engine.now()
    return Health(status="ready")


@router.get("/version", responses=NOT_LOADED)
async def version(engine: OfApp) -> Version:
    """The model that answers."""
    model = engine.now().model
    return Version(name=model.name, version=model.version)


@router.post("/invocations", response_model=Predictions, responses=SCORED | PROBLEMS, openapi_extra=INVOCATION)
async def invocations(request: Request, engine: OfApp) -> Response:
    """Score rows by MLflow's protocol."""
    state = request.app.state
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
    scored = await to_thread.run_sync(engine.score, body, limiter=turns)
    state.metrics.predictions.inc(scored.rows)
    return Response(scored.answer, headers={VERSION_HEADER: scored.version}, media_type="application/json")


# Not `async`: the tests that these may run belong in a thread.
@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Everything that Prometheus collects."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/monitoring/drift", responses=NOT_LOADED)
def drift(engine: OfApp) -> Drift:
    """Whether the last rows look like the reference. Reading changes nothing."""
    return Drift.model_validate(engine.now().monitor.verdict(), from_attributes=True)


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return JSONResponse({"detail": str(error)}, error.status, headers)


async def _fail(_: Request, __: Exception) -> Response:
    # The traceback is in the log; the caller learns nothing of the inside.
    return JSONResponse({"detail": "internal error"}, 500)

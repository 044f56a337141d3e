"""The HTTP routes."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException

from service.engine import Engine
from service.intake import read_body
from service.metrics import Metrics
from service.protocol import Refused, require_json
from service.rollout import keep
from service.settings import Settings
from service.turns import Turns

VERSION_HEADER = "X-Model-Version"
OPENAPI = Path(__file__).with_name("openapi.json")
log = logging.getLogger(__name__)
routes = Blueprint("routes", __name__)


def create() -> Flask:
    """The app of a gunicorn worker."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # A prediction holds the interpreter's lock; the other threads get it back after 1 ms, not 5, to answer the probes.
    sys.setswitchinterval(0.001)
    return create_app(Settings.of_environment(), threading.Event())


def create_app(settings: Settings, stop: threading.Event) -> Flask:
    """An app of its own: it shares model, monitor and counters with no other, and follows its model until `stop`."""
    app = Flask("service", static_folder=None)
    app.url_map.merge_slashes = False
    engine = Engine()
    app.extensions |= {
        "settings": settings,
        "engine": engine,
        "metrics": Metrics(engine),
        "turns": Turns(settings.waiting),
    }
    app.before_request(_start)
    app.after_request(_count)
    app.register_error_handler(Refused, _refuse)
    app.register_error_handler(HTTPException, _tell)
    app.register_error_handler(Exception, _fail)
    app.register_blueprint(routes)
    threading.Thread(target=keep, args=(engine, settings, stop), name="model", daemon=True).start()
    return app


def _engine() -> Engine:
    return current_app.extensions["engine"]


def _metrics() -> Metrics:
    return current_app.extensions["metrics"]


@routes.get("/livez")
def livez() -> dict[str, str]:
    """The process serves."""
    return {"status": "alive"}


@routes.get("/readyz")
@routes.get("/ping")
def readyz() -> dict[str, str]:
    """The model and its reference sample are loaded."""
    _engine().now()
    return {"status": "ready"}


@routes.get("/version")
def version() -> dict[str, str]:
    """The model that answers."""
    model = _engine().now().model
    return {"name": model.name, "version": model.version}


@routes.post("/invocations")
def invocations() -> Response:
    """Score rows by MLflow's protocol."""
    require_json(request.headers.get("Content-Type", ""))
    settings: Settings = current_app.extensions["settings"]
    body = read_body(request, settings.body_bytes, settings.body_seconds)
    turns: Turns = current_app.extensions["turns"]
    engine = _engine()
    scored = turns.take(lambda: engine.score(body))
    _metrics().predictions.inc(scored.rows)
    return Response(scored.answer, headers={VERSION_HEADER: scored.version}, mimetype="application/json")


@routes.get("/metrics")
def metrics() -> Response:
    """Everything that Prometheus collects."""
    return Response(generate_latest(_metrics().registry), content_type=CONTENT_TYPE_LATEST)


@routes.get("/monitoring/drift")
def drift() -> dict[str, Any]:
    """Whether the last rows look like the reference. Reading changes nothing."""
    verdict = _engine().now().monitor.verdict()
    return {
        "status": verdict.status,
        "drift_detected": verdict.drift_detected,
        "n_observed": verdict.n_observed,
        "window_size": verdict.window_size,
        "reference_size": verdict.reference_size,
        "features": {
            name: {
                "drifted": finding.drifted,
                "score": finding.score,
                "threshold": finding.threshold,
                "method": finding.method,
            }
            for name, finding in verdict.features.items()
        },
    }


@routes.get("/openapi.json")
def openapi() -> Response:
    """This API. Written by hand: the tests see to it that it names every route."""
    return Response(OPENAPI.read_bytes(), mimetype="application/json")


def _start() -> None:
    g.start = perf_counter()


def _count(response: Response) -> Response:
    # Before the answer leaves: who has an answer finds it in the metrics.
    path = request.url_rule.rule if request.url_rule else "unmatched"
    _metrics().request(request.method, path, response.status_code, perf_counter() - g.start)
    return response


def _refuse(error: Refused) -> tuple[Response, int, dict[str, str]]:
    return jsonify(detail=str(error)), error.status, {"Retry-After": "1"} if error.status == 503 else {}


def _tell(error: HTTPException) -> tuple[Response, int]:
    return jsonify(detail=error.description), error.code or 500


def _fail(_: Exception) -> tuple[Response, int]:
    # The traceback is in the log; the caller learns nothing of the inside.
    log.exception("%s %s failed", request.method, request.path)
    return jsonify(detail="internal error"), 500

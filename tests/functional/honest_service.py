"""A service that keeps the whole contract, in a thread: each part can be broken by overriding one method."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from mlflow.models import Model
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest


@cache
def load(folder: Path) -> tuple[Any, list[str], dict[str, str]]:
    record = Model.load(folder)
    return mlflow.sklearn.load_model(str(folder)), record.get_input_schema().input_names(), record.metadata


class Honest:
    """Each method is one thing that a real submission may get wrong."""

    def __init__(self, model: Path) -> None:
        self.model, self.columns, self.metadata = load(model)
        self.seen = 0
        self.registry = CollectorRegistry()
        own = {"registry": self.registry}
        self.rows = Counter("model_predictions_total", "Rows scored", **own)
        self.requests = Counter("http_requests_total", "Requests", ("path", "status"), **own)
        self.latency = Histogram("http_request_duration_seconds", "Latency", ("path",), **own)
        self.drifted = Gauge("model_drift_detected", "Alarm", **own)
        self.scores = Gauge("model_feature_drift_score", "Score", ("feature",), **own)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def observe(request: Request, call_next: Any) -> Response:
            start = time.perf_counter()
            response = await call_next(request)
            self.count_request(request.url.path, response.status_code, time.perf_counter() - start)
            return response

        @app.post("/invocations")
        async def invocations(request: Request) -> Response:
            return self.invocations(await request.body())

        for path in ("/livez", "/readyz", "/ping"):
            app.get(path)(lambda path=path: self.health(path))
        app.get("/version")(self.version)
        app.get("/metrics")(self.metrics)
        app.get("/monitoring/drift")(self.drift)
        return app

    def invocations(self, body: bytes) -> Response:
        try:
            frame = self.parse(json.loads(body))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        predictions = self.predict(frame)
        self.count_rows(len(frame))
        return self.answer(predictions)

    def parse(self, payload: dict[str, Any]) -> pd.DataFrame:
        if "dataframe_split" in payload:
            return self.frame(**payload["dataframe_split"])
        return self.records(payload["dataframe_records"])

    def records(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        return self.frame(list(rows[0]), [list(row.values()) for row in rows])

    def frame(self, columns: list[str], data: list[list[Any]]) -> pd.DataFrame:
        frame = pd.DataFrame(data, columns=columns)
        numeric = [c for c in columns if not any(isinstance(v, str) for v in frame[c])]
        return frame.astype(dict.fromkeys(numeric, "float64"))

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.scored(frame)

    def scored(self, frame: pd.DataFrame) -> np.ndarray:
        return self.model.predict_proba(frame)

    def answer(self, predictions: np.ndarray) -> Response:
        return JSONResponse({"predictions": predictions.tolist()})

    def count_rows(self, n: int) -> None:
        self.seen += n
        self.rows.inc(n)

    def count_request(self, path: str, status: int, seconds: float) -> None:
        self.requests.labels(path, str(status)).inc()
        self.latency.labels(path).observe(seconds)

    def health(self, path: str) -> Response:
        return Response(status_code=200)

    def version(self) -> Any:
        return {"model": {k: self.metadata[k] for k in ("name", "version")}}

    def metrics(self) -> Response:
        report = self.report()
        self.drifted.set(report["drift_detected"])
        for name, feature in report["features"].items():
            self.scores.labels(name).set(feature["score"])
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def drift(self) -> Any:
        return self.report()

    def report(self) -> dict[str, Any]:
        enough = self.seen >= 500
        quiet = {"drifted": False, "score": 0.01, "threshold": 0.2, "method": "psi"}
        return {
            "status": "ok" if enough else "insufficient_data",
            "drift_detected": False,
            "n_observed": self.seen,
            "window_size": min(self.seen, 1000),
            "reference_size": 6000,
            "features": dict.fromkeys(self.columns, quiet) if enough else {},
        }


@contextmanager
def served(service: Honest) -> Iterator[str]:
    """The service's address while it runs in a thread."""
    app = service.app()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()

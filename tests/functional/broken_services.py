"""One fault each, and the checks that it must cost; it must cost no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from honest_service import Honest

VALUES = {
    "predictions_match_the_model",
    "large_batch",
    "missing_values_are_imputed",
    "unknown_category_is_accepted",
    "mounted_model_is_followed",
}
"""Checks that compare with the model."""
METRICS = {
    "metrics_are_prometheus",
    "predictions_counter_counts_rows",
    "requests_are_counted_by_status",
    "latency_histogram",
    "drift_is_in_the_metrics",
}
DRIFT = {"drift_report_shape", "reading_drift_changes_nothing", "drift_is_in_the_metrics"}
INVOCATIONS = {
    "single_row",
    *VALUES,
    *METRICS,
    *DRIFT,
    "split_and_records_agree",
    "batch_equals_row_by_row",
    "same_row_same_answer",
    "order_is_kept",
}
ALL: dict[type[Honest], set[str]] = {}
"""Each fault, and what it costs."""


def costs(*checks: str) -> Callable[[type[Honest]], type[Honest]]:
    def register(fault: type[Honest]) -> type[Honest]:
        ALL[fault] = set(checks)
        return fault

    return register


@costs(*INVOCATIONS)
class OtherKey(Honest):
    def answer(self, predictions: np.ndarray) -> Response:
        return JSONResponse({"prediction": predictions.tolist()})


@costs(*INVOCATIONS)
class ErrorWithStatus200(Honest):
    def answer(self, predictions: np.ndarray) -> Response:
        return JSONResponse({"error": "model not loaded"})


@costs(*VALUES)
class WrongColumn(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.scored(frame)[:, 1]


@costs(*VALUES)
class Rounded(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.scored(frame).round(4)


@costs(*(INVOCATIONS - {"single_row"} - METRICS - DRIFT))
class Text(Honest):
    def answer(self, predictions: np.ndarray) -> Response:
        return JSONResponse({"predictions": [[str(p) for p in row] for row in predictions.tolist()]})


@costs("split_and_records_agree", "missing_values_are_imputed")
class RecordsMixedUp(Honest):
    def records(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        names = list(rows[0])
        swapped = {"amount": "avg_amount_30d", "avg_amount_30d": "amount"}
        return self.frame([swapped.get(n, n) for n in names], [list(row.values()) for row in rows])


@costs("batch_equals_row_by_row", "same_row_same_answer", "missing_values_are_imputed")
class SingleRowDiffers(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        predictions = self.scored(frame)
        return predictions.round(2) if len(frame) == 1 else predictions


@costs(*VALUES, "batch_equals_row_by_row", "same_row_same_answer")
class RefittedOnTheRequest(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.scored(frame.assign(amount=frame["amount"] - frame["amount"].mean() + 50.0))


@costs(*VALUES, "batch_equals_row_by_row", "same_row_same_answer", "order_is_kept")
class SortedAnswers(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return np.sort(self.scored(frame), axis=0)


@costs("large_batch")
class SmallBatchesOnly(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.scored(frame.head(1000))


@costs("missing_values_are_imputed")
class NullsRefused(Honest):
    def parse(self, payload: dict[str, Any]) -> pd.DataFrame:
        frame = super().parse(payload)
        if frame.isna().any(axis=None):
            raise ValueError("nulls are not allowed")
        return frame


@costs("missing_values_are_imputed")
class CompleteRowsFirst(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        gaps = frame.isna().any(axis=1)
        return np.concatenate([self.scored(part) for part in (frame[~gaps], frame[gaps]) if len(part)])


@costs("missing_values_are_imputed")
class NullsImputedByTheRequest(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.scored(frame.fillna(frame.median(numeric_only=True)))


@costs("missing_values_are_imputed")
class NullsDropped(Honest):
    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.scored(frame.fillna(dict.fromkeys(("account_age_days", "merchant_risk"), 0.0)))


@costs("unknown_category_is_accepted")
class UnknownCategoryRefused(Honest):
    def parse(self, payload: dict[str, Any]) -> pd.DataFrame:
        frame = super().parse(payload)
        if (frame == "never-seen").any(axis=None):
            raise ValueError("unknown category")
        return frame


@costs("mounted_model_is_followed", "version_follows_the_mounted_model")
class ModelBakedIn(Honest):
    published: Path

    def __init__(self, model: Path) -> None:
        super().__init__(self.published)


@costs("version_follows_the_mounted_model")
class VersionWrittenIntoTheCode(Honest):
    def version(self) -> Any:
        return {"name": "fraud_detection", "version": "1"}


@costs("version_names_the_model", "version_follows_the_mounted_model")
class LibraryVersion(Honest):
    def version(self) -> Any:
        return "3.17.2"


@costs(*METRICS)
class MetricsAreJson(Honest):
    def metrics(self) -> Response:
        return JSONResponse({"predictions": self.seen})


@costs(*METRICS)
class MetricsAreNonsense(Honest):
    def metrics(self) -> Response:
        return PlainTextResponse("<html>it works</html>")


@costs("predictions_counter_counts_rows")
class CountsRequests(Honest):
    def count_rows(self, n: int) -> None:
        self.seen += n
        self.rows.inc(1)


@costs("predictions_counter_counts_rows")
class OneRegistryPerWorker(Honest):
    def count_rows(self, n: int) -> None:
        self.seen += n
        self.rows.inc(n if self.seen % 2 else 0)


@costs("predictions_counter_counts_rows")
class CounterOfOneWorkerInTwo(Honest):
    turn = 0

    def metrics(self) -> Response:
        self.turn += 1
        shown = super().metrics()
        body = shown.body.replace(b"\nmodel_predictions_total ", b"\nmodel_predictions_total 1")
        return Response(body, media_type=shown.headers["content-type"]) if self.turn % 2 else shown


@costs("requests_are_counted_by_status")
class NoStatusCounted(Honest):
    def count_request(self, path: str, status: int, seconds: float) -> None:
        super().count_request(path, 200, seconds)


@costs("latency_histogram")
class Milliseconds(Honest):
    def count_request(self, path: str, status: int, seconds: float) -> None:
        super().count_request(path, status, 1000 * seconds)


@costs("latency_histogram")
class NoLatency(Honest):
    def count_request(self, path: str, status: int, seconds: float) -> None:
        self.requests.labels(path, str(status)).inc()


@costs(*DRIFT)
class NoDriftReport(Honest):
    def drift(self) -> Any:
        return JSONResponse({"error": "not implemented"}, 501)


@costs(*DRIFT)
class NeverEnoughData(Honest):
    def report(self) -> dict[str, Any]:
        return {**super().report(), "status": "insufficient_data"}


@costs(*DRIFT)
class ScoresAreText(Honest):
    def drift(self) -> Any:
        report = self.report()
        return {**report, "features": {n: {**f, "score": "low"} for n, f in report["features"].items()}}


@costs("reading_drift_changes_nothing")
class ReadingClears(Honest):
    def drift(self) -> Any:
        report = self.report()
        self.seen = 0
        return report


@costs("reading_drift_changes_nothing")
class ReadingCounts(Honest):
    def drift(self) -> Any:
        self.seen += 1
        return self.report()


@costs("drift_is_in_the_metrics")
class DriftNotInTheMetrics(Honest):
    def metrics(self) -> Response:
        lines = [line for line in super().metrics().body.decode().splitlines() if "model_drift_detected" not in line]
        return PlainTextResponse("\n".join(lines) + "\n")


@costs("livez")
class NoLivez(Honest):
    def health(self, path: str) -> Response:
        return Response(status_code=404 if path == "/livez" else 200)


@costs("readyz", "ping")
class NeverReady(Honest):
    def health(self, path: str) -> Response:
        return Response(status_code=200 if path == "/livez" else 503)


@costs("openapi_document")
class NoDocument(Honest):
    def app(self) -> FastAPI:
        app = super().app()
        app.openapi = lambda: {"openapi": "3.1.0", "paths": {"/livez": {}}}
        return app

"""What the service shows of itself: Prometheus metrics and the drift report."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Callable
from typing import Any

from harness import kit

ROWS = "model_predictions_total"
REQUESTS = "http_requests_total"
LATENCY = "http_request_duration_seconds"
REPORT = {"status": str, "drift_detected": bool, "n_observed": int, "window_size": int, "reference_size": int}
FEATURE = {"drifted": bool, "score": float, "threshold": float, "method": str}
LAG = 5
NAMES = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


@kit.needs("single_row")
def test_metrics_are_prometheus(service: kit.Service):
    """GET /metrics answers 200 in Prometheus's text format and says so in its Content-Type."""
    samples = kit.metrics(service)
    kind = service.get("/metrics").headers.get("content-type", "")
    kit.expect(
        kind.startswith(("text/plain", "application/openmetrics-text")),
        "GET /metrics has a Content-Type that Prometheus refuses to read",
        expected="text/plain; version=0.0.4",
        observed=kind,
    )
    kit.expect(bool(samples), "GET /metrics shows no metric at all")


@kit.needs("metrics_are_prometheus")
def test_predictions_counter_counts_rows(service: kit.Service, rows: kit.Rows):
    """model_predictions_total rises by the number of rows that were scored, not by the number of requests."""
    before = total(service, ROWS)
    for n, form in ((1, kit.split), (7, kit.split), (32, kit.records)):
        kit.predict(service, rows(n).fillna(1.0), form)
    wanted = before + 40
    found = kit.eventually(lambda: total(service, ROWS), lambda value: value == wanted)
    message = f"{ROWS} must rise by 40 after requests of 1, 7 and 32 rows; count rows, in one registry for all workers"
    kit.expect(found == wanted, message, expected=wanted, observed=found)
    seen = set(kit.readings(lambda: total(service, ROWS)))
    message = f"{ROWS} jumps when it is read again and again; keep the counters where all workers share them"
    kit.expect(seen == {wanted}, message, expected=wanted, observed=sorted(seen))


@kit.needs("metrics_are_prometheus")
def test_requests_are_counted_by_status(service: kit.Service, rows: kit.Rows):
    """http_requests_total has a label for the status; refused requests are counted apart from answered ones."""
    good, bad = statuses(service)
    for _ in range(3):
        kit.predict(service, rows(1).fillna(1.0))
        service.request("POST", "/invocations", body=b"{", headers={"content-type": "application/json"})
    found = kit.eventually(lambda: statuses(service), lambda now: now[0] >= good + 3 and now[1] >= bad + 3)
    observed = f"2xx +{found[0] - good:g}, 4xx +{found[1] - bad:g}"
    message = f"{REQUESTS} must tell 3 answered from 3 refused requests by a label that holds the status"
    # What is read here may be counted too, so 2xx may rise by more.
    kit.expect(found[0] >= good + 3 and found[1] == bad + 3, message, expected="2xx +3, 4xx +3", observed=observed)


@kit.needs("metrics_are_prometheus")
def test_latency_histogram(service: kit.Service, rows: kit.Rows):
    """http_request_duration_seconds is a histogram of seconds: buckets up to +Inf, a sum, and a count of requests."""
    start, taken = time.monotonic(), total(service, f"{LATENCY}_sum")
    before = total(service, f"{LATENCY}_count")
    for _ in range(3):
        kit.predict(service, rows(1).fillna(1.0))
    count = kit.eventually(lambda: total(service, f"{LATENCY}_count"), lambda value: value >= before + 3)
    message = f"{LATENCY}_count must rise by at least 3 with 3 requests to /invocations"
    kit.expect(count >= before + 3, message, expected=f"at least {before + 3:g}", observed=count)
    kit.expect(total(service, f"{LATENCY}_sum") > 0, f"{LATENCY}_sum must rise with each request")
    # One request after the other cannot have taken longer than all of it did. The margin is for a sum that lags behind.
    taken, most = total(service, f"{LATENCY}_sum") - taken, LAG * (time.monotonic() - start)
    message = f"{LATENCY}_sum rises by more than the time that passes; observe seconds, not milliseconds"
    kit.expect(taken <= most, message, expected=f"at most {most:.3g}", observed=f"{taken:.3g}")
    for labels, buckets in histogram(service).items():
        edges, counts = zip(*sorted(buckets), strict=True)
        where = f"in the series {dict(labels)}" if labels else ""
        kit.expect(edges[-1] == math.inf and len(edges) > 1, f"{LATENCY}_bucket has no +Inf or no other bucket {where}")
        rising = all(a <= b for a, b in itertools.pairwise(counts))
        kit.expect(rising, f"{LATENCY}_bucket must be cumulative {where}", observed=counts)


@kit.needs("single_row")
def test_drift_report_shape(service: kit.Service, model: kit.Model, rows: kit.Rows):
    """GET /monitoring/drift answers 200 with the agreed JSON; after 1,000 rows its status is ok."""
    for _ in range(2):
        kit.predict(service, rows(500).fillna(1.0), seconds=30)
    report = kit.eventually(lambda: drift(service), lambda now: now.get("status") == "ok", seconds=10)
    conforms(report, REPORT, "")
    kit.expect(report["status"] == "ok", "The status after 1,000 rows must be ok", observed=report["status"])
    for key in ("n_observed", "window_size", "reference_size"):
        kit.expect(report[key] > 0, f"{key} must be greater than 0 after 1,000 rows", observed=report[key])
    features = report.get("features")
    listed = isinstance(features, dict) and features and set(features) <= set(model.columns)
    kit.expect(bool(listed), "features must be an object by the model's columns", model.columns, features)
    for name, feature in features.items():
        kit.expect(isinstance(feature, dict), f"features.{name} must be an object", observed=feature)
        conforms(feature, FEATURE, f"features.{name}.")


@kit.needs("drift_report_shape")
def test_reading_drift_changes_nothing(service: kit.Service, rows: kit.Rows):
    """Reading GET /monitoring/drift over and over changes nothing in it."""

    def read() -> dict[str, Any]:
        return {key: drift(service).get(key) for key in (*REPORT, "features")}

    def settled(report: dict[str, Any]) -> bool:
        time.sleep(0.2)
        return read() == report

    for _ in range(2):
        kit.predict(service, rows(500).fillna(1.0), seconds=30)
    first = kit.eventually(read, settled, seconds=5)
    message = "The drift report changes when it is read and nothing was scored; compute it from the window alone"
    for report in kit.readings(read):
        kit.expect_equal(report, first, message)
    message = "n_observed is below the 1,000 rows that were just scored: reading the report must not start it anew"
    kit.expect(first["n_observed"] >= 1000, message, expected="at least 1000", observed=first["n_observed"])


@kit.needs("metrics_are_prometheus", "drift_report_shape")
def test_drift_is_in_the_metrics(service: kit.Service):
    """model_drift_detected and model_feature_drift_score{feature} show Prometheus what the drift report says."""

    def disagreement() -> str:
        report, samples = drift(service), kit.metrics(service)
        alarms = {sample.value for sample in samples if sample.name == "model_drift_detected"}
        if alarms != {float(report["drift_detected"])}:
            return f"model_drift_detected is {sorted(alarms) or 'absent'}; drift_detected is {report['drift_detected']}"
        shown = {sample.labels.get("feature") for sample in samples if sample.name == "model_feature_drift_score"}
        return ", ".join(f"no model_feature_drift_score for {name}" for name in report["features"] if name not in shown)

    found = kit.eventually(disagreement, lambda now: not now, seconds=5)
    kit.expect(not found, "The metrics do not show what the drift report says", observed=found)


def total(service: kit.Service, name: str, where: Callable[[dict[str, str]], bool] = lambda _: True) -> float:
    """The sum over all series of that name."""
    return sum(sample.value for sample in kit.metrics(service) if sample.name == name and where(sample.labels))


def statuses(service: kit.Service) -> tuple[float, float]:
    """Requests answered with 2xx and with 4xx, whatever the label is called."""

    def of(kind: str) -> float:
        pattern = re.compile(rf"{kind}(\d\d|xx)", re.IGNORECASE)
        return total(service, REQUESTS, lambda labels: any(pattern.fullmatch(value) for value in labels.values()))

    return of("2"), of("4")


def histogram(service: kit.Service) -> dict[tuple[tuple[str, str], ...], list[tuple[float, float]]]:
    """Buckets of the latency histogram, (upper edge, count), by the other labels."""
    series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for sample in kit.metrics(service):
        if sample.name == f"{LATENCY}_bucket":
            labels = tuple(sorted(item for item in sample.labels.items() if item[0] != "le"))
            series.setdefault(labels, []).append((float(sample.labels.get("le", "nan")), sample.value))
    kit.expect(bool(series), f"{LATENCY} has no buckets; make it a histogram")
    return series


def drift(service: kit.Service) -> dict[str, Any]:
    """The drift report."""
    report = kit.ok(kit.read(service, "/monitoring/drift"), "GET /monitoring/drift").json()
    kit.expect(isinstance(report, dict), "GET /monitoring/drift must answer a JSON object", observed=report)
    return report


def conforms(part: dict[str, Any], shape: dict[str, type], where: str) -> None:
    """Whether each key is there and has its type."""
    for key, kind in shape.items():
        kit.expect(key in part, f"The drift report lacks {where}{key}", expected=NAMES[kind], observed=list(part))
        value = part[key]
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        fits = {float: number, int: number and isinstance(value, int)}.get(kind, isinstance(value, kind))
        kit.expect(fits, f"{where}{key} in the drift report must be {NAMES[kind]}", NAMES[kind], value)

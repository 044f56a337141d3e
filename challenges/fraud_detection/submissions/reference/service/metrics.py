"""What Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from service.drift import Verdict

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

disable_created_metrics()


class Metrics:
    """The service's own registry: one for each app, so that tests do not count each other's requests."""

    def __init__(self, verdict: Callable[[], Verdict | None]) -> None:
        """`verdict` gives the drift monitor's current one, or None while there is no monitor."""
        self.registry = CollectorRegistry()
        self.predictions = Counter("model_predictions", "Rows scored.", registry=self.registry)
        self._requests = Counter(
            "http_requests", "Requests answered.", ("method", "path", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time to the start of the answer.",
            ("method", "path"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(DriftCollector(verdict))

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request. `path` is a route, not what the client sent: the number of series stays small."""
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(method, path).observe(seconds)


class DriftCollector(Collector):
    """Asks the drift monitor at each scrape, so that the gauges are never older than the answer."""

    def __init__(self, verdict: Callable[[], Verdict | None]) -> None:
        self._verdict = verdict

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The drift gauges; no scores while there is no verdict."""
        verdict = self._verdict()
        detected = verdict is not None and verdict.drift_detected
        yield GaugeMetricFamily("model_drift_detected", "1 while any feature has drifted.", float(detected))
        scores = GaugeMetricFamily("model_feature_drift_score", "-log10(p) of the feature's test.", labels=["feature"])
        for name, finding in verdict.features.items() if verdict else ():
            scores.add_metric([name], finding.score)
        yield scores

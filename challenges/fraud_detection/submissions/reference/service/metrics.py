"""What Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from service.engine import Engine

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

disable_created_metrics()


class Metrics:
    """The service's own registry: one for each app, so that tests do not count each other's requests."""

    def __init__(self, engine: Engine) -> None:
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
        self.registry.register(ModelCollector(engine))

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request. `path` is a route, not what the client sent: the number of series stays small."""
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(method, path).observe(seconds)


class ModelCollector(Collector):
    """Asks the engine at each scrape, so that the gauges are never older than the answer and are all of one model."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The model in use and the drift gauges; no sample that would need a model while there is none."""
        loaded = self._engine.loaded
        info = GaugeMetricFamily("model_info", "1 for the model in use.", labels=["name", "version"])
        scores = GaugeMetricFamily("model_feature_drift_score", "-log10(p) of the feature's test.", labels=["feature"])
        detected = False
        if loaded is not None:
            info.add_metric([loaded.model.name, loaded.model.version], 1)
            verdict = loaded.monitor.verdict()
            detected = verdict.drift_detected
            for name, finding in verdict.features.items():
                scores.add_metric([name], finding.score)
        yield info
        yield GaugeMetricFamily("model_drift_detected", "1 while any feature has drifted.", float(detected))
        yield scores

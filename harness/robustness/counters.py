"""What a service says that it has scored."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client.parser import text_string_to_metric_families

from harness.client import Client
from harness.errors import SubmissionError
from harness.robustness.settings import Settings

READINGS = 3
"""Readings of which the greatest counts: workers that do not share their counters answer in turns."""


def read(client: Client, settings: Settings) -> dict[str, float]:
    """Rows scored so far, by each place that says so; empty if none does."""
    found: dict[str, float] = {}
    for _ in range(READINGS):
        with suppress(SubmissionError):
            metric = _metric(client.get("/metrics", seconds=settings.request_seconds).text, settings.counter)
            if metric is not None:
                found[settings.counter] = max(metric, found.get(settings.counter, 0.0))
        with suppress(SubmissionError):
            report = client.get(settings.drift_path, seconds=settings.request_seconds).json()
            observed = report.get("n_observed") if isinstance(report, dict) else None
            if isinstance(observed, int):
                found["n_observed"] = max(float(observed), found.get("n_observed", 0.0))
    return found


def _metric(text: str, name: str) -> float | None:
    """The sum of a metric's samples, or None if it is not there."""
    try:
        families = list(text_string_to_metric_families(text))
    except Exception:  # the parser raises whatever its regular expressions and conversions raise
        return None
    values = [sample.value for family in families for sample in family.samples if sample.name == name]
    return sum(values) if values else None

"""Figures as the industry quotes them, each from a measurement of a stage."""

from __future__ import annotations

from pydantic import Field

from grading.evidence import Evidence, Record


class ReportSettings(Record):
    """What a report needs to know beside the evidence."""

    price_per_core_hour: float = Field(0.04, gt=0)
    """What an hour of one core costs, for the cost per million predictions."""
    currency: str = "USD"


class Kpi(Record):
    """One figure; `value` is None where it was not measured."""

    name: str
    title: str
    value: float | None
    unit: str
    source: str
    """The measurement it comes from, as `stage/name`."""


SOURCES = (
    ("time_to_serving", "Commit to serving (build and start)", "startup/time_to_serving", "s"),
    ("image_size", "Image size", "image/image_size", "MB"),
    ("cold_start", "Cold start", "startup/cold_start", "s"),
    ("latency_p50", "Latency p50", "load/latency_p50", "ms"),
    ("latency_p95", "Latency p95", "load/latency_p95", "ms"),
    ("latency_p99", "Latency p99", "load/latency_p99", "ms"),
    ("throughput", "Throughput within the objective", "load/throughput_within_objective", "1/s"),
    ("error_ratio", "Error ratio under load", "load/error_ratio", "1"),
    ("drift_delay", "Drift delay (median)", "drift/delay", "rows"),
    ("false_alarm_rate", "False-alarm rate of the drift monitor", "drift/false_alarm_rate", "1"),
)
CPU_PER_PREDICTION = "load/cpu_seconds_per_prediction"


def kpis(evidence: Evidence, settings: ReportSettings) -> tuple[Kpi, ...]:
    """All figures, measured or not."""
    figures = [
        Kpi(name=name, title=title, value=_value(evidence, source), unit=unit, source=source)
        for name, title, source, unit in SOURCES
    ]
    seconds = _value(evidence, CPU_PER_PREDICTION)
    cost = None if seconds is None else round(seconds * 1e6 / 3600 * settings.price_per_core_hour, 4)
    price = f"{settings.price_per_core_hour:g} {settings.currency} per core-hour"
    title = f"Cost per million predictions at {price}"
    figures.append(
        Kpi(name="cost_per_million", title=title, value=cost, unit=settings.currency, source=CPU_PER_PREDICTION)
    )
    return tuple(figures)


def _value(evidence: Evidence, source: str) -> float | None:
    stage, name = source.split("/")
    result = evidence.stage(stage)
    found = result.measurement(name) if result else None
    return found.value if found else None

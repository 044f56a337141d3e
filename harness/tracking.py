"""Each grading as an MLflow run, so that submissions compare side by side in MLflow's own pages."""

from __future__ import annotations

import os
from pathlib import Path

from grading.report import Report

# A tracking server that is down must cost seconds, not MLflow's default of minutes of retries.
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


def log(report: Report, folder: Path, uri: str) -> str:
    """Log a graded run; returns a warning, or an empty string if all went well. Never raises.

    Parameters are the run's identity, metrics are points, KPIs and every stage's measurements (`stage.measurement`),
    artifacts are the report in all its formats.
    """
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        _log(report, folder, uri)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return f"the grade stands, but it was not logged to MLflow at {uri}: {reason[:300]}"
    return ""


def _log(report: Report, folder: Path, uri: str) -> None:
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(f"assessment/{report.challenge}")
    run = report.run
    with mlflow.start_run(run_name=run.id):
        mlflow.log_params(
            {
                "submission": run.submission,
                "submission_digest": run.submission_digest,
                "image_digest": run.image_digest,
                "challenge_version": run.challenge_version,
                "profile": run.profile,
                "sandbox": run.sandbox,
                "seed_commitment": run.seed_commitment,
            }
        )
        mlflow.set_tags({"final": str(run.final), "void": str(report.void)})
        mlflow.log_metrics(metrics(report))
        for path in sorted(folder.glob("report.*")):
            mlflow.log_artifact(str(path))


def metrics(report: Report) -> dict[str, float]:
    """All numbers of a report by MLflow metric name."""
    numbers = {"points": report.points, "decided_points": report.decided_points}
    numbers.update({f"score.{score.criterion}": score.points for score in report.scores if score.points is not None})
    numbers.update({f"kpi.{kpi.name}": kpi.value for kpi in report.kpis if kpi.value is not None})
    for stage in report.stages:
        numbers.update({f"{stage.stage}.{found.name}": found.value for found in stage.measurements})
    return numbers

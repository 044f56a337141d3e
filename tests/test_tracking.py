"""Gradings logged as MLflow runs."""

from __future__ import annotations

import mlflow
import sample_report

from grading.formats import json as json_format
from harness import tracking


def test_a_grading_is_found_in_mlflow_with_its_points_measurements_and_report(tmp_path):
    report = sample_report.report()
    (tmp_path / "report.json").write_text(json_format.render(report))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert tracking.log(report, tmp_path, uri) == ""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(f"assessment/{report.challenge}")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics["points"] == report.points
    assert run.data.params["submission_digest"] == report.run.submission_digest
    measured = {f"{s.stage}.{m.name}" for s in report.stages for m in s.measurements}
    assert measured
    assert measured <= set(run.data.metrics)


def test_a_tracking_server_that_is_down_costs_a_warning_and_nothing_else(tmp_path):
    warning = tracking.log(sample_report.report(), tmp_path, "http://127.0.0.1:9")
    assert "the grade stands" in warning
    assert "127.0.0.1:9" in warning

"""Servers that nobody here wrote pass what they implement: MLflow's own, and MLServer with its MLflow runtime."""

from __future__ import annotations

import shutil

import pytest

from harness.challenge import HOME

FRAUD = HOME / "fraud_detection"
THIRD_PARTY = FRAUD / "submissions" / "third_party"
INVOCATIONS = {
    "single_row",
    "predictions_match_the_model",
    "split_and_records_agree",
    "batch_equals_row_by_row",
    "same_row_same_answer",
    "order_is_kept",
    "large_batch",
    "missing_values_are_imputed",
    "unknown_category_is_accepted",
    "mounted_model_is_followed",
}
"""All checks that need no route but POST /invocations."""
OURS = {"metrics_are_prometheus", "drift_report_shape", "livez", "readyz", "version_names_the_model"}
"""Some of what is our contract's alone: if they passed these, the checks would look at nothing."""


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("server", sorted(path.name for path in THIRD_PARTY.iterdir()))
def test_a_third_partys_server_passes_every_check_of_what_it_implements(server, judge, engine_sandbox, tmp_path):
    folder = tmp_path / server
    shutil.copytree(THIRD_PARTY / server, folder)
    shutil.copytree(FRAUD / "public" / "model", folder / "model")
    seen = judge("functional", folder, engine_sandbox)
    outcomes = {name: check.outcome for name, check in seen.checks.items()}
    expected = dict.fromkeys({*INVOCATIONS, "ping", "service_survives"}, "passed") | dict.fromkeys(OURS, "failed")
    assert {name: outcomes[name] for name in expected} == expected

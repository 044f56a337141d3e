"""The resilience stage on services that are flawed in one way each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.errors import SubmissionError
from harness.readiness import NotReady
from harness.resilience import unready
from harness.resilience.batches import Batches
from harness.sandbox.local import LocalSandbox
from harness.stages import resilience
from stages.tiny import files, hurried
from stages.tiny_service import NUMERIC

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED = REPOSITORY / "challenges" / "fraud_detection" / "public" / "model"


def formula(rows: pd.DataFrame) -> np.ndarray:
    """What the tiny service answers."""
    total = (rows[NUMERIC].abs() / 977.0 % 1.0).fillna(0.25).sum(axis=1).to_numpy() % 1.0
    return np.column_stack([1.0 - total, total])


@pytest.fixture(scope="session")
def hidden_model(tmp_path_factory):
    """The formula of the tiny service as an MLflow model."""
    import mlflow.pyfunc

    class Formula(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return formula(model_input)

    folder = tmp_path_factory.mktemp("models") / "tiny"
    mlflow.pyfunc.save_model(folder, python_model=Formula(), pip_requirements=["numpy"])
    for path in (folder.parent, folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    return folder


@pytest.fixture
def examined(stage_of, folder_of, engine_sandbox):
    """What the stage records of a submission, which may use 512 MB and has eight seconds to stop."""

    def examined(submission, sandbox=engine_sandbox):
        stage = hurried(stage_of("resilience", folder_of(submission), sandbox), 512, stop_seconds=8)
        resilience.run(stage)
        return {check.name: check for check in stage.checks}, {one.name: one for one in stage.measurements}

    return examined


def lost(checks):
    return {name for name, check in checks.items() if check.outcome == "failed"}


@pytest.mark.engine
def test_a_sound_service_passes_every_check_and_is_measured(examined):
    checks, measured = examined(files())
    assert lost(checks) == set(), {name: checks[name].message for name in lost(checks)}
    assert set(checks) | set(measured) == set(resilience.RECORDS)
    assert {check.outcome for check in checks.values()} == {"passed"}
    assert 3 <= measured["stop_seconds"].value < 8


@pytest.mark.engine
def test_a_service_that_comes_late_without_a_model_is_not_taken_for_a_silent_one(examined):
    checks, _ = examined(files("late_without_model"))
    assert lost(checks) == set(), {name: checks[name].message for name in lost(checks)}


SHELL = {"old": 'CMD ["python", "server.py"]', "new": "CMD python server.py; true"}
FAULTS = {
    "ready without a model": (
        files("always_ready"), {"not_ready_without_model", "not_ready_with_damaged_model"}),
    "a model that is not looked for": (files("ignores_model"), {"not_ready_without_model"}),
    "a damaged model that is not noticed": (files("ignores_damage"), {"not_ready_with_damaged_model"}),
    "not ready, and no word why": (files("no_detail"), {"not_ready_says_why"}),
    "an end without a model, as if all were well": (files("ends_politely"), {"not_ready_says_why"}),
    "ready before the model is loaded": (files("lazy"), {"ready_means_answering"}),
    "liveness that waits for the model": (files("live_needs_model"), {"live_before_ready"}),
    "an exit that drops what is in flight": (files("exits_at_once"), {"drops_no_request"}),
    "threads that die with the process": (files("drops"), {"drops_no_request"}),
    "new requests until the end": (files("stops_late"), {"accepts_no_new_request"}),
    "an exit code of a failure": (files("exits_with_1"), {"exit_code"}),
    "deaf to SIGTERM": (files("deaf"), {"stops_in_time"}),
    "a shell that keeps the signal": (files(**SHELL), {"stops_in_time"}),
    "a start that the last one stands in the way of": (files("starts_once"), {"restarts"}),
    "large requests that take too much memory": (files("eats_batches"), {"survives_large_batches"}),
    "memory that keeps every request": (files("leaks"), {"memory_does_not_grow"}),
}  # fmt: skip


@pytest.mark.engine
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_costs_its_own_checks_and_no_others(examined, fault):
    submission, expected = FAULTS[fault]
    checks, _ = examined(submission)
    assert lost(checks) == expected, {name: checks[name].message for name in lost(checks) ^ expected}


@pytest.mark.engine
def test_a_service_that_is_ready_too_soon_and_starts_last_still_loses_only_that(examined, monkeypatch):
    strain = resilience._strain

    def late(stage, name, model, known, examine):
        known.result()
        strain(stage, name, model, known, examine)

    monkeypatch.setattr(resilience, "_strain", late)
    assert lost(examined(files("lazy"))[0]) == {"ready_means_answering"}


@pytest.mark.engine
def test_what_a_killed_service_would_have_done_is_not_held_against_it(examined):
    checks, _ = examined(files(**SHELL))
    for name in ("exit_code", "accepts_no_new_request"):
        assert checks[name].outcome == "skipped"
        assert checks[name].message.startswith("Not reached")


@pytest.mark.engine
def test_the_engine_says_what_a_service_was_killed_for(examined):
    checks, _ = examined(files("eats_batches"))
    assert "the engine says that it was killed" in checks["survives_large_batches"].message


@pytest.mark.engine
def test_a_process_that_ends_without_its_model_is_in_order(examined):
    checks, _ = examined(files("exits_without_model"))
    assert lost(checks) == set()
    assert "exit code 1" in checks["not_ready_says_why"].observed


@pytest.mark.engine
def test_wrong_predictions_are_the_business_of_another_stage(examined):
    assert lost(examined(files("wrong_answers"))[0]) == set()


@pytest.mark.engine
def test_a_service_that_does_not_come_up_still_shows_what_it_does_without_a_model(stage_of, folder_of, engine_sandbox):
    stage = hurried(stage_of("resilience", folder_of(files("never_ready")), engine_sandbox), 512, ready_seconds=3)
    with pytest.raises(NotReady):
        resilience.run(stage)
    assert "not_ready_without_model" in {check.name for check in stage.checks if check.outcome == "passed"}


@pytest.mark.engine
def test_of_a_service_that_answers_no_valid_request_nothing_more_is_claimed(stage_of, folder_of, engine_sandbox):
    stage = stage_of("resilience", folder_of(files("writes_on_request")), engine_sandbox)
    with pytest.raises(SubmissionError, match="answered 500"):
        resilience.run(stage)
    assert lost({check.name: check for check in stage.checks}) == {"ready_means_answering"}


def test_a_plain_process_is_examined_too(examined, tmp_path, monkeypatch):
    from harness.sandbox import _venv, local

    monkeypatch.setattr(local, "WORK", tmp_path / "work")
    monkeypatch.setattr(_venv, "VENVS", tmp_path / "venvs")
    with LocalSandbox("tests", trusted=True) as sandbox:
        checks, _ = examined(files(), sandbox)
    assert lost(checks) == set(), {name: checks[name].message for name in lost(checks)}
    assert checks["survives_large_batches"].outcome == "skipped"


def test_a_damaged_model_has_all_its_files_and_half_of_its_pickle():
    with unready.damaged(PUBLISHED) as folder:
        assert {path.name for path in folder.iterdir()} == {path.name for path in PUBLISHED.iterdir()}
        assert (folder / "MLmodel").read_bytes() == (PUBLISHED / "MLmodel").read_bytes()
        whole, half = (PUBLISHED / "model.pkl").read_bytes(), (folder / "model.pkl").read_bytes()
        assert half == whole[: len(whole) // 2]


def test_no_two_requests_are_alike_and_the_seed_decides_them(challenge, hidden_model):
    one, two = (Batches(hidden_model, challenge.data.sample, 5) for _ in range(2))
    first, second = [one.make(100) for _ in range(50)], [two.make(100) for _ in range(50)]
    assert len({batch.body for batch in first}) == 50
    assert [batch.body for batch in first] == [batch.body for batch in second]

"""The lifecycle stage with a real registry, on services that are flawed in one way each."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness import companion
from harness.challenge import HOME
from harness.errors import InfrastructureError, SubmissionError
from harness.lifecycle import registry
from harness.lifecycle.registry import Version
from harness.lifecycle.settings import Settings
from harness.lifecycle.switch import watch
from harness.lifecycle.traffic import Answer
from harness.sandbox import Limits
from harness.stages import lifecycle
from stages.test_resilience import formula

SERVICE = Path(__file__).with_name("tiny_rollout.py")
DOCKERFILE = """FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1
COPY server.py /app/
ENV FLAWS={flaws}
USER 1000
CMD ["python", "/app/server.py"]
"""
QUICK = {"switch_seconds": 3, "patience_seconds": 8, "settle_seconds": 1, "agree_seconds": 1}
REST = set(lifecycle.RECORDS[:-3]) - {"follows_the_registry"}


def save(folder: Path, shift: float) -> Path:
    """The formula of the tiny service as an MLflow model."""
    import mlflow.pyfunc

    class Formula(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            values = (formula(model_input)[:, 1] + shift) % 1.0
            return [[1.0 - value, value] for value in values]

    mlflow.pyfunc.save_model(folder, python_model=Formula(), pip_requirements=["numpy"])
    (folder / "shift.json").write_text(json.dumps(shift))
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A challenge's folder whose models are formulas; the hidden one is beside it."""
    folder = tmp_path_factory.mktemp("challenge")
    shutil.copy(HOME / "fraud_detection" / "data.py", folder)
    save(folder / "public" / "model", 0.1)
    save(folder / "hidden", 0.4)
    return folder


@pytest.fixture
def stage_with(stage_of, folder_of, engine_sandbox, home):
    """The stage, on a tiny service with these flaws."""

    def stage_with(*flaws, ready_seconds=30.0, **settings):
        files = {"Dockerfile": DOCKERFILE.format(flaws=",".join(flaws)), "server.py": SERVICE.read_bytes()}
        stage = stage_of("lifecycle", folder_of(files), engine_sandbox, **{**QUICK, **settings})
        challenge = replace(stage.subject.challenge, folder=home)
        contract = challenge.spec.contract.model_copy(update={"ready_seconds": ready_seconds})
        challenge = replace(challenge, spec=challenge.spec.model_copy(update={"contract": contract}))
        stage.subject = replace(stage.subject, challenge=challenge, hidden_model=lambda: home / "hidden")
        return stage

    return stage_with


def outcomes(stage):
    return {check.name: check.outcome.value for check in stage.checks}


def failed(stage):
    return {name for name, outcome in outcomes(stage).items() if outcome == "failed"}


@pytest.mark.engine
@pytest.mark.parametrize("flaws", [(), ("tampers",)])
def test_a_service_that_follows_passes_every_check_and_cannot_write_to_the_registry(stage_with, flaws):
    stage = stage_with(*flaws)
    lifecycle.run(stage)
    assert failed(stage) == set()
    seen = {one.name: one.value for one in stage.measurements}
    assert set(outcomes(stage)) | set(seen) == set(lifecycle.RECORDS)
    assert seen["requests"] > 40
    assert {y for series in stage.drawn for _, y in series.points} == {1.0, 2.0}


FAULTS = {
    "breaks_off": {"no_request_fails_during_rollout"},
    "lies": {"answers_are_the_version_they_name"},
    "nameless": {"answers_are_the_version_they_name"},
    "never_rolls_back": {"rollback_in_time"},
    "late": {"promotion_in_time", "rollback_in_time"},
    "told_once": {"model_info_agrees"},
    "counts_anew": {"counters_go_on"},
}


@pytest.mark.engine
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_costs_its_own_checks_and_no_others(stage_with, fault):
    stage = stage_with(fault)
    lifecycle.run(stage)
    assert failed(stage) == FAULTS[fault]
    assert set(outcomes(stage)) == REST | {"follows_the_registry"}


NEVER = {
    "never_follows": "the predictions of version 1",
    "never_ready": "/readyz answers 503",
    "guesses": "predictions of no registered version",
    "dies": "ended with code 3",
}


@pytest.mark.engine
@pytest.mark.parametrize("fault", NEVER)
def test_a_service_that_never_follows_is_told_so_once(stage_with, fault):
    stage = stage_with(fault, ready_seconds=5.0, patience_seconds=4)
    with pytest.raises(SubmissionError):
        lifecycle.run(stage)
    assert outcomes(stage) == {"follows_the_registry": "failed"}
    assert NEVER[fault] in stage.checks[0].message


class Culprit:
    """Stands for a service that keeps a registry busy for as long as it runs."""

    def __init__(self, server):
        self._server = server
        server.freeze(True)

    def freeze(self, frozen):
        self._server.freeze(not frozen)


class Mended(Culprit):
    """A service that has nothing to do with a registry which is silent once."""

    def freeze(self, frozen):
        self._server.freeze(False)


class Bystander:
    def freeze(self, frozen):
        pass


@pytest.mark.engine
def test_a_registry_that_fails_is_ours_unless_it_answers_with_the_service_halted(stage_with, home, monkeypatch):
    stage, servers, running = stage_with(), [], companion.running

    def kept(*args, **options):
        manager = running(*args, **options)
        servers.append(manager)
        return manager

    monkeypatch.setattr(companion, "running", kept)
    with stage.subject.sandbox.company() as network, registry.running(stage, network, "tiny", "champion") as server:
        first = Version("1", home / "public" / "model")
        server.register(first)
        server.point(first)
        server.verify(first)
        container = servers[0].gen.gi_frame.f_locals["service"]
        server._http.timeout = 8  # of a server that is frozen
        with pytest.raises(SubmissionError, match="answered nobody"):
            server.beside(Culprit(container), lambda: server.verify(first))
        with pytest.raises(InfrastructureError):  # it does not answer with the service halted, either
            server.beside(Bystander(), lambda: server.verify(first))
        with pytest.raises(InfrastructureError, match="for a while"):
            server.beside(Mended(container), lambda: server.verify(first))
        with pytest.raises(InfrastructureError, match="names version 1"):
            server.beside(Bystander(), lambda: server.verify(Version("2", home / "hidden")))


@pytest.mark.engine
def test_a_companion_that_does_not_build_or_come_up_is_our_fault(stage_with, tmp_path):
    stage = stage_with()
    options = {"port": 80, "ready_path": "/", "ready_seconds": 1, "limits": Limits(), "env": {}, "network": ""}
    for command in ("RUN false", 'CMD ["python3", "-c", "pass"]', 'CMD ["nothing"]'):
        folder = tmp_path / "mate"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(f"FROM python:3.11-slim-bookworm\nUSER 1\n{command}\n")
        with pytest.raises(InfrastructureError, match="our own mate"), companion.running(stage, folder, **options):
            pass


class Told:
    """Traffic whose answers are known from the start."""

    def __init__(self, *answers):
        self._answers = [Answer(at, at, 200 if version != "!" else 0, "no" * (version == "!"), "", version.strip("!?"))
                         for at, version in answers]  # fmt: skip

    def answers(self, since=0.0):
        return [answer for answer in self._answers if answer.sent >= since]

    def wait(self, holds, seconds):
        return holds()


SWITCHES = {
    "at once": ([(10, "2"), (11, "2")], 0),
    "after a while": ([(10, "1"), (12, "1"), (13, "2"), (14, "2")], 3),
    "in turns": ([(10, "1"), (11, "2"), (12, "1"), (13, "2")], 3),
    "never": ([(10, "1"), (20, "1")], None),
    "and back": ([(10, "2"), (20, "1")], None),
    "failures are of no version": ([(10, "1"), (11, "2"), (12, "!"), (13, "?")], 1),
    "what was sent before does not count": ([(8, "1"), (10, "2"), (11, "2")], 0),
    "nothing came to an end": ([], None),
}


@pytest.mark.parametrize("case", SWITCHES)
def test_a_switch_is_over_when_no_other_version_answers_what_is_sent_later(case):
    answers, seconds = SWITCHES[case]
    switch = watch(Told(*answers), Version("2", Path()), 10, Settings(), lambda: False)
    assert switch.seconds == seconds

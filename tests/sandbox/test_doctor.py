"""The doctor finds what is wrong, and says what mends it."""

from __future__ import annotations

import pytest

from harness import doctor
from harness.errors import UsageError
from harness.sandbox import _network, _owner, trial
from harness.sandbox.docker import DockerSandbox, available

FIELDS = {"engine", "BuildKit", "base image", "limits", "disk", "cores", "clock", "leftovers", "address pool"}


def found() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine()}


@pytest.fixture
def no_engine(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


def test_without_an_engine_it_says_where_it_looked_and_how_to_get_one(no_engine):
    finding = found()["engine"]
    assert finding.status == "fail"
    assert "unix:///nowhere/docker.sock" in finding.what
    assert "make engine" in finding.remedy


def test_without_an_engine_there_is_no_sandbox_and_the_remedy_is_named(no_engine):
    assert not available()
    with pytest.raises(UsageError, match="make engine"), DockerSandbox("tests"):
        pass


@pytest.mark.engine
def test_on_this_machine_everything_was_looked_at_and_grading_is_possible():
    findings = found()
    assert set(findings) == FIELDS | {"trial", "egress", "host exposure"}
    assert {f.name: f.what for f in findings.values() if f.status == "fail"} == {}
    assert findings["egress"].status == findings["host exposure"].status == "ok"


@pytest.mark.engine
def test_an_open_door_to_the_host_is_found(monkeypatch):
    monkeypatch.setattr(_network, "_close_gateway", lambda _: "the door is open")
    tried = trial.run()
    assert tried.host_exposed
    assert tried.notices == ("the door is open",)
    assert tried.way_out == ()


@pytest.mark.engine
def test_a_missing_base_image_is_found_and_nothing_is_tried_without_it(monkeypatch):
    monkeypatch.setattr("harness.sandbox._engine.BASE_IMAGE", "nosuchbase:1")
    findings = found()
    assert (findings["base image"].status, findings["base image"].remedy) == ("fail", "Run 'make engine'.")
    assert "trial" not in findings


@pytest.mark.engine
def test_what_killed_runs_left_is_found(engine):
    container = engine.containers.create("python:3.11-slim-bookworm", labels={_owner.RUN: "dead"})
    finding = found()["leftovers"]
    assert (finding.status, container.name in finding.what) == ("warn", True)
    # The doctor's own trial has swept since, as every run does.
    assert found()["leftovers"].status == "ok"

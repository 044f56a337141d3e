"""The startup stage on the real engine: what does not come up is told why, and what does is looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.readiness import NotReady
from harness.sandbox import Limits
from harness.stages import startup
from stages.tiny import files

pytestmark = pytest.mark.engine
PATIENT = {"margin_seconds": 5, "no_model_seconds": 5}


def contract(stage, **changes):
    """The stage, with another contract: short deadlines where a test would have to wait for them."""
    spec = stage.subject.challenge.spec
    changed = spec.model_copy(update={"contract": spec.contract.model_copy(update=changes)})
    stage.subject = replace(stage.subject, challenge=replace(stage.subject.challenge, spec=changed))
    return stage


def judged(stage):
    startup.run(stage)
    return {check.name for check in stage.checks if check.outcome == "failed"}


def test_a_sound_service_passes_every_check_and_is_measured(judge, folder_of, engine_sandbox):
    seen = judge("startup", folder_of(files()), engine_sandbox)
    assert seen.failed == set()
    assert set(seen.checks) | set(seen.measurements) == set(startup.RECORDS)
    assert 0 < seen.measurements["cold_start"].value < 60
    assert seen.measurements["memory_mb"].value > 1
    assert "0.0.0.0:8080" in seen.checks["listens_on_all_interfaces"].observed


FAULTS = {
    "no default for the port": (files("no_port_default"), {"port_default"}),
    "a fixed port": (files("port_fixed"), {"honours_port"}),
    "root": (files(old="USER 1000\n", new=""), {"runs_as_non_root"}),
    "a health check that fails": (
        files(old="http://127.0.0.1:8080/readyz", new="http://127.0.0.1:1/readyz"), {"healthcheck_passes"}),
    "a health check with a program that is not there": (
        files(old='HEALTHCHECK CMD ["python", "-c",', new='HEALTHCHECK CMD ["curl",'), {"healthcheck_passes"}),
    "a request that writes": (files("writes_on_request"), {"writes_nothing_outside_tmp"}),
    "requests dropped at SIGTERM": (files("drops"), {"drains_on_sigterm"}),
    "ready without a model": (files("always_ready"), {"not_ready_without_model"}),
    "a model that is ignored": (files("ignores_model"), {"not_ready_without_model"}),
    "liveness that waits for the model": (files("live_needs_model"), {"live_before_ready"}),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_costs_its_own_checks_and_no_others(judge, folder_of, engine_sandbox, fault):
    submission, lost = FAULTS[fault]
    assert judge("startup", folder_of(submission), engine_sandbox, **PATIENT).failed == lost


def test_a_service_that_is_deaf_to_sigterm_is_killed_at_its_deadline(stage_of, folder_of, engine_sandbox):
    stage = contract(stage_of("startup", folder_of(files("deaf")), engine_sandbox, **PATIENT), stop_seconds=2)
    assert judged(stage) == {"stops_on_sigterm"}


def test_a_service_that_ends_without_its_model_is_in_order(judge, folder_of, engine_sandbox):
    seen = judge("startup", folder_of(files("exits_without_model")), engine_sandbox, **PATIENT)
    assert seen.failed == set()
    assert seen.checks["not_ready_without_model"].observed


def test_an_image_without_a_health_check_is_not_punished_twice(judge, folder_of, engine_sandbox):
    submission = files(old="HEALTHCHECK CMD", new="HEALTHCHECK NONE\n#")
    seen = judge("startup", folder_of(submission), engine_sandbox, **PATIENT)
    assert seen.failed == set()
    assert seen.checks["healthcheck_passes"].outcome == "skipped"


CAUSES = {
    "it listens to itself": (files("loopback"), "listens on 127.0.0.1:8080"),
    "it listens elsewhere": (files("port_5000"), "listens on port 5000, not on 8080"),
    "it is never ready": (files("never_ready"), "/readyz answers 503"),
    "its model is not there": (
        files("exits_without_model", old="COPY model /opt/ml/model\n", new=""), "exited with code 1"),
    "it wants the network": (files("wants_network"), "wants the network at start"),
    "it writes to its own file system": (files("writes_at_start"), "/app/state.json, which is read-only"),
    "it needs too much memory": (files("eats_memory"), "more memory than its limit"),
    "it ends at once": (files(old='"server.py"]', new='"-c", "pass"]'), "exited with code 0"),
    "its program is not there": (files(old='"python", "server.py"', new='"gunicorn", "app"'), "cannot be started"),
    "its module is not there": (files(old='"server.py"]', new='"-m", "app"]'), "package app is not in the image"),
    "it never expands the port": (
        files(old='"server.py"]', new="\"-c\", \"int('$PORT')\"]"), "$PORT seems to be used without a default"),
    "it listens nowhere": (
        files(old='"server.py"]', new='"-c", "import time; time.sleep(99)"]'), "listens on no port at all"),
}  # fmt: skip


@pytest.mark.parametrize("case", CAUSES)
def test_a_service_that_does_not_come_up_is_told_why_in_the_first_line(stage_of, folder_of, engine_sandbox, case):
    submission, words = CAUSES[case]
    stage = stage_of("startup", folder_of(submission), engine_sandbox)
    contract(stage, ready_seconds=3)
    spec = stage.subject.challenge.spec.model_copy(update={"limits": Limits(memory_mb=64)})
    stage.subject = replace(stage.subject, challenge=replace(stage.subject.challenge, spec=spec))
    with pytest.raises(NotReady) as caught:
        startup.run(stage)
    assert words in str(caught.value).splitlines()[0]
    (check,) = stage.checks
    assert (check.name, check.outcome) == ("becomes_ready", "failed")
    assert words in check.message

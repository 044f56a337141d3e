"""The startup stage on the real engine: a look at what comes up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.stages import startup
from stages.tiny import files

pytestmark = pytest.mark.engine
PATIENT = {"margin_seconds": 5}


def test_a_sound_service_passes_every_check_and_is_measured(judge, folder_of, engine_sandbox):
    seen = judge("startup", folder_of(files()), engine_sandbox)
    assert seen.failed == set()
    assert set(seen.checks) | set(seen.measurements) == set(startup.RECORDS)
    assert 0 < seen.measurements["cold_start"].value < 60
    assert seen.measurements["memory_mb"].value > 1
    assert "0.0.0.0:8080" in seen.checks["listens_on_all_interfaces"].observed


def test_a_slow_start_on_a_busy_machine_is_nobodys_fault(judge, folder_of, engine_sandbox):
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            seen = judge("startup", folder_of(files()), engine_sandbox, quick_seconds=0.001)
        finally:
            other.kill()
    assert seen.checks["cold_start"].outcome == "error"
    assert "others used" in seen.checks["cold_start"].message
    assert "cold_start" not in seen.measurements
    assert seen.failed == set()


FAULTS = {
    "no default for the port": (files("no_port_default"), {"port_default"}),
    "a fixed port": (files("port_fixed"), {"honours_port"}),
    "root": (files(old="USER 1000\n", new=""), {"runs_as_non_root"}),
    "a health check that fails": (
        files(old="http://127.0.0.1:8080/readyz", new="http://127.0.0.1:1/readyz"), {"healthcheck_passes"}),
    "a health check with a program that is not there": (
        files(old='HEALTHCHECK CMD ["python", "-c",', new='HEALTHCHECK CMD ["curl",'), {"healthcheck_passes"}),
    "a request that writes": (files("writes_on_request"), {"writes_nothing_outside_tmp"}),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_costs_its_own_checks_and_no_others(judge, folder_of, engine_sandbox, fault):
    submission, lost = FAULTS[fault]
    assert judge("startup", folder_of(submission), engine_sandbox, **PATIENT).failed == lost


@pytest.mark.parametrize(("script", "told"), [("curl -f localhost:8080 || exit 1", True), ("test 1 = 2", False)])
def test_a_health_check_whose_program_is_not_there_is_told_so(judge, folder_of, engine_sandbox, script, told):
    submission = files(old="HEALTHCHECK CMD", new=f"HEALTHCHECK CMD {script}\n#")
    check = judge("startup", folder_of(submission), engine_sandbox, **PATIENT).checks["healthcheck_passes"]
    assert check.outcome == "failed"
    assert ("The program that it names is not in the image" in check.message) is told


def test_an_image_without_a_health_check_is_not_punished_twice(judge, folder_of, engine_sandbox):
    submission = files(old="HEALTHCHECK CMD", new="HEALTHCHECK NONE\n#")
    seen = judge("startup", folder_of(submission), engine_sandbox, **PATIENT)
    assert seen.failed == set()
    assert seen.checks["healthcheck_passes"].outcome == "skipped"

"""A build that fails says at which step and what to do, or that it was not the candidate's fault."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace

import pytest

from harness.errors import InfrastructureError
from harness.sandbox import BuildFailed

from .conftest import BASE, SMALL

pytestmark = pytest.mark.engine


def unique(text: str) -> str:
    """The same instruction as a step that no earlier build has cached."""
    return f"RUN : {time.time_ns()}; {text}\n"


def test_steps_are_the_dockerfiles_instructions_and_the_second_build_has_them_cached(build, make):
    submission = make(f"{BASE}{unique('sleep 0.3')}RUN true\n")
    first, second = build(submission), build(submission)
    assert [s.instruction.split()[0] for s in first.steps] == ["FROM", "RUN", "RUN"]
    assert [s.cached for s in first.steps[1:]] == [False, False]
    assert first.steps[1].seconds >= 0.3
    assert [s.cached for s in second.steps[1:]] == [True, True]
    assert second.digest == first.digest


def test_an_image_bears_its_submission_and_is_measured(build, make, engine):
    submission = make(f"{BASE}USER 1000\nHEALTHCHECK CMD true\n")
    image = build(submission)
    assert engine.images.get(image.digest).labels["org.mlops-harness.submission"] == submission.digest
    assert image.config["User"] == "1000"
    assert image.config["Healthcheck"]["Test"] == ["CMD-SHELL", "true"]
    assert image.size_mb > engine.images.get("python:3.11-slim-bookworm").attrs["Size"] / 1e6 - 1


def test_the_log_says_what_each_step_printed(build, make, tmp_path):
    build(make(f"{BASE}{unique('echo to be found in the log')}"))
    assert "to be found in the log\n" in (tmp_path / "build.log").read_text()


@pytest.mark.parametrize(
    ("dockerfile", "files", "why"),
    [
        (None, {"docker/Dockerfile": BASE}, r"no file 'Dockerfile' at the top.*There is Dockerfile"),
        ("", {}, "the Dockerfile cannot be empty"),
        (f"{BASE}INSTALL pip\n", {}, r"parse error on line 2: unknown instruction: INSTALL"),
        (f"{BASE}COPY model /opt/ml/model\n", {}, r"'COPY model /opt/ml/model': \"/model\": not found"),
        ("FROM Not@A@Name\n", {}, "invalid reference format"),
        # On one stream: of two, the engine promises no order.
        (f"{BASE}RUN echo the reason >&2; nosuchcommand\n", {}, r"exit code 127.*the reason\n.*command: not found"),
        (f"{BASE}RUN false\n", {}, r"'RUN false' \(exit code 1\). It printed nothing"),
        (f"{BASE}RUN --network=host true\n", {}, "network.host is not allowed"),
        (f"{BASE}RUN --security=insecure true\n", {}, "security"),
    ],
    ids=lambda value: value.splitlines()[-1] if isinstance(value, str) and value else None,
)
def test_what_cannot_be_built_costs_the_candidate_and_says_why(build, make, dockerfile, files, why):
    with pytest.raises(BuildFailed, match=f"(?s){why}"):
        build(make(dockerfile, **files))


def test_an_image_from_a_registry_that_is_out_of_reach_is_our_fault(build, make):
    with pytest.raises(InfrastructureError, match=r"no image registry\.invalid/base:1 and cannot reach the registry"):
        build(make("FROM registry.invalid/base:1\n"))


def test_what_a_step_prints_cannot_pass_for_a_failure_of_ours(build, make):
    lies = "ERROR: failed to solve: rpc error: code = Unavailable; Temporary failure in name resolution"
    with pytest.raises(BuildFailed, match="exit code 1"):
        build(make(f"{BASE}RUN echo '{lies}'; exit 1\n"))


def test_a_package_index_of_the_candidates_own_that_does_not_answer_is_not_our_fault(build, make):
    fetch = unique("pip install --retries 0 --index-url http://127.0.0.1:9/simple colorama")
    with pytest.raises(BuildFailed, match=r"(?s)pip install.*No matching distribution"):
        build(make(f"{BASE}{fetch}"))


def test_a_frontend_that_cannot_be_fetched_is_replaced_by_the_engines_own(build, make, tmp_path):
    image = build(make(f"# syntax = registry.invalid/dockerfile:1\n{BASE}RUN <<EOF\necho here\nEOF\n"))
    assert [s.instruction.split()[0] for s in image.steps] == ["FROM", "RUN"]
    assert "the engine's own is used" in (tmp_path / "build.log").read_text()


def test_a_build_is_stopped_at_its_deadline_and_so_is_what_it_ran(build, make):
    submission = make(f"{BASE}{unique('sleep 98.76')}")
    with pytest.raises(BuildFailed, match=r"deadline of 2 s, in 'RUN .*sleep 98.76'"):
        build(submission, replace(SMALL, build_seconds=2))
    assert _gone("sleep 98.76")


def test_a_build_that_eats_the_disk_is_stopped(build, make):
    eats = unique("for i in 1 2 3 4 5 6 7 8 9 10; do head -c 100000000 /dev/zero > /file$i; sleep 0.3; done; sleep 60")
    with pytest.raises(BuildFailed, match="used up 400 MB of disk"):
        build(make(f"{BASE}{eats}"), replace(SMALL, build_disk_mb=400))


@pytest.mark.limited_builds
def test_a_build_that_eats_memory_is_killed_and_told_so(build, make):
    eats = unique("python3 -c \"x = b'x' * (400 << 20)\"")
    with pytest.raises(BuildFailed, match=r"exit code 137: it was killed.*more than 200 MB"):
        build(make(f"{BASE}{eats}"), replace(SMALL, build_memory_mb=200))


@pytest.mark.limited_builds
def test_a_build_cannot_start_processes_without_end(build, make):
    forks = unique("for i in $(seq 100); do sleep 5 & done; wait")
    with pytest.raises(BuildFailed, match="fork"):
        build(make(f"{BASE}{forks}"), replace(SMALL, build_pids=50))


def test_a_submission_with_too_much_in_it_is_refused_before_it_is_built(build, make):
    with pytest.raises(BuildFailed, match=r"tracked files have 2 MB, over the limit of 1 MB"):
        build(make(BASE, **{"data.bin": bytes(2_000_000)}), replace(SMALL, context_mb=1))


def test_an_image_over_the_limit_is_refused(build, make):
    with pytest.raises(BuildFailed, match="over the limit of 100 MB"):
        build(make(BASE), replace(SMALL, image_mb=100))


def _gone(command: str) -> bool:
    for _ in range(50):
        if subprocess.run(["pgrep", "-f", f"^{command}"], capture_output=True, check=False).returncode != 0:
            return True
        time.sleep(0.1)
    return False

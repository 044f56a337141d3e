"""What the builder says is read as it is meant, however it is laid out and whatever a step prints."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.sandbox import BuildFailed, Limits
from harness.sandbox._blame import blame
from harness.sandbox._progress import LOG_CAP, Progress

START, END = "2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:02.623456789Z"
PIP = "[2/3] RUN pip install -r requirements.txt"
FULL = "write /var/lib/x: no space left on device"
OFFLINE = "Temporary failure in name resolution\n"


def vertex(name: str, **more: object) -> dict[str, object]:
    return {"vertexes": [{"digest": name, "name": name, "started": START, **more}]}


def printed(name: str, text: str) -> dict[str, object]:
    return {"logs": [{"vertex": name, "data": base64.b64encode(text.encode()).decode()}]}


def lines(*values: dict[str, object] | str, indent: int | None = None) -> list[str]:
    texts = [value if isinstance(value, str) else json.dumps(value, indent=indent) for value in values]
    return [line + "\n" for text in texts for line in text.split("\n")]


@pytest.fixture
def progress(tmp_path: Path):
    with Progress(tmp_path / "build.log") as progress:
        yield progress


@pytest.mark.parametrize("indent", [None, 2])
def test_both_layouts_of_the_stream_are_read(progress, indent):
    stream = [
        vertex(PIP),
        printed(PIP, "Collecting\n"),
        vertex(PIP, completed=END),
        vertex("[builder 1/2] COPY . /", cached=True),
    ]
    progress.read(lines(*stream, "ERROR: failed", indent=indent))
    assert [(s.instruction, s.cached, s.seconds) for s in progress.steps] == [
        ("RUN pip install -r requirements.txt", False, 2.5),
        ("COPY . /", True, 0.0),
    ]
    assert progress.last_words == "failed"


def test_what_a_step_prints_is_never_taken_for_the_builders_word(progress):
    lie = json.dumps(vertex("[3/3] RUN forged", cached=True)) + "\nERROR: failed to solve: forged\n"
    progress.read(lines(vertex(PIP), printed(PIP, lie)))
    assert [s.instruction for s in progress.steps] == ["RUN pip install -r requirements.txt"]
    assert list(progress.said) == []


def test_a_huge_log_is_cut_and_says_so(progress, tmp_path):
    progress.read(lines(vertex(PIP), *(printed(PIP, "x" * 100_000) for _ in range(30))))
    log = (tmp_path / "build.log").read_text()
    assert LOG_CAP < len(log) < LOG_CAP + 100
    assert log.endswith("== the log was cut here, at 2 MB\n")


@pytest.mark.parametrize(
    "case",  # what the builder says; whether the engine answers; whether packages are out of reach; the verdict
    [
        ([vertex(PIP), "ERROR: failed to receive status: EOF"], False, False, InfrastructureError, "the engine died"),
        (["ERROR: failed to list workers: rpc error"], True, False, InfrastructureError, "the builder failed"),
        (["ERROR: failed to solve: the Dockerfile cannot be empty"], True, False, BuildFailed, "cannot be empty"),
        (["ERROR: failed to solve: rpc error: code = Unavailable"], True, False, InfrastructureError, "Unavailable"),
        ([vertex("exporting to image", error=FULL)], True, False, InfrastructureError, "own work"),
        ([vertex("[2/3] COPY . /", error=FULL)], True, False, InfrastructureError, "own work"),
        ([printed(PIP, OFFLINE)], True, True, InfrastructureError, "no package can be fetched in a build"),
        ([printed(PIP, OFFLINE)], True, False, BuildFailed, "exit code 1"),
        ([printed(PIP, "No matching distribution\n")], True, True, BuildFailed, "No matching distribution"),
    ],
)  # fmt: skip
def test_a_failure_costs_the_candidate_only_if_it_is_the_candidates(progress, case):
    stream, answers, offline, kind, why = case
    exited = vertex(PIP, error='process "/bin/sh -c pip" did not complete successfully: exit code: 1')
    if "logs" in stream[0]:
        stream = [vertex(PIP), *stream, exited]
    progress.read(lines(*stream))
    error = blame(progress, lambda: answers, lambda: offline, Limits())
    assert type(error) is kind
    assert why in str(error)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("docker.io/library/nope:1: not found", BuildFailed),
        ("pull access denied, repository does not exist or may require authorization", BuildFailed),
        ("dial tcp: lookup registry-1.docker.io: no such host", InfrastructureError),
        ("429 Too Many Requests - Server message: toomanyrequests", InfrastructureError),
        ("unexpected status from HEAD request to https://registry/v2: 503 Service Unavailable", InfrastructureError),
    ],
)
def test_a_base_image_that_does_not_exist_is_told_from_a_registry_that_does_not_answer(progress, said, kind):
    progress.read(lines(vertex("[internal] load metadata for docker.io/library/nope:1", error=said)))
    error = blame(progress, lambda: True, lambda: False, Limits())
    assert type(error) is kind
    assert "docker.io/library/nope:1" in str(error)

"""The stage: which services it starts, what it records, and whose fault it says a failure is."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import broken_services
import pytest
from fastapi import Response
from honest_service import Honest, served

from grading.evidence import Outcome
from harness.challenge import Challenge
from harness.errors import InfrastructureError
from harness.readiness import NotReady
from harness.sandbox import Image, Launch, Limits, State
from harness.seeds import Seed
from harness.stages import Stage, Subject, functional
from harness.submission import Submission


@dataclass
class Running:
    """A service in a thread, as a sandbox shows it."""

    name: str
    url: str
    ended: State | None = None

    def state(self) -> State:
        return self.ended or State(running=True)

    def logs(self) -> str:
        return "started"


@dataclass
class Threads:
    """A sandbox whose images are kinds of services, and whose containers are threads."""

    kind: type[Honest]
    published: Path
    ends: State | None = None
    launched: list[Launch] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    @contextmanager
    def start(self, image: Image, limits: Limits, launch: Launch) -> Iterator[Running]:
        self.launched.append(launch)
        inside = {path: folder for folder, path in launch.mounts.items()}
        model = inside[launch.env["MODEL_URI"]] if "MODEL_URI" in launch.env else self.published
        with served(self.kind(model)) as url:
            yield Running(launch.name, url, self.ends)
        self.stopped.append(launch.name)


@pytest.fixture
def stage_of_kind(challenge, hidden_model, tmp_path):
    """Makes the stage for a kind of service; with `tests`, for a challenge that has only those."""

    def stage_of_kind(kind: type[Honest], tests: str = "", ready_seconds: float = 20, **sandbox: object) -> Stage:
        published = challenge.folder / "public" / "model"
        folder = challenge.folder
        if tests:
            folder = tmp_path / "challenge"
            (folder / "functional").mkdir(parents=True)
            source = "import time\nfrom harness import kit\n" + textwrap.dedent(tests)
            (folder / "functional" / "test_it.py").write_text(source)
        contract = challenge.spec.contract.model_copy(update={"ready_seconds": ready_seconds})
        spec = challenge.spec.model_copy(update={"contract": contract})
        subject = Subject(
            challenge=Challenge(folder, spec, "0" * 64),
            profile="review",
            submission=Submission("s", tmp_path, tmp_path, "0" * 64),
            sandbox=Threads(kind, published, **sandbox),
            seed=Seed("7" * 64),
            build=lambda: Image("i", "sha256:0", None, 0.0),
            reference=lambda: Image("r", "sha256:1", None, 0.0),
            hidden_model=lambda: hidden_model,
            run_folder=tmp_path / "run",
        )
        return Stage("functional", functional.Settings(), subject)

    return stage_of_kind


def outcomes(stage: Stage) -> dict[str, str]:
    return {check.name: check.outcome.value for check in stage.checks}


def failed(stage: Stage) -> set[str]:
    return {name for name, outcome in outcomes(stage).items() if outcome == "failed"}


def test_an_honest_service_passes_with_and_without_a_mounted_model(stage_of_kind):
    stage = stage_of_kind(Honest)
    functional.run(stage)
    result = stage.result()
    assert result.outcome is Outcome.PASSED
    assert {"predictions_match_the_model", "mounted_model_is_followed", "service_survives"} <= set(outcomes(stage))
    sandbox = stage.subject.sandbox
    assert sorted((launch.name, len(launch.mounts)) for launch in sandbox.launched) == [("mounted", 1), ("own", 0)]
    assert sorted(sandbox.stopped) == ["mounted", "own"]
    assert {artifact.name for artifact in result.artifacts} == {"own.log", "mounted.log", "pytest.txt"}
    assert all(check.message.endswith(".") for check in result.checks)


def test_the_hidden_seed_is_written_nowhere(stage_of_kind):
    stage = stage_of_kind(broken_services.ModelBakedIn)
    broken_services.ModelBakedIn.published = stage.subject.published_model
    functional.run(stage)
    assert failed(stage) == {"mounted_model_is_followed", "version_follows_the_mounted_model"}
    seed = str(stage.subject.seed.child("functional"))
    texts = [path.read_text() for path in stage.subject.run_folder.rglob("*") if path.is_file()]
    assert texts
    assert not any(seed in text for text in (*texts, stage.result().model_dump_json()))


class ReadyWithItsOwnModelOnly(Honest):
    def health(self, path: str) -> Response:
        return Response(status_code=200 if self.metadata["version"] == "1" else 503)


class NeverReady(Honest):
    def health(self, path: str) -> Response:
        return Response(status_code=503)


def test_a_service_that_cannot_start_with_another_model_fails_the_checks_about_that(stage_of_kind):
    stage = stage_of_kind(ReadyWithItsOwnModelOnly, ready_seconds=3)
    functional.run(stage)
    assert failed(stage) == {"mounted_model_is_followed", "version_follows_the_mounted_model"}
    message = next(check.message for check in stage.checks if check.name == "mounted_model_is_followed")
    assert message.startswith("Not ready after 3 s: /readyz answers 503")


def test_a_service_that_never_gets_ready_ends_the_stage_at_once(stage_of_kind):
    stage = stage_of_kind(NeverReady, ready_seconds=1)
    with pytest.raises(NotReady, match="/readyz answers 503"):
        functional.run(stage)
    assert stage.checks == []
    assert sorted(stage.subject.sandbox.stopped) == []
    assert threading.active_count() < 20


ONE = '''
def test_one(service):
    """It answers."""
    service.get("/livez")
'''


def test_a_service_that_ended_is_told_with_the_cause(stage_of_kind):
    stage = stage_of_kind(Honest, ONE, ends=State(running=False, exit_code=137, killed_for_memory=True))
    functional.run(stage)
    assert outcomes(stage) == {"one": "passed", "service_survives": "failed"}
    assert "killed for memory" in stage.checks[-1].message


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("import nothing_of_that_name\n" + ONE, "ended with code 2: ERROR"),
        (ONE.replace('"""It answers."""', "pass"), "has no docstring"),
        ("def helper():\n    pass\n", "ended with code 5"),
        (ONE + "import os\ndef test_two():\n    '''Dies.'''\n    os._exit(9)\n", "ended with code 9"),
    ],
    ids=["cannot be imported", "no claim", "no tests", "dies"],
)
def test_tests_that_do_not_run_are_our_fault(stage_of_kind, tests, said):
    stage = stage_of_kind(Honest, tests)
    with pytest.raises(InfrastructureError, match=said):
        functional.run(stage)
    assert len(stage.subject.sandbox.stopped) == 2


def test_a_bug_in_one_test_leaves_that_check_undecided_and_the_others_as_they_are(stage_of_kind):
    stage = stage_of_kind(Honest, ONE + "def test_two():\n    '''Two.'''\n    1 / 0\n")
    functional.run(stage)
    assert outcomes(stage) == {"one": "passed", "two": "error", "service_survives": "passed"}


def test_tests_that_never_end_are_ended_and_are_our_fault(stage_of_kind, monkeypatch):
    monkeypatch.setattr(functional, "GRACE", -110.0)
    stage = stage_of_kind(Honest, ONE + "def test_two():\n    '''Two.'''\n    time.sleep(600)\n")
    with pytest.raises(InfrastructureError, match="did not end within 10 s"):
        functional.run(stage)
    assert outcomes(stage)["one"] == "passed"
    assert len(stage.subject.sandbox.stopped) == 2

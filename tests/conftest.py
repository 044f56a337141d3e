"""What tests of stages share: a challenge, a sandbox on the real engine, and one stage at a time to drive."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound

from grading.evidence import Check, Measurement
from harness.challenge import HOME, Challenge, Spec
from harness.errors import InfrastructureError
from harness.sandbox import Image, Limits, Sandbox, _cgroup
from harness.sandbox.docker import DockerSandbox, available
from harness.seeds import published
from harness.stages import Stage, Subject
from harness.submission import Submission, export
from harness.verify import stage_module

FRAUD = HOME / "fraud_detection"
REFERENCE = FRAUD / "submissions" / "reference"
RUBRIC = {
    "criteria": [{"id": "all", "title": "t", "skill": "serving", "points": 100, "kind": "manual", "guidance": "g"}]
}


# Beside them, whatever is marked so by hand.
ALONE = ("test_load_exam.py", "test_load_generator.py", "test_load_stage.py", "test_calibrate.py")


@cache
def engine_there() -> bool:
    return available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What measures the machine, or grades on it, runs with nothing else beside it."""
    for item in items:
        if item.path.name in ALONE:
            item.add_marker("alone")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests are skipped that need an engine, or root beside it, unless the environment says that both must be there."""
    missing = ""
    if item.get_closest_marker("engine") and not engine_there():
        missing = "no Docker engine answers"
    elif item.get_closest_marker("limited_builds") and not _cgroup.possible():
        missing = "limiting a build takes root beside the engine"
    if missing and os.environ.get("HARNESS_REQUIRE_ENGINE"):
        pytest.fail(f"HARNESS_REQUIRE_ENGINE is set, and {missing}", pytrace=False)
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def challenge() -> Challenge:
    """The first challenge's data, model and contract, with a rubric and settings that no edit of its own changes."""
    values = {
        "id": "fraud_detection",
        "version": "1",
        "title": "t",
        "role": "machine-learning engineer",
        "summary": "s",
    }
    spec = Spec.model_validate({**values, "hours": 4, "stages": ["repository"], "rubric": RUBRIC})
    return Challenge(FRAUD, spec, "0" * 64)


@pytest.fixture(scope="session")
def hidden_model(challenge: Challenge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow model that no submission brought."""
    folder = tmp_path_factory.mktemp("models") / "hidden"
    challenge.model.save(folder, 2, 11)
    for path in (folder.parent, folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    return folder


class TidySandbox(DockerSandbox):
    """Remembers which images it made, so that tests leave none behind."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.made: set[str] = set()

    def build(self, submission: Submission, limits: Limits, log: Path) -> Image:
        image = super().build(submission, limits, log)
        self.made.add(image.digest)
        return image


@pytest.fixture(scope="session")
def done_with(request: pytest.FixtureRequest) -> Callable[[set[str]], None]:
    """Removes images, or lets the process do it that all workers report to: another worker may use the same ones."""

    def done_with(images: set[str]) -> None:
        if hasattr(request.config, "workeroutput"):
            request.config.workeroutput.setdefault("images", []).extend(images)
        else:
            remove(images)

    return done_with


@pytest.fixture(scope="session")
def engine_sandbox(done_with: Callable[[set[str]], None]) -> Iterator[DockerSandbox]:
    """The real sandbox, shared by all tests of stages. Images that were there before are left alone."""
    client = docker.from_env()
    before = {str(image.id) for image in client.images.list()}
    client.close()
    with TidySandbox("tests-of-the-stages") as sandbox:
        yield sandbox
    done_with(sandbox.made - before)


IMAGES = pytest.StashKey[set[str]]()
"""Images of the workers that have ended."""


def remove(images: set[str]) -> None:
    client = docker.from_env()
    for image in images:
        with suppress(ImageNotFound):
            client.images.remove(image, force=True)
    client.close()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker of pytest-xdist has ended: keep the names of its images."""
    images = getattr(node, "workeroutput", {}).get("images", [])
    node.config.stash.setdefault(IMAGES, set()).update(images)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if images := session.config.stash.get(IMAGES, None):
        remove(images)


@dataclass
class Seen:
    """What one stage recorded."""

    stage: Stage
    checks: dict[str, Check]
    measurements: dict[str, Measurement]

    @property
    def failed(self) -> set[str]:
        return {name for name, check in self.checks.items() if check.outcome == "failed"}


StageOf = Callable[..., Stage]
Judge = Callable[..., Seen]


@pytest.fixture
def stage_of(challenge: Challenge, tmp_path: Path, request: pytest.FixtureRequest) -> StageOf:
    """Makes a stage of a submission's folder: `stage_of("image", folder, sandbox, **settings)`."""

    def stage_of(name: str, folder: Path, sandbox: Sandbox | None = None, **settings: object) -> Stage:
        submission = export(folder, tmp_path / f"export-{name}")
        log = tmp_path / "build.log"

        def build():
            assert sandbox is not None, "this stage was given no sandbox"
            return sandbox.build(submission, challenge.spec.limits, log)

        def reference():
            raise InfrastructureError("tests of one stage have no reference submission")

        subject = Subject(
            challenge=challenge,
            profile="review",
            submission=submission,
            sandbox=sandbox,  # type: ignore[arg-type]  # a stage that runs nothing needs none
            seed=published(),
            build=build,
            reference=reference,
            hidden_model=lambda: request.getfixturevalue("hidden_model"),
            run_folder=tmp_path / "run",
        )
        return Stage(name, stage_module(name).Settings(**settings), subject)

    return stage_of


@pytest.fixture
def judge(stage_of: StageOf) -> Judge:
    """Runs a stage on a submission's folder and gives what it recorded."""

    def judge(name: str, folder: Path, sandbox: Sandbox | None = None, **settings: object) -> Seen:
        stage = stage_of(name, folder, sandbox, **settings)
        stage_module(name).run(stage)
        return Seen(stage, {c.name: c for c in stage.checks}, {m.name: m for m in stage.measurements})

    return judge


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[..., Path]:
    """Writes files into a folder that becomes a submission; a value of None removes one of the defaults."""

    def folder_of(files: dict[str, str | bytes | None], name: str = "submission") -> Path:
        folder = tmp_path / name
        for path, content in files.items():
            if content is None:
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    return folder_of

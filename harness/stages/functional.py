"""Functional: are the answers right? The challenge's own tests, ordinary pytest, against two fresh services.

One service has the model that its image brought; in the other a model is mounted that no candidate has seen. The tests
run in a process of their own, which loads both models for the expected answers and writes each outcome to a file;
nothing that it prints is read. It is started before the services, so that its imports take no time of their own.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict, Field

from grading.evidence import Check
from harness.challenge import Challenge
from harness.errors import InfrastructureError
from harness.functional.brief import Brief, Served
from harness.readiness import NotReady
from harness.sandbox import Service
from harness.stages import Stage

NEEDS_SERVICE = True
TIMED = False
SURVIVES = "service_survives"
ROOT = Path(__file__).resolve().parent.parent.parent
GRACE = 60.0
"""Seconds that the tests may take beyond the time that they give to the services; more is a bug of ours."""


class Settings(BaseModel):
    """Settings of the stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(120, gt=0)
    """The time that all checks share. A service too slow for it fails the checks that are left."""


def records(challenge: Challenge) -> tuple[str, ...]:
    """The names of the checks that this stage may record for a challenge: those of its tests, without `test_`."""
    trees = (ast.parse(path.read_text("utf-8")) for path in sorted(challenge.folder.glob("functional/test_*.py")))
    named = (node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef))
    return (*(name.removeprefix("test_") for name in named if name.startswith("test_")), SURVIVES)


def run(stage: Stage[Settings]) -> None:
    """Run the challenge's tests and record their outcomes."""
    image = stage.image
    del image  # asked for now, so that a submission that does not build ends here
    with TemporaryDirectory() as folder, ExitStack() as services:
        results = Path(folder) / "results.jsonl"
        with _tests(stage, results) as tests:
            stage.say("starting two services")
            brief, running = _serve(stage, services)
            stage.say("running checks")
            with stage.ledger.span("measuring"):
                ended = _finish(stage, tests, brief)
        for line in results.read_text("utf-8").splitlines() if results.exists() else ():
            stage.record(Check.model_validate_json(line))
        _survives(stage, running)
    if ended:
        raise InfrastructureError(ended)


@contextmanager
def _tests(stage: Stage[Settings], results: Path) -> Iterator[subprocess.Popen[str]]:
    """The process of the tests, which waits for its brief; it never outlives the block."""
    challenge = stage.subject.challenge.folder.resolve()
    folder = challenge / "functional"
    command = [
        *(sys.executable, "-m", "pytest", "-p", "harness.functional.plugin", "-s", "-q", "--results", str(results)),
        *("--challenge", str(challenge), "--model", str(stage.subject.published_model.resolve())),
        *("-c", os.devnull, "--rootdir", str(folder), "--confcutdir", str(folder), "--tb", "short"),
        *("--import-mode", "importlib", "--assert", "plain", "--strict-markers", "-p", "no:cacheprovider"),
        *("-p", "no:unraisableexception", "-p", "no:threadexception", str(folder)),  # they collect garbage for a second
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MLFLOW_"))}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    tests = subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with tests:
        try:
            yield tests
        finally:
            tests.kill()


def _serve(stage: Stage[Settings], services: ExitStack) -> tuple[Brief, list[Service]]:
    """Start both services at once. One that does not become ready fails the checks that are about it.

    Raises:
        NotReady: neither became ready.
    """
    subject = stage.subject
    running: list[Service] = []
    problems: list[NotReady] = []

    def serve(name: str, model: Path | None) -> Served:
        try:
            service, _ = services.enter_context(stage.service(name=name, model=model))
        except NotReady as error:
            problems.append(error)
            return Served(problem=str(error))
        running.append(service)
        return Served(url=service.url)

    with ThreadPoolExecutor(1) as pool:
        own = pool.submit(serve, "own", None)
        hidden_model = subject.hidden_model()
        mounted = serve("mounted", hidden_model)
        brief = Brief(
            seed=subject.seed.child("functional"),
            seconds=stage.settings.seconds,
            hidden_model=hidden_model,
            own=own.result(),
            mounted=mounted,
        )
    if not running:
        raise problems[0]
    return brief, running


def _finish(stage: Stage[Settings], tests: subprocess.Popen[str], brief: Brief) -> str:
    """Hand over the brief and wait; returns what went wrong with the tests themselves, or an empty string."""
    try:
        output, _ = tests.communicate(brief.model_dump_json(), timeout=brief.seconds + GRACE)
    except subprocess.TimeoutExpired:
        tests.kill()
        output, _ = tests.communicate()
        problem = f"the functional tests did not end within {brief.seconds + GRACE:g} s"
    else:
        # 0: all passed; 1: some did not. Anything else is no verdict: bad tests, none at all, a crash.
        problem = "" if tests.returncode in (0, 1) else f"the functional tests ended with code {tests.returncode}"
    stage.text_artifact("pytest.txt", output)
    cause = next((line for line in output.splitlines() if line.startswith("ERROR")), "see pytest.txt")
    return f"{problem}: {cause}" if problem else ""


def _survives(stage: Stage[Settings], running: list[Service]) -> None:
    """Whether the services are still there: where one ended, this says why later checks found nothing."""
    states = [service.state() for service in running]
    ended = [
        "it was killed for memory" if state.killed_for_memory else f"it exited with code {state.exit_code}"
        for state in states
        if not state.running
    ]
    how = "; ".join(ended)
    wrong = f"The service ended while it was being tested: {how}. Its log is among the artifacts."
    stage.check(
        SURVIVES,
        not ended,
        wrong if ended else "The service still runs after all checks.",
        expected="running",
        observed=how or "running",
    )

"""The pytest plugin behind `harness.kit`: its fixtures, its marker, and the outcomes as one JSON line a check.

An author can run a challenge's tests by hand against services that are up already; `Brief` says what goes into FILE:

    cd challenges/fraud_detection
    python -m pytest -p harness.functional.plugin --challenge . --model public/model --brief FILE functional
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from grading.evidence import Check, Outcome
from harness.challenge import load_module
from harness.errors import InfrastructureError, SubmissionError
from harness.functional.brief import Brief, Served
from harness.kit import Model, Rows, Service
from harness.stages import TEXT_CAP, deadline

CLAIM = pytest.StashKey[str]()
DATA = pytest.StashKey[ModuleType]()
MODEL = pytest.StashKey[Model]()


class NotReached(SubmissionError):
    """A check that another one, which failed, stands in the way of."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the tests are told what to test, and where their outcomes go."""
    group = parser.getgroup("harness")
    group.addoption("--challenge", help="the challenge's folder")
    group.addoption("--model", help="the folder of the published model")
    group.addoption("--brief", default="/dev/stdin", help="what to test, as JSON; read when the first test asks")
    group.addoption("--results", help="a file for the outcomes, one JSON line a check")


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker and start recording."""
    config.addinivalue_line("markers", "needs(*checks): fails as 'not reached' unless these checks passed before it")
    config.stash[MODEL] = Model(Path(config.getoption("model")))
    config.pluginmanager.register(Recorder(config.getoption("results")), "harness-recorder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that could not be reported: without a claim, with a name used twice, or out of order."""
    seen: set[str] = set()
    for item in items:
        name = check_name(item)
        claim = " ".join((getattr(getattr(item, "obj", None), "__doc__", None) or "").split("\n\n")[0].split())
        if not claim:
            raise pytest.UsageError(f"{item.nodeid} has no docstring, which is what the candidate reads")
        if name in seen:
            raise pytest.UsageError(f"{item.nodeid}: there is another check of that name")
        if missing := [needed for needed in _needed(item) if needed not in seen]:
            raise pytest.UsageError(f"{item.nodeid} needs {', '.join(missing)}, which does not stand before it")
        item.stash[CLAIM] = claim
        seen.add(name)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Load what takes seconds now, while the services are still starting."""
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if "rows" in wanted:
        _data(session.config)
    if "model" in wanted:
        session.config.stash[MODEL].load()


@pytest.fixture(scope="session")
def brief(request: pytest.FixtureRequest) -> Brief:
    """What the tests are told; waits until it is written."""
    return Brief.model_validate_json(Path(request.config.getoption("brief")).read_text("utf-8"))


@pytest.fixture(scope="session")
def time_left(brief: Brief) -> Callable[[], float]:
    """The seconds left of the time that all checks share."""
    return deadline(brief.seconds)


@pytest.fixture(scope="session")
def service(brief: Brief, time_left: Callable[[], float]) -> Iterator[Service]:
    """The submission with the model that its image brought."""
    yield from _client(brief.own, time_left)


@pytest.fixture(scope="session")
def mounted_service(brief: Brief, time_left: Callable[[], float]) -> Iterator[Service]:
    """The submission with the hidden model mounted."""
    yield from _client(brief.mounted, time_left)


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> Model:
    """The published model."""
    return request.config.stash[MODEL]


@pytest.fixture(scope="session")
def mounted_model(brief: Brief) -> Model:
    """The hidden model."""
    return Model(brief.hidden_model)


@pytest.fixture
def rows(brief: Brief, request: pytest.FixtureRequest) -> Rows:
    """Hidden rows; a test draws the same ones whichever tests run before it."""
    purpose = int.from_bytes(sha256(check_name(request.node).encode()).digest()[:8], "big")
    rng = np.random.default_rng([brief.seed, purpose])
    data = _data(request.config)
    return lambda n: data.sample(n, rng)


class Recorder:
    """Writes down what became of each check, and lets none run whose ground is gone."""

    def __init__(self, results: str | None) -> None:
        self._results = Path(results) if results else None
        self._checks: dict[str, Check] = {}
        self._stopped: dict[str, str] = {}
        """Of a test that was not run, the check that failed."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Stop a test where a check that it needs did not pass."""
        for name in _needed(item):
            outcome = self._checks[name].outcome
            if outcome is Outcome.FAILED:
                # The first check that failed, and not the one that it has stopped already: one reason for all.
                self._stopped[check_name(item)] = first = self._stopped.get(name, name)
                raise NotReached(f"not reached: {first} failed")
            if outcome is Outcome.ERROR:
                raise InfrastructureError(f"not reached: {name} ended in an error of the harness")
            if outcome is Outcome.SKIPPED:
                pytest.skip(f"not reached: {name} was not assessed")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the outcome of a phase; what a test's teardown raises is a bug of ours like any other."""
        report = yield
        name = check_name(item)
        if call.when == "call" or call.excinfo:
            self._checks[name] = _judge(name, item.stash[CLAIM], call)
        if call.when == "teardown" and self._results:
            with self._results.open("a", encoding="utf-8") as file:
                file.write(self._checks[name].model_dump_json() + "\n")
        return report


def check_name(item: pytest.Item) -> str:
    """The name of the check that a test makes."""
    return item.name.removeprefix("test_")


def _judge(name: str, claim: str, call: pytest.CallInfo[None]) -> Check:
    error = call.excinfo.value if call.excinfo else None
    expected: object = ""
    observed: object = ""
    if error is None:
        outcome, message = Outcome.PASSED, claim
    elif call.when != "teardown" and isinstance(error, AssertionError | SubmissionError | pytest.fail.Exception):
        outcome, message = Outcome.FAILED, _said(error) or f"this does not hold: {claim}"
        expected, observed = getattr(error, "expected", ""), getattr(error, "observed", "")
    elif isinstance(error, pytest.skip.Exception):
        outcome, message = Outcome.SKIPPED, str(error)
    else:
        outcome, message = Outcome.ERROR, f"{type(error).__name__}: {error}"
    return Check(
        name=name,
        outcome=outcome,
        message=_sentence(message),
        expected=_shown(expected),
        observed=_shown(observed),
        seconds=round(call.duration, 3) if call.when == "call" else 0.0,
        reached=not isinstance(error, NotReached),
    )


def _said(error: BaseException) -> str:
    """The author's words, without what pytest adds to those of a plain `assert`."""
    return f"\n{error}".split("\nassert ")[0].strip()


def _sentence(text: str) -> str:
    """A sentence, with a capital unless it begins with a name such as `model_predictions_total`."""
    text = text[:TEXT_CAP].strip()
    named = re.match(r"\w*[_.]\w", text)
    return (text if named else text[:1].upper() + text[1:]) + ("" if text.endswith((".", "!", "?")) else ".")


def _shown(value: object) -> str:
    return (value if isinstance(value, str) else repr(value))[:TEXT_CAP]


def _data(config: pytest.Config) -> ModuleType:
    if DATA not in config.stash:
        config.stash[DATA] = load_module(Path(config.getoption("challenge")).resolve(), "data", "sample")
    return config.stash[DATA]


def _needed(item: pytest.Item) -> list[str]:
    return [name for marker in item.iter_markers("needs") for name in marker.args]


def _client(served: Served, left: Callable[[], float]) -> Iterator[Service]:
    if served.problem:
        raise SubmissionError(served.problem)
    client = Service(served.url, left)
    with client:
        yield client

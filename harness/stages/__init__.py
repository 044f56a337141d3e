"""What a stage is given and where it puts what it sees. One public module beside this file is one stage.

A stage module has a docstring (what it looks at), `Settings` (a pydantic model, checked when the challenge is loaded),
`RECORDS` (globs over the names of the checks and measurements it may record, which rubrics are checked against; or a
function `records(challenge)` where they depend on the challenge),
`NEEDS_SERVICE` (whether it runs the submission), `TIMED` (whether what it finds depends on how busy the machine is) and
`run(stage)`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from grading.evidence import (
    Artifact,
    Check,
    Interval,
    Measurement,
    Outcome,
    Series,
    Skip,
    StageResult,
)
from harness.challenge import Challenge, Profile
from harness.client import Client
from harness.ledger import Ledger
from harness.readiness import wait_ready
from harness.sandbox import BuildFailed, Image, Launch, Sandbox, Service
from harness.seeds import Seed
from harness.submission import Submission

SettingsT = TypeVar("SettingsT", bound=BaseModel)
TEXT_CAP = 4000
"""Characters of `expected`, `observed` and `message` that a check keeps."""
ARTIFACT_CAP = 2 * 1024 * 1024
"""Bytes of a text artifact that are kept: its end."""


@dataclass(frozen=True)
class Subject:
    """Everything about the run that all its stages share."""

    challenge: Challenge
    profile: Profile
    submission: Submission
    sandbox: Sandbox
    seed: Seed
    build: Callable[[], Image]
    """Builds the submission's image. Raises `BuildFailed`. Stages ask for `image`, which calls it once."""
    reference: Callable[[], Image] | None
    """Builds (once) and gives the reference submission's image. Raises `InfrastructureError` if that fails. None in a
    candidate's copy of the harness, which does not hold it."""
    hidden_model: Callable[[], Path]
    """Trains (once) and gives an MLflow model that no candidate has seen, of the published model's signature."""
    run_folder: Path

    @cached_property
    def image(self) -> Image | BuildFailed:
        """The submission's image, or why there is none; built when it is first asked for."""
        try:
            return self.build()
        except BuildFailed as error:
            return error

    @property
    def built(self) -> Image | None:
        """The submission's image, if it has been built so far."""
        image = self.__dict__.get("image")
        return image if isinstance(image, Image) else None

    @property
    def published_model(self) -> Path:
        """The MLflow model that every candidate was given."""
        return self.challenge.folder / "public" / "model"


@dataclass
class Stage(Generic[SettingsT]):
    """One stage at work: what it may use, and its notebook. Recording is safe from any thread."""

    name: str
    settings: SettingsT
    subject: Subject
    say: Callable[[str], None] = lambda _: None
    """Shows progress, in a few words."""
    ledger: Ledger = field(default_factory=Ledger)
    checks: list[Check] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    drawn: list[Series] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def image(self) -> Image:
        """The submission's image. Raises `BuildFailed` if it did not build."""
        if not self.subject.built:
            self.say("building the image (the first build takes minutes)")
        with self.ledger.span("building"):
            image = self.subject.image
        if isinstance(image, BuildFailed):
            raise image
        return image

    def reference_image(self) -> Image:
        """The reference submission's image, or the submission's own where the reference is not there.

        Raises:
            InfrastructureError: the reference did not build.
        """
        if self.subject.reference is None:
            return self.image
        with self.ledger.span("building"):
            return self.subject.reference()

    @contextmanager
    def launched(
        self,
        name: str,
        *,
        port: int | None = None,
        image: Image | None = None,
        model: Path | None = None,
        cpuset: str = "",
        network: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Service]:
        """A fresh service that was started but not waited for; its output is kept, and it is stopped in the end.

        `image` is the submission's own unless given, `port` the contract's. With `model` (a folder) that model is
        mounted where the contract says and `MODEL_URI` names it; without, the image serves the model that it brought.
        `network` is one that the sandbox's `company` made.

        Raises:
            CannotStart: there is nothing to run in the image.
        """
        environment, mounts = dict(env or {}), {}
        if model is not None:
            # Another place than the image's own, so that a path written into the code is noticed.
            target = "/mnt/models/current"
            mounts[model] = target
            environment["MODEL_URI"] = target
        spec = self.subject.challenge.spec
        launch = Launch(name, environment, mounts, cpuset, port or spec.contract.port, network)
        with self.ledger.span("serving"):
            running = self.subject.sandbox.start(image or self.image, spec.limits, launch)
            service = running.__enter__()
        try:
            yield service
        finally:
            self.text_artifact(f"{name}.log", service.logs())
            with self.ledger.span("serving"):
                running.__exit__(*sys.exc_info())

    @contextmanager
    def service(
        self,
        *,
        name: str = "service",
        image: Image | None = None,
        model: Path | None = None,
        cpuset: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Iterator[tuple[Service, Client]]:
        """A fresh service, ready, with a client for it; see `launched`. `PORT` is set as the contract has it.

        Raises:
            NotReady: the service ended or did not become ready in time; says why.
        """
        contract = self.subject.challenge.spec.contract
        env = {"PORT": str(contract.port), **(env or {})}
        with self.launched(name, image=image, model=model, cpuset=cpuset, env=env) as service:
            with self.ledger.span("serving"):
                wait_ready(service, contract.ready_paths, contract.ready_seconds)
            with Client(service.url) as client:
                yield service, client

    def check(
        self, name: str, passed: bool, message: str, *, expected: object = "", observed: object = "", seconds: float = 0
    ) -> bool:
        """Record a claim and whether it held; returns `passed`.

        `message` is what the candidate reads: the claim if it held, else what is wrong and what to do about it.
        """
        outcome = Outcome.PASSED if passed else Outcome.FAILED
        self.record(
            Check(
                name=name,
                outcome=outcome,
                message=_cut(message),
                expected=_cut(expected),
                observed=_cut(observed),
                seconds=round(seconds, 3),
            )
        )
        return passed

    def not_assessed(self, name: str, message: str) -> None:
        """Record a claim that cannot be assessed where the service runs."""
        self.record(Check(name=name, outcome=Outcome.SKIPPED, message=message))

    def record(self, check: Check) -> None:
        """Record a check made elsewhere."""
        with self._lock:
            self.checks.append(check)

    def measure(self, name: str, value: float, unit: str, *, interval: Interval | None = None, note: str = "") -> None:
        """Record a number."""
        with self._lock:
            self.measurements.append(
                Measurement(name=name, value=round(value, 6), unit=unit, interval=interval, note=note)
            )

    def draw(self, series: Series) -> None:
        """Record points for the report's charts."""
        with self._lock:
            self.drawn.append(series)

    def text_artifact(self, name: str, text: str) -> Path:
        """Keep a text beside the evidence: its end, if it is over the cap."""
        content = text.encode("utf-8", "replace")
        cut = len(content) > ARTIFACT_CAP
        path = self.artifact_path(name)
        path.write_bytes(content[-ARTIFACT_CAP:])
        if cut:
            with self._lock:
                kept = next(a for a in self.artifacts if a.name == name)
                self.artifacts.remove(kept)
                self.artifacts.append(kept.model_copy(update={"note": f"only the last {ARTIFACT_CAP // 2**20} MB"}))
        return path

    def artifact_path(self, name: str) -> Path:
        """A path to write an artifact to, which the result will list."""
        path = self.subject.run_folder / "artifacts" / self.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        relative = path.relative_to(self.subject.run_folder).as_posix()
        with self._lock:
            if all(a.path != relative for a in self.artifacts):
                self.artifacts.append(Artifact(name=name, path=relative))
        return path

    def result(self, outcome: Outcome | None = None, reason: str = "", skip: Skip | None = None) -> StageResult:
        """Everything recorded so far; the outcome is that of its worst check unless given."""
        failed = [c for c in self.checks if c.outcome is Outcome.FAILED]
        if outcome is None:
            outcome = Outcome.FAILED if failed else Outcome.PASSED
            reason = failed[0].message if failed else ""
        return StageResult(
            stage=self.name,
            outcome=outcome,
            reason=_cut(reason),
            skip=skip,
            checks=tuple(self.checks),
            measurements=tuple(self.measurements),
            series=tuple(self.drawn),
            artifacts=tuple(self.artifacts),
            ledger=self.ledger.close(),
        )


def _cut(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= TEXT_CAP else f"{text[:TEXT_CAP]}... ({len(text)} characters)"


def deadline(seconds: float) -> Callable[[], float]:
    """A function that gives the seconds left, never below zero."""
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())

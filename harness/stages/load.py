"""Load: how much the service gets done beside the reference on the same core, how late it answers at a given rate, and
what overload does to it.

The protocol is in `harness/load/`; what one request is, in the challenge's `load.py`. Both services serve a model that
no candidate has seen. Where there is no reference (a candidate's own copy of the harness holds none), the candidate is
driven beside itself: everything but the ratio is measured as it would be.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.challenge import load_module
from harness.client import Client
from harness.errors import InfrastructureError
from harness.load import exam, findings, place, preflight
from harness.load.generator import Generator
from harness.load.kept import Kept
from harness.load.place import Place
from harness.load.pool import Traffic
from harness.load.preflight import Floor
from harness.load.rig import CANDIDATE, REFERENCE, Rig
from harness.load.settings import Settings
from harness.readiness import NotReady
from harness.stages import Stage, deadline

__all__ = ["NEEDS_SERVICE", "RECORDS", "TIMED", "Settings", "run"]
NEEDS_SERVICE = True
TIMED = True
RECORDS = findings.RECORDS
T = TypeVar("T")


def run(stage: Stage[Settings]) -> None:
    """Drive the candidate and the reference in turns, and record what was found."""
    subject, where = stage.subject, place.choose()
    _ = stage.reference_image(), stage.image  # built before anything is measured
    log, kept = stage.artifact_path("generator.log"), Kept()
    # Before the generator is there: its start would be taken for others' work.
    noisy = _watch(stage, where)
    with (
        tempfile.TemporaryDirectory() as scratch,
        Generator(pin=(where.generator,), cores=where.cores, log=log, scratch=Path(scratch)) as generator,
    ):
        module = load_module(subject.challenge.folder, "load", "Traffic")
        traffic: Traffic = module.Traffic(subject.hidden_model(), subject.challenge.data.sample)
        floor = _floor(stage, generator, traffic, where)
        # A machine that was noisy from the start is not waited for again in each phase.
        settings = stage.settings.model_copy(update={"repeats": 1}) if noisy else stage.settings
        seen = exam.Seen(floor, noisy_before=noisy)
        rigs = Rigs(stage, settings, generator, traffic, where, kept)
        try:
            exam.sit(settings, rigs.enter, seen)
        except exam.NothingRight as error:
            findings.nothing_right(stage, str(error))
            return
        finally:
            kept.write(stage.artifact_path("requests.npz"))
    findings.record(stage, seen, where)


def _watch(stage: Stage[Settings], where: Place) -> str:
    """What disturbs the machine before anything runs."""
    stage.say("watching whether the machine is quiet")
    with stage.ledger.span("measuring"):
        return preflight.wait_until_quiet(where.cores, stage.settings, stage.say)


def _floor(stage: Stage[Settings], generator: Generator, traffic: Traffic, where: Place) -> Floor:
    """The generator's own floor."""
    settings = stage.settings
    body = traffic.requests(1, stage.subject.seed.child("load/floor"))[0][0]
    with stage.ledger.span("measuring"):
        floor = preflight.floor(generator, (where.service,), settings.required_rate, json_headers(), body)
    preflight.check(floor, settings)
    return floor


@dataclass
class Rigs:
    """Sets up the two services of a round, side by side on one core."""

    stage: Stage[Settings]
    settings: Settings
    generator: Generator
    traffic: Traffic
    where: Place
    kept: Kept

    def __post_init__(self) -> None:
        self.left = deadline(self.settings.seconds)

    @contextmanager
    def enter(self, number: int) -> Iterator[Rig]:
        """A rig with fresh services.

        Raises:
            NotReady: the candidate did not come up.
            InfrastructureError: the reference did not.
        """
        stage, subject = self.stage, self.stage.subject
        core, model = str(self.where.service), subject.hidden_model()
        # The reference starts on the generator's core, which has nothing to do yet, and then joins the candidate.
        other, image = str(self.where.generator), stage.reference_image()
        reference = stage.service(name=f"{REFERENCE}-{number}", image=image, model=model, cpuset=other)
        candidate = stage.service(name=f"{CANDIDATE}-{number}", model=model, cpuset=core)
        with _beside(candidate) as entered, ExitStack() as stack:
            try:
                theirs = stack.enter_context(reference)
            except NotReady as error:
                if subject.reference is None:
                    raise
                raise InfrastructureError(f"the reference submission did not come up: {error}") from error
            ours = entered()
            theirs[0].move(core)
            yield Rig(
                settings=self.settings,
                generator=self.generator,
                traffic=self.traffic,
                services={CANDIDATE: ours[0], REFERENCE: theirs[0]},
                clients={CANDIDATE: ours[1], REFERENCE: theirs[1]},
                headers=json_headers(),
                cores=self.where.cores,
                seed=lambda purpose: subject.seed.child(f"load/{number}/{purpose}"),
                measuring=lambda: stage.ledger.span("measuring"),
                left=self.left,
                say=stage.say,
                keep=self.kept.add,
                alone=subject.reference is None,
            )


@contextmanager
def _beside(context: AbstractContextManager[T]) -> Iterator[Callable[[], T]]:
    """Enter a context in another thread; what is yielded waits for it, and gives what it gave or raises as it did."""
    with ThreadPoolExecutor(1) as threads:
        entering = threads.submit(context.__enter__)
        try:
            yield entering.result
        finally:
            if entering.exception() is None:
                context.__exit__(None, None, None)


def json_headers() -> dict[str, str]:
    """The headers that the harness's own client sends with JSON: nothing must tell load from other traffic."""
    with Client("http://unused") as client:
        return {**client.headers, "content-type": "application/json"}

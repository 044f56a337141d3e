"""Load: how much the service gets done beside the reference on the same core, how late it answers at a given rate, and
what overload does to it.

The protocol is in `harness/load/`; what one request is, in the challenge's `load.py`. Both services serve a model that
no candidate has seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness import machine
from harness.challenge import load_module
from harness.client import Client
from harness.errors import InfrastructureError
from harness.load import exam, findings, place, preflight
from harness.load.baseline import Baseline
from harness.load.generator import Generator
from harness.load.kept import Kept
from harness.load.pool import Traffic
from harness.load.rig import CANDIDATE, REFERENCE, Rig
from harness.load.rounds import Round
from harness.load.settings import Settings
from harness.models import CACHE
from harness.readiness import NotReady
from harness.stages import Stage

__all__ = ["NEEDS_SERVICE", "RECORDS", "Settings", "run"]
NEEDS_SERVICE = True
RECORDS = findings.RECORDS


def run(stage: Stage[Settings]) -> None:
    """Drive the candidate and the reference in turns, and record what was found."""
    settings, subject, where = stage.settings, stage.subject, place.choose()
    model = subject.hidden_model()
    module = load_module(subject.challenge.folder, "load", "Traffic")
    traffic: Traffic = module.Traffic(model, subject.challenge.data.sample)
    headers = json_headers()
    reference, _ = stage.reference_image(), stage.image
    kept = Kept()
    baseline = Baseline(CACHE / "load-baseline.json", " ".join([reference.digest, *_machine()]))

    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        generator = stack.enter_context(
            Generator(
                pin=(where.generator,),
                cores=where.cores,
                log=stage.artifact_path("generator.log"),
                scratch=Path(scratch),
            )
        )

        @contextmanager
        def enter(number: int) -> Iterator[Rig]:
            with ExitStack() as services:
                core = str(where.service)
                try:
                    name = f"{REFERENCE}-{number}"
                    theirs = services.enter_context(stage.service(name=name, image=reference, model=model, cpuset=core))
                except NotReady as error:
                    raise InfrastructureError(f"the reference submission did not come up: {error}") from error
                ours = services.enter_context(stage.service(name=f"{CANDIDATE}-{number}", model=model, cpuset=core))
                yield Rig(
                    settings=settings,
                    generator=generator,
                    traffic=traffic,
                    services={CANDIDATE: ours[0], REFERENCE: theirs[0]},
                    clients={CANDIDATE: ours[1], REFERENCE: theirs[1]},
                    headers=headers,
                    seed=lambda purpose: subject.seed.child(f"load/{number}/{purpose}"),
                    cores=where.cores,
                    measuring=lambda: stage.ledger.span("measuring"),
                    say=stage.say,
                    keep=kept.add,
                )

        stage.say("watching whether the machine is quiet")
        with stage.ledger.span("measuring"):
            quiet = preflight.wait_until_quiet(where.cores, settings, stage.say)
            sample = traffic.requests(1, subject.seed.child("load/floor"))[0][0]
            floor = preflight.floor(generator, (where.service,), settings.required_rate, headers, sample)
        preflight.check(floor, settings)
        seen = exam.Seen(floor, noisy_before=quiet)
        try:
            exam.sit(settings, enter, seen, lambda found: _off(baseline, found))
        finally:
            kept.write(stage.artifact_path("requests.npz"))
    findings.record(stage, seen, where)
    if cost := seen.rounds[-1].result.cpu_per_answer(REFERENCE):
        baseline.add(cost)


def json_headers() -> dict[str, str]:
    """The headers that the harness's own client sends with JSON: nothing must tell load from other traffic."""
    with Client("http://unused") as client:
        return {**client.headers, "content-type": "application/json"}


def _off(baseline: Baseline, found: Round) -> str:
    cost = found.cpu_per_answer(REFERENCE)
    return baseline.off(cost) if cost else ""


def _machine() -> list[str]:
    facts = machine.facts()
    return [facts["system"], facts["processor"]]

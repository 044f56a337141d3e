"""Starts under other conditions: another port, no port."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from harness.errors import SubmissionError
from harness.readiness import wait_ready
from harness.stages import Stage
from harness.startup.settings import Settings

FOR = {
    "honours_port": "it does not serve where $PORT says",
    "port_default": "it does not serve on the default port, though with $PORT set it comes up",
}
"""What is wrong where a start fails."""


def all_at_once(stage: Stage[Settings], patience: float) -> None:
    """Start it under each condition and record how that went; none is waited for longer than `patience` seconds."""
    other = stage.settings.other_port
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_port, stage, "honours_port", {"PORT": str(other)}, patience),
            pool.submit(_port, stage, "port_default", {}, patience),
        ]
        for job in jobs:
            job.result()


def _port(stage: Stage[Settings], name: str, env: Mapping[str, str], patience: float) -> None:
    contract = stage.subject.challenge.spec.contract
    port = int(env.get("PORT", contract.port))
    given = f"PORT={port}" if env else "no PORT"
    if stage.subject.sandbox.name == "local":
        stage.not_assessed(name, "A plain process gets whatever port is free.")
        return
    try:
        with stage.launched(name, env=env, port=port) as service, stage.ledger.span("serving"):
            seconds = wait_ready(service, contract.ready_paths, patience)
    except SubmissionError as error:
        stage.check(name, False, f"Started with {given}, {FOR[name]}: {error}", expected=f"ready on port {port}")
        return
    stage.check(name, True, f"With {given} it serves on port {port}.", seconds=seconds)

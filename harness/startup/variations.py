"""Starts under other conditions: another port, no port, no model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx

from harness.errors import SubmissionError
from harness.readiness import NOTHING_LISTENS, obstacle, wait_ready
from harness.sandbox import Service
from harness.stages import Stage
from harness.startup.first import launched
from harness.startup.settings import Settings

NOWHERE = "/nowhere/model"
SETTLING = 1.0
"""Seconds after its first answer in which a service without a model may still make up its mind."""


def all_at_once(stage: Stage[Settings], patience: float) -> None:
    """Start it under each condition and record how that went; none is waited for longer than `patience` seconds."""
    port = stage.subject.challenge.spec.contract.port
    other = stage.settings.other_port
    with ThreadPoolExecutor(3) as pool:
        jobs = [
            pool.submit(_port, stage, "honours_port", {"PORT": str(other)}, patience),
            pool.submit(_port, stage, "port_default", {}, patience),
            pool.submit(_no_model, stage, {"PORT": str(port), "MODEL_URI": NOWHERE}, patience),
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
        with launched(stage, name, env, port) as service:
            seconds = wait_ready(service, contract.ready_paths, patience)
    except SubmissionError as error:
        stage.check(name, False, f"Started with {given}: {error}", expected=f"ready on port {port}")
        return
    stage.check(name, True, f"With {given} it serves on port {port}.", seconds=seconds)


def _no_model(stage: Stage[Settings], env: Mapping[str, str], patience: float) -> None:
    """With a model folder that is not there it may end, or live on; it must not say that it is ready."""
    contract = stage.subject.challenge.spec.contract
    try:
        with launched(stage, "no_model", env, contract.port) as service:
            seen = _watch(service, contract.ready_paths, min(patience, stage.settings.no_model_seconds))
    except SubmissionError as error:
        seen = str(error).splitlines()[0]
    problem = (
        f"{contract.ready_paths[0]} says that it is ready although MODEL_URI names a folder that is not there. Answer "
        "503 until the model at MODEL_URI is loaded."
    )
    message = "Without a model it does not say that it is ready." if seen else problem
    stage.check("not_ready_without_model", bool(seen), message, observed=seen)


def _watch(service: Service, paths: tuple[str, ...], seconds: float) -> str:
    """Why it is not ready, seen a moment after it first answered at all; empty if it says that it is."""
    end = time.monotonic() + seconds
    last = NOTHING_LISTENS
    with httpx.Client(base_url=service.url, timeout=2.0, trust_env=False) as http:
        while time.monotonic() < end:
            if not service.state().running:
                return "it ended"
            last = obstacle(http, paths)
            if last != NOTHING_LISTENS:
                time.sleep(SETTLING)
                return obstacle(http, paths)
            time.sleep(0.1)
    return last

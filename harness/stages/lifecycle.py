"""Lifecycle: a version is promoted in a real MLflow registry and rolled back, while requests go on.

The registry is a companion of ours on a network that only it and the service are on. Which version an answer comes
from is told by its predictions: the service cannot make those of a model that it has not fetched.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from harness.client import Client
from harness.errors import SubmissionError
from harness.lifecycle import registry
from harness.lifecycle.registry import Registry, Version
from harness.lifecycle.rollout import Rollout
from harness.lifecycle.settings import Settings
from harness.lifecycle.traffic import Question, questions
from harness.readiness import NotReady, wait_ready
from harness.sandbox import Service
from harness.stages import Stage

__all__ = ["NEEDS_SERVICE", "RECORDS", "TIMED", "Settings", "run"]
NEEDS_SERVICE = True
TIMED = False
RECORDS = (
    "follows_the_registry", "no_request_fails_during_rollout", "answers_are_the_version_they_name",
    "promotion_in_time", "rollback_in_time", "version_route_agrees", "model_info_agrees", "counters_go_on",
    "promotion_seconds", "rollback_seconds", "requests",
)  # fmt: skip
FIRST, SECOND = "1", "2"
"""The published model is the first version that the registry gets, the seed's hidden model the second."""


def run(stage: Stage[Settings]) -> None:
    """Serve the first version from the registry, promote the second, and go back.

    Raises:
        SubmissionError: the service does not follow the registry, so nothing can be told of a rollout.
    """
    subject, settings = stage.subject, stage.settings
    image = stage.image
    del image  # asked for now, so that a submission that does not build ends here
    name = subject.challenge.id
    with ThreadPoolExecutor(2) as pool, subject.sandbox.company() as network:
        first = Version(FIRST, subject.published_model)
        # Training, and what is to be expected, while the containers start.
        trained = pool.submit(lambda: Version(SECOND, subject.hidden_model()))
        asked = pool.submit(lambda: _questions(stage, first, trained.result()))
        stage.say("starting a registry")
        with registry.running(stage, network, name, settings.alias) as server:
            second = trained.result()
            with stage.ledger.span("serving"):
                server.register(first, second)
                server.point(first)
            stage.say("starting the service beside it")
            env = {
                "PORT": str(subject.challenge.spec.contract.port),
                "MODEL_URI": server.model_uri,
                "MLFLOW_TRACKING_URI": server.url,
            }
            with stage.launched("service", network=network, env=env) as service:
                _wait(stage, service, server, first)
                with Client(service.url) as client, stage.ledger.span("measuring"):
                    rollout = Rollout(
                        stage, service=service, client=client, server=server, name=name, asked=asked.result()
                    )
                    rollout.run(first, second)


def _questions(stage: Stage[Settings], first: Version, second: Version) -> list[Question]:
    subject = stage.subject
    return questions(subject.challenge, (first, second), stage.settings, subject.seed.child("lifecycle"))


def _wait(stage: Stage[Settings], service: Service, server: Registry, version: Version) -> None:
    """Wait until it is ready. Where it isn't, that is the one finding, after a look at the registry."""
    contract = stage.subject.challenge.spec.contract
    try:
        with stage.ledger.span("serving"):
            wait_ready(service, contract.ready_paths, contract.ready_seconds)
    except NotReady as error:
        server.beside(service, lambda: server.verify(version))
        stage.check(
            "follows_the_registry",
            False,
            f"Started with MODEL_URI={server.model_uri} and MLFLOW_TRACKING_URI: {error}",
            expected="ready, with the version that the alias names",
        )
        raise SubmissionError(str(error)) from error

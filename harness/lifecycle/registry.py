"""A real MLflow tracking server with a registry, and what the harness does with it.

The requests are those of MLflow's own client, which takes seconds to import and knows credentials only as variables of
the whole process. To change anything takes a key that the service does not have: where the alias points is ours to say.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from harness import companion
from harness.client import plain_http
from harness.errors import InfrastructureError, SubmissionError
from harness.sandbox import Limits, Service
from harness.stages import Stage

FOLDER = Path(__file__).with_name("tracking_server")
PORT = 5000
READY_SECONDS = 120.0
LIMITS = Limits(memory_mb=1024, tmp_mb=256)
SECONDS = 30.0
"""How long any one of its answers may take."""
EXPERIMENT = "0"
"""The one that every tracking server has."""
KEY_HEADER = "X-Registry-Key"
API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
TOO_BUSY = (
    "The registry answered nobody while your service ran, and answered at once when your service was halted ({error}). "
    "Ask it where the alias points every few seconds, and fetch files only when that changed."
)


class Silent(InfrastructureError):
    """The registry gave no answer, or only that it could give none."""


@dataclass(frozen=True)
class Version:
    """A model that the registry holds."""

    number: str
    folder: Path


class Registry:
    """A registered model and its alias. Only we change them."""

    def __init__(self, http: httpx.Client, model: str, alias: str) -> None:
        self._http, self._model, self._alias = http, model, alias

    @property
    def url(self) -> str:
        """Its address, for the service and for us."""
        return str(self._http.base_url).rstrip("/")

    @property
    def model_uri(self) -> str:
        """The alias, as MLflow names it."""
        return f"models:/{self._model}@{self._alias}"

    def register(self, *versions: Version) -> None:
        """Store models and register them in order.

        Raises:
            InfrastructureError: it does not give them the numbers that they have.
        """
        self._ask("POST", f"{API}/registered-models/create", {"name": self._model})
        for version in versions:
            # A version's files have to be those of a run, as they are where a run has trained the model.
            run = self._ask("POST", f"{API}/runs/create", {"experiment_id": EXPERIMENT})["run"]["info"]
            source = f"{run['artifact_uri']}/model"
            place = urlsplit(source).path.strip("/")
            for path in sorted(p for p in version.folder.rglob("*") if p.is_file()):
                name = quote(f"{place}/{path.relative_to(version.folder).as_posix()}")
                self._send("PUT", f"{ARTIFACTS}/{name}", content=path.read_bytes())
            asked = {"name": self._model, "source": source, "run_id": run["run_id"]}
            made = self._ask("POST", f"{API}/model-versions/create", asked)["model_version"]["version"]
            if str(made) != version.number:
                raise InfrastructureError(f"the registry gave the number {made} to version {version.number}")

    def point(self, version: Version) -> None:
        """Let the alias name a version: a promotion, or a rollback."""
        asked = {"name": self._model, "alias": self._alias, "version": version.number}
        self._ask("POST", f"{API}/registered-models/alias", asked)

    def verify(self, version: Version) -> None:
        """See that it answers and that the alias is where we left it. Raises `InfrastructureError`."""
        query = f"?name={quote(self._model)}&alias={quote(self._alias)}"
        found = self._ask("GET", f"{API}/registered-models/alias{query}")["model_version"]["version"]
        if str(found) != version.number:
            raise InfrastructureError(f"the alias names version {found}, and we left it at {version.number}")

    def beside(self, service: Service, act: Callable[[], None]) -> None:
        """Do something with it while a service runs, and find out whose fault it is if it gives no answer.

        Raises:
            SubmissionError: it answers with the service halted, and again not with the service running.
            InfrastructureError: it failed in any other way.
        """
        try:
            act()
        except Silent as error:
            service.freeze(True)
            try:
                self._ask("GET", f"{API}/registered-models/get?name={quote(self._model)}")
            finally:
                service.freeze(False)
            try:
                act()
            except Silent as again:
                raise SubmissionError(TOO_BUSY.format(error=again)) from again
            # A hiccup of this machine's; what it and the halt did to the requests cannot be told apart from a fault.
            raise InfrastructureError(f"the registry did not answer for a while: {error}") from error

    def _ask(self, method: str, route: str, asked: dict[str, str] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self._send(method, route, json=asked).json()
        return answer

    def _send(self, method: str, route: str, **request: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, route, **request)
        except httpx.HTTPError as error:
            raise Silent(f"the registry does not answer {route}: {type(error).__name__}") from error
        if answer.status_code >= 500:
            raise Silent(f"the registry answers {route} with {answer.status_code}: {answer.text[:200]}")
        if answer.status_code != 200:
            raise InfrastructureError(f"the registry answers {route} with {answer.status_code}: {answer.text[:200]}")
        return answer


@contextmanager
def running(stage: Stage[Any], network: str, model: str, alias: str) -> Iterator[Registry]:
    """An empty registry on a closed network. Raises `InfrastructureError`."""
    key = secrets.token_hex(16)
    with (
        companion.running(
            stage, FOLDER, network=network, port=PORT, ready_path="/health", ready_seconds=READY_SECONDS,
            limits=LIMITS, env={"REGISTRY_KEY": key},
        ) as server,
        httpx.Client(
            base_url=server.url, timeout=SECONDS, trust_env=False, headers={KEY_HEADER: key}, verify=plain_http()
        ) as http,
    ):  # fmt: skip
        yield Registry(http, model, alias)

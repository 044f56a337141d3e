"""MLflow's own tracking server, as a process, with versions in its registry."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
from mlflow import MlflowClient

from tests.conftest import MODEL, until, variant

NAME, ALIAS = "fraud_detection", "champion"
DAMAGED = "3"


class Tracking:
    """Starts and stops at one address, and keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")),
        ]

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(self._command, start_new_session=True)
        until(self._answers)

    def stop(self) -> None:
        """Stop it with all its workers."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def promote(self, version: str) -> None:
        """Let the alias name a version."""
        MlflowClient(self.url).set_registered_model_alias(NAME, ALIAS, version)

    def register(self, folder: Path) -> None:
        """One version of a run, one of a logged model, one by the place of its files: the ways there are."""
        client = MlflowClient(self.url)
        client.create_registered_model(NAME)
        experiment = client.create_experiment("training")
        run = client.create_run(experiment).info
        client.log_artifacts(run.run_id, str(MODEL), "model")
        client.create_model_version(NAME, f"runs:/{run.run_id}/model", run.run_id)
        logged = client.create_logged_model(experiment, "model")
        client.log_model_artifacts(logged.model_id, str(variant(folder / "2", "2")))
        client.finalize_logged_model(logged.model_id, "READY")
        client.create_model_version(NAME, logged.model_uri, model_id=logged.model_id)
        damaged = variant(folder / DAMAGED, DAMAGED)
        (damaged / "model.pkl").write_bytes(b"not a pickle")
        client.log_artifacts(run.run_id, str(damaged), "damaged")
        client.create_model_version(NAME, f"{run.artifact_uri}/damaged", run.run_id)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the tracking server ended by itself"
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

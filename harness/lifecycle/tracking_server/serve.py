"""An MLflow tracking server with a registry, in one process, with everything that it keeps below the temporary folder.

It is MLflow's own application, started without the `mlflow server` command, which would start a process for each worker
and eight more for jobs. Whoever asks may read; to write takes the key in `REGISTRY_KEY`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEY_HEADER = b"x-registry-key"
REFUSED = b'{"error_code": "PERMISSION_DENIED", "message": "this registry is read-only"}'
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


class ReadOnly:
    """Refuses what would change something, unless it bears the key."""

    def __init__(self, app: Callable[..., Awaitable[None]], key: str) -> None:
        self._app, self._key = app, key.encode()

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Serve one request, as ASGI has it."""
        if scope["type"] == "http" and not self._may(scope):
            kind = [(b"content-type", b"application/json"), (b"content-length", str(len(REFUSED)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": kind})
            await send({"type": "http.response.body", "body": REFUSED})
            return
        await self._app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        method, path = scope["method"], scope["path"]
        # MLflow's clients search by POST, too.
        searches = method == "POST" and path.startswith("/api/2.0/mlflow/") and path.endswith("/search")
        given = dict(scope["headers"]).get(KEY_HEADER, b"")
        return method in ("GET", "HEAD") or searches or secrets.compare_digest(given, self._key)


def configure(database: Path, artifacts: Path) -> str:
    """Tell MLflow by its environment what `mlflow server` would; returns the address of the database."""
    store = f"sqlite:///{database}"
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(artifacts),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        # Its guard against web pages that resolve their name to a server's address; here is no browser.
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return store


def make_tables(database: Path) -> None:
    """Make a database without a model in it."""
    store = configure(database, database.parent)
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(store, None, "mlflow-artifacts:/")


def serve() -> None:
    """Serve until it is told to stop."""
    folder = Path(tempfile.mkdtemp(prefix="registry-"))
    database, artifacts = folder / "mlflow.db", folder / "artifacts"
    artifacts.mkdir()
    configure(database, artifacts)
    if (HERE / "empty.db").exists():
        shutil.copyfile(HERE / "empty.db", database)
    import uvicorn
    from mlflow.server.fastapi_app import app

    port = int(os.environ["PORT"])
    guarded = ReadOnly(app, os.environ["REGISTRY_KEY"])
    # Whoever may reach it at all is decided by the network that it is on.
    uvicorn.run(guarded, host="0.0.0.0", port=port, lifespan="off", access_log=True)  # noqa: S104


if __name__ == "__main__":
    make_tables(Path(sys.argv[2])) if sys.argv[1:2] == ["--empty"] else serve()

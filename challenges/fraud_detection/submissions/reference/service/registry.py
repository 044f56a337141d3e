"""An MLflow registry, by the REST API of its tracking server.

These are the requests that MLflow's own client makes to load `models:/NAME@ALIAS`. The client itself would add thirty
packages to the image and seconds to a cold start (see DECISIONS.md).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import urlopen

from service.settings import Alias

TIMEOUT = 5.0
"""Seconds that the server may keep silent."""
API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


class RegistryError(Exception):
    """The registry gives no answer, or none that is of use. Asking again later may help."""


class Registry:
    """Where one alias points, and the files that it points to."""

    def __init__(self, alias: Alias) -> None:
        self._alias = alias

    def version(self) -> str:
        """The version that the alias names now."""
        query = {"name": self._alias.model, "alias": self._alias.alias}
        return str(self._ask(f"{API}/registered-models/alias", query)["model_version"]["version"])

    def download(self, version: str, folder: Path) -> None:
        """Copy all files of a version into an empty folder."""
        query = {"name": self._alias.model, "version": version}
        uri = self._resolve(self._ask(f"{API}/model-versions/get-download-uri", query)["artifact_uri"])
        place = urlsplit(uri)
        if place.scheme != "mlflow-artifacts":
            raise RegistryError(f"version {version} is kept at {uri}, and not behind the tracking server")
        # A host in the URI would be the tracking server, by the name under which whoever logged the model knew it.
        self._copy(place.path.strip("/"), folder)
        if not any(folder.iterdir()):
            raise RegistryError(f"there are no files of version {version} at {uri}")

    def _resolve(self, uri: str) -> str:
        """A version may have been registered from a run or a logged model: where that keeps its files."""
        if uri.startswith("runs:/"):
            run, _, path = uri.removeprefix("runs:/").partition("/")
            return f"{self._ask(f'{API}/runs/get', {'run_id': run})['run']['info']['artifact_uri']}/{path}"
        if uri.startswith("models:/"):
            logged = self._ask(f"{API}/logged-models/{quote(uri.removeprefix('models:/'), safe='')}")
            return str(logged["model"]["info"]["artifact_uri"])
        return uri

    def _copy(self, path: str, folder: Path) -> None:
        for file in self._ask(ARTIFACTS, {"path": path}).get("files", ()):
            name = file["path"]
            if name in ("", ".", "..") or "/" in name:
                raise RegistryError(f"{path} holds a file with the name {name!r}")
            if file["is_dir"]:
                (folder / name).mkdir()
                self._copy(f"{path}/{name}", folder / name)
            else:
                with self._get(f"{ARTIFACTS}/{quote(f'{path}/{name}')}") as answer, (folder / name).open("wb") as copy:
                    shutil.copyfileobj(answer, copy)

    def _ask(self, route: str, query: dict[str, str] | None = None) -> dict[str, Any]:
        with self._get(f"{route}?{urlencode(query or {})}") as answer:
            return json.load(answer)

    @contextmanager
    def _get(self, route: str) -> Iterator[HTTPResponse]:
        try:
            with urlopen(self._alias.server + route, timeout=TIMEOUT) as answer:
                yield answer
        except (OSError, HTTPException, ValueError) as error:
            raise RegistryError(f"{self._alias.server}{route}: {error}") from error

"""Commit statuses: what the provider shows beside a commit. One that cannot be set is a warning, never a lost grade."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

import httpx

from harness.hooks.pushes import Push
from harness.hooks.settings import HookSettings, Provider

Status = Literal["pending", "success", "failure", "error"]
GITLAB: dict[Status, str] = {"pending": "pending", "success": "success", "failure": "failed", "error": "failed"}
LONGEST = 140
"""Characters of a description that GitHub takes."""
TRIES, PATIENCE = 3, 30.0
"""How often a status is tried, and the longest wait between two tries in seconds."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Statuses:
    """Sets commit statuses."""

    settings: HookSettings
    sleep: Callable[[float], None] = field(default=time.sleep)

    def post(self, push: Push, status: Status, description: str, url: str = "") -> bool:
        """Set the status of a commit; False, and a warning in the log, where it could not be set."""
        try:
            provider, _ = self.settings.of(push)
            if not provider.token():
                return False
            target = {"target_url": url} if url else {}
            body = {"context": self.settings.context, "description": shortened(description), **target}
            self._send(*_request(provider, push, status, body))
        except Exception as error:  # whatever it was, the grade must not be lost for it
            log.warning("%s@%s: the commit status '%s' was not set: %s", push.repository, push.sha[:12], status, error)
            return False
        return True

    def _send(self, address: str, headers: dict[str, str], body: dict[str, str]) -> None:
        for left in reversed(range(TRIES)):
            try:
                answer = httpx.post(address, headers=headers, json=body, timeout=10)
            except httpx.TransportError as error:
                if not left:
                    raise
                log.info("%s: %s; trying again", address, error)
                self.sleep(2.0 ** (TRIES - left - 1))
                continue
            if answer.is_success or _there_already(answer):
                return
            if not left or not (answer.status_code == 429 or answer.is_server_error):
                raise httpx.HTTPStatusError(
                    f"{address} answered {answer.status_code}: {answer.text[:200]}",
                    request=answer.request,
                    response=answer,
                )
            self.sleep(_patience(answer, 2.0 ** (TRIES - left - 1)))


def _request(
    provider: Provider, push: Push, status: Status, body: dict[str, str]
) -> tuple[str, dict[str, str], dict[str, str]]:
    """Address, headers and body, as each provider documents them."""
    base = str(provider.api).rstrip("/")
    if push.provider == "github":
        headers = {"Authorization": f"Bearer {provider.token()}", "Accept": "application/vnd.github+json"}
        return f"{base}/repos/{push.repository}/statuses/{push.sha}", headers, {"state": status, **body}
    address = f"{base}/projects/{quote(push.repository, safe='')}/statuses/{push.sha}"
    return address, {"PRIVATE-TOKEN": provider.token()}, {"state": GITLAB[status], "ref": push.branch, **body}


def shortened(text: str) -> str:
    """One line that fits."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _there_already(answer: httpx.Response) -> bool:
    # GitLab refuses to set the state that a commit has.
    return answer.status_code == 400 and "Cannot transition status" in answer.text


def _patience(answer: httpx.Response, usual: float) -> float:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), PATIENCE) if asked.isascii() and asked.isdigit() else usual

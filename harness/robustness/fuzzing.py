"""Schemathesis against the contract's OpenAPI document, in a process of its own.

Only routes that take a body are tried, and only what every fair server keeps to is checked: no 5xx, and no status that
the document does not know. Whether a server refuses all that the document does not allow is its own choice. Answers'
shapes and content types have checks of their own, which a fuzzer would only repeat.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import InfrastructureError

CHECKS = "not_a_server_error,status_code_conformance"
CONFIG = """
[phases.coverage]
unexpected-methods = []
[phases.coverage.generation]
mode = "negative"
"""
"""Every other method on every route is left out: some fair servers answer 501 to one they do not know. Of the requests
that cover the schema's edges only those beyond them are sent; the valid ones would take as long again."""
NETWORK = (
    "ConnectionError",
    "ReadTimeout",
    "ConnectTimeout",
    "Timeout",
    "ChunkedEncodingError",
    "ContentDecodingError",
)
"""What the fuzzer calls it when a request gets no answer."""
MEMORY = 2 * 2**30
REPORT_CAP = 64 * 2**20
"""Bytes that the fuzzer's report may have: it holds the answers, which a service may make as long as it likes."""
SHOWN = 700


@dataclass
class Found:
    """What the fuzzer saw."""

    cases: int = 0
    """Requests that were answered."""
    problems: list[str] = field(default_factory=list)
    stopped: bool = False
    """It was stopped at its deadline, or at a cap."""
    output: str = ""


def fuzz(document: Path, url: str, *, seed: int, seconds: float, examples: int) -> Found:
    """Try the operations of an OpenAPI document on the service at `url`; the same seed tries the same requests.

    Raises:
        InfrastructureError: the fuzzer itself failed.
    """
    # In a folder of its own: it reads its settings, and writes its caches, where it stands.
    with tempfile.TemporaryDirectory(prefix="mlops-harness-") as folder:
        (Path(folder) / "schemathesis.toml").write_text(CONFIG)
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", url, "--include-method", "POST",
            "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples),
            "--seed", str(seed), "--generation-database", "none", "--suppress-health-check", "all", "--no-shrink",
            "--request-timeout", "10", "--request-retries", "1", "--max-failures", "3", "--warnings", "off",
            "--report-ndjson-path", "report.ndjson", "--no-color",
        ]  # fmt: skip
        found = _run(command, Path(folder), seconds)
        _read(Path(folder) / "report.ndjson", found)
    if not found.cases and not found.problems and not found.stopped:
        raise InfrastructureError(f"the fuzzer sent nothing: {found.output[-400:]}")
    return found


def _run(command: list[str], folder: Path, seconds: float) -> Found:
    # Requests must not go by way of a proxy of this machine.
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | {"NO_PROXY": "*"}
    with (folder / "output.txt").open("w+b") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (REPORT_CAP, REPORT_CAP))
        try:
            code: int | None = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        said = output.read(2**20).decode("utf-8", "replace")
    # 0: nothing found; 1: something found; anything else: it hit a cap or is broken, and the report tells which.
    return Found(stopped=code not in (0, 1), output=said)


def _read(report: Path, found: Found) -> None:
    for event in _events(report):
        if finished := event.get("ScenarioFinished"):
            recorded = finished.get("recorder", {})
            interactions = recorded.get("interactions", {})
            found.cases += sum(1 for one in interactions.values() if one.get("response"))
            for case, checks in recorded.get("checks", {}).items():
                if any(check.get("status") == "failure" for check in checks):
                    found.problems.append(_problem(interactions.get(case, {})))
            if finished.get("status") == "error":
                lost = [one for one in interactions.values() if not one.get("response")]
                found.problems += [_problem(one) for one in lost[:1]]
        elif (error := event.get("NonFatalError") or event.get("FatalError")) and not _of_network(error):
            raise InfrastructureError(f"the fuzzer failed: {json.dumps(error)[:400]}")


def _of_network(error: dict[str, Any]) -> bool:
    return (error.get("value") or {}).get("type") in NETWORK


def _events(report: Path) -> Iterator[dict[str, Any]]:
    if report.is_file():
        with report.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    return  # the last line of a report that was cut


def _problem(interaction: dict[str, Any]) -> str:
    """What was sent and what came back, with a command that sends it again."""
    request, response = interaction.get("request") or {}, interaction.get("response")
    body = base64.b64decode((request.get("body") or {}).get("$base64") or "").decode("utf-8", "backslashreplace")
    route = f"{request.get('method', 'POST')} {urlsplit(request.get('uri', '')).path}"
    kind = next(iter((request.get("headers") or {}).get("Content-Type") or []), "")
    got = f"was answered {response.get('status_code')}" if response else "got no answer"
    shown = body if len(body) <= SHOWN else f"{body[:SHOWN]}..."
    command = f"curl -i -X POST localhost:8080{route.partition(' ')[2]}"
    if kind:
        command += f" -H {shlex.quote(f'Content-Type: {kind}')}"
    return (
        f"{route} with a generated body of {len(body)} bytes {got}. Try: {command} --data-binary {shlex.quote(shown)}"
    )

"""Schemathesis against the contract's OpenAPI document, in a process of its own.

Only what every fair server keeps to is checked: no 5xx, and answers that match the documented schema and content type.
Whether a server refuses everything that the document does not allow is its own choice.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from harness.errors import InfrastructureError

CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"
STARTING = 20.0
"""Seconds that the fuzzer may need beside its time budget."""


@dataclass(frozen=True)
class Found:
    """What the fuzzer found: the number of operations that it tried, and a text for each failure."""

    operations: int
    failures: tuple[str, ...]
    output: str


def fuzz(document: Path, url: str, folder: Path, *, seed: int, seconds: int, examples: int) -> Found:
    """Try the operations of an OpenAPI document on the service at `url`; reports go to `folder`.

    Raises:
        InfrastructureError: the fuzzer itself failed.
        TimeoutError: it did not end in time, whoever is to blame for that.
    """
    report = folder / "fuzzing.xml"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", url, "--checks", CHECKS,
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), "--max-time", str(seconds),
        "--seed", str(seed), "--request-timeout", "3", "--suppress-health-check", "all", "--no-shrink",
        "--generation-database", "none", "--warnings", "off", "--max-failures", "3",
        "--report-junit-path", str(report), "--no-color",
    ]  # fmt: skip
    try:
        # In the run's own folder: the fuzzer writes its caches to where it stands.
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + STARTING, cwd=folder, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"the fuzzer did not end within {seconds + STARTING:.0f} s") from error
    output = ended.stdout + ended.stderr
    # 0: nothing found; 1: something found; anything else is the fuzzer's own trouble.
    if ended.returncode not in (0, 1) or not report.is_file():
        raise InfrastructureError(f"the fuzzer ended with {ended.returncode}: {output[-400:]}")
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314  # our own fuzzer wrote it
    texts = (found.get("message") or found.text or "" for case in cases for found in case if found.tag == "failure")
    return Found(len(cases), tuple(texts), output)

"""What stands in for a receipt where nobody signs one: a note of one's own machine."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from grading.evidence import Record
from harness import receipts
from harness.receipts import HEX, Receipt


class Acknowledgement(Record):
    """That a bundle was put somewhere, by the clock of the machine that put it there. It proves nothing to others."""

    format: Literal["mlops-harness-acknowledgement/1"] = "mlops-harness-acknowledgement/1"
    candidate: str
    challenge: str
    submission: str = Field(pattern=HEX)
    bundle: str = Field(pattern=HEX)
    delivered_to: str
    written_at: AwareDatetime
    note: str = (
        "Written by the candidate's own machine and its clock, and signed by nobody: it shows what was put where. "
        "That it was received, and when, only the company can say."
    )


def load(path: Path) -> Receipt | Acknowledgement:
    """A receipt or an acknowledgement from its file.

    Raises:
        UsageError: it is neither.
    """
    try:
        return Acknowledgement.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return receipts.load(path)


def write(proof: Receipt | Acknowledgement, path: Path) -> None:
    """Write either to a file."""
    if isinstance(proof, Receipt):
        receipts.write(proof, path)
    else:
        path.write_text(json.dumps(proof.model_dump(mode="json"), indent=2, sort_keys=True) + "\n", "utf-8")


def lines(proof: Receipt | Acknowledgement) -> list[tuple[str, str]]:
    """What it says, as names and values for people."""
    same = [("candidate", proof.candidate), ("challenge", proof.challenge), ("submission", proof.submission)]
    if isinstance(proof, Acknowledgement):
        return [
            ("delivered to", proof.delivered_to),
            *same,
            ("bundle", proof.bundle),
            ("written at", f"{_shown(proof.written_at)}, by the clock of the machine that delivered it"),
            ("signed by", "nobody"),
        ]
    return [
        ("received by", proof.issuer),
        *same,
        ("bundle", proof.bundle),
        ("received at", f"{_shown(proof.received_at)}, by the clock of the intake"),
        ("attempt", f"{proof.attempt} of {proof.attempts}"),
        ("signed by", f"the key {proof.fingerprint}"),
    ]


def _shown(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")

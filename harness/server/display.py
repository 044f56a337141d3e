"""What people see of invitations and of the audit log."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.receipts import fingerprint
from harness.server.audit import Line
from harness.server.invitations import Shown

WIDE = 200
"""Columns of a table that goes elsewhere than to a terminal."""


def created(shown: Shown, token: str, public_key: str, *, as_json: bool) -> None:
    """A new invitation, with its token for the only time."""
    if as_json:
        _json({**shown.model_dump(mode="json"), "token": token, "public_key": public_key})
        return
    console = Console(highlight=False)
    for name, value in (
        ("invitation", shown.id),
        ("candidate", shown.candidate),
        ("challenge", shown.challenge),
        ("deadline", _until(shown)),
        ("attempts", str(shown.attempts)),
        ("receipts", f"signed by the key {fingerprint(public_key)}"),
        ("public key", public_key),
        ("token", token),
    ):
        console.print(f"{name:<12}{value}", markup=False, soft_wrap=True)
    Console(stderr=True, highlight=False).print(
        "[yellow]note:[/] the token is shown this once. Give it to the candidate alone; it goes into .harness-token.",
        soft_wrap=True,
    )
    Console(stderr=True, highlight=False).print(
        f"Their repository: {shlex.join(_new(shown, public_key))}", markup=False, soft_wrap=True
    )


def _new(shown: Shown, public_key: str) -> list[str]:
    until = shown.deadline and shown.deadline + timedelta(seconds=shown.extra_seconds)
    return [
        *("harness", "new", shown.challenge, "DEST", "--candidate", shown.candidate),
        *(("--deadline", until.isoformat(timespec="seconds")) if until else ()),
        *("--attempts", str(shown.attempts), "--public-key", public_key, "--deliver-to", "https://THIS-INTAKE"),
        *("--issuer", "THIS-COMPANY"),
    ]


def listed(invitations: Sequence[Shown], *, as_json: bool) -> None:
    """Invitations, a line each."""
    if as_json:
        _json([shown.model_dump(mode="json") for shown in invitations])
        return
    table = Table("id", "candidate", "challenge", "attempts", "deadline", "gradings", "", box=None, pad_edge=False)
    for shown in invitations:
        state = "revoked" if shown.revoked_at else ""
        gradings = ", ".join(f"{count} {named}" for named, count in shown.gradings.items())
        attempts = f"{shown.used} of {shown.attempts}"
        row = (shown.id, shown.candidate, shown.challenge, attempts, _until(shown), gradings, state)
        table.add_row(*map(escape, row))
    # What is piped on is not folded to the width of a terminal that is not there.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(table if invitations else "there are no invitations")


def logged(lines: Sequence[Line], *, as_json: bool) -> None:
    """Lines of the audit log."""
    if as_json:
        _json([line.model_dump(mode="json") for line in lines])
        return
    console = Console(highlight=False)
    for line in lines:
        named = [part for part in (line.invitation, line.digest[:12], line.address) if part]
        text = f"{_utc(line.at)}  {line.event:<20} {' '.join(named)}  {line.detail}"
        console.print(text, markup=False, soft_wrap=True)


def _until(shown: Shown) -> str:
    if shown.deadline is None:
        return "none"
    extra = f" + {timedelta(seconds=shown.extra_seconds)}" if shown.extra_seconds else ""
    return f"{_utc(shown.deadline)}{extra}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def _json(value: object) -> None:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    sys.stdout.write(json.dumps(value, indent=2) + "\n")

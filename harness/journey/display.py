"""What a candidate sees while handing in: questions and progress on standard error, the receipt on standard output."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from harness.errors import UsageError
from harness.journey import acknowledgement
from harness.journey.acknowledgement import Acknowledgement
from harness.journey.invitation import Invitation
from harness.journey.submit import Packing
from harness.receipts import Receipt

MOST = 8
"""Names that are shown of a list."""


def say(message: str) -> None:
    """Say what is going on."""
    Console(stderr=True, highlight=False).print(message, style="dim", markup=False, soft_wrap=True)


def invitation(invited: Invitation) -> None:
    """Say what is about to happen, for whom and by when."""
    console = Console(stderr=True, highlight=False)
    by = f" for {invited.issuer}" if invited.issuer else ""
    console.print(f"Handing in '{invited.challenge}'{by} as {invited.candidate}", markup=False)
    if invited.deadline:
        late = invited.deadline < datetime.now(UTC)
        style = "yellow" if late else ""
        passed = ", which is over: it may be refused" if late else ""
        console.print(f"deadline: {invited.deadline.isoformat(sep=' ', timespec='minutes')}{passed}", style=style)
    if invited.attempts:
        console.print(f"attempts: {invited.attempts} in all; the last one counts")


def contents(packing: Packing) -> None:
    """Show what will and what will not be handed in."""
    console = Console(stderr=True, highlight=False)
    found = packing.contents
    if found is None:
        console.print(f"the bundle {packing.bundle}, as it was packed", markup=False)
        return
    console.print(f"[bold]To hand in[/]: {found.files} files that git tracks, {found.size / 1e6:.1f} MB")
    _list(console, "  with changes that are not committed", found.changed, "yellow")
    _list(console, "  large (a point is lost for it)", found.large, "yellow")
    _list(console, "  looks like a secret", found.secret, "red")
    if found.untouched:
        console.print("  nothing in it differs from the template that you were given", style="yellow")
    console.print("[bold]Left out[/]:")
    _list(console, "  ignored by git", found.ignored)
    _list(console, "  not tracked, and not ignored", found.untracked, "yellow")
    _list(console, "  unfit for a bundle", found.submission.left_out, "red")
    console.print("  .harness/, receipts/, .harness-token: the harness's own")


def _list(console: Console, what: str, names: tuple[str, ...], style: str = "") -> None:
    if names:
        more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
        console.print(f"{what}: {escape(', '.join(names[:MOST]))}{more}", style=style, soft_wrap=True)


def ask(invited: Invitation) -> None:
    """Ask whether to go on.

    Raises:
        UsageError: no, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to confirm this", "--yes hands in without asking.")
    if not click.confirm(f"Hand this in to {invited.deliver.to}?", default=False, err=True):
        raise UsageError("nothing was handed in")


def proof(found: Receipt | Acknowledgement, path: Path) -> None:
    """Show what came back, and where it is kept."""
    name = "receipt" if isinstance(found, Receipt) else "acknowledgement, not a signed receipt"
    click.echo(f"{click.style('handed in', fg='green', bold=True)}; {name}: {path}")
    facts(found)
    if isinstance(found, Receipt):
        click.echo(f"'.harness/run receipt verify {path}' checks it, offline. Keep it.")


def follow(address: str, found: Receipt | Acknowledgement, token: str) -> None:
    """Say where an intake shows how the grading goes."""
    click.echo(f"How its grading goes: {address.rstrip('/')}/status/{found.submission}?token={token}")
    click.echo("  (the address holds your token: keep it to yourself)")


def facts(found: Receipt | Acknowledgement) -> None:
    """What a receipt says, a line each."""
    for name, value in acknowledgement.lines(found):
        click.echo(f"  {name:<13} {value}")
    if isinstance(found, Acknowledgement):
        click.echo(f"  {found.note}")


def verified(found: Receipt, *, key: str, bundle: bool) -> None:
    """Say what was verified, and what was not; `key` says whose key it was held against, if any."""
    click.echo(f"{click.style('holds', fg='green', bold=True)}: it says what was signed, and nothing was altered")
    if bundle:
        click.echo("  and the bundle is the one that was received")
    if key:
        click.echo(f"  and it was signed with {key}")
    else:
        click.echo(
            f"  whose key {found.fingerprint} is, it cannot say: compare it with what the company publishes (--key)"
        )

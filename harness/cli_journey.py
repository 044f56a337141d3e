"""The commands of a candidate's journey, and the one that begins it. Everything slow is imported inside its command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.errors import HarnessError

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
SANDBOX = click.option(
    "--sandbox",
    type=click.Choice(["docker", "local"]),
    default="docker",
    show_default=True,
    help="local: a plain process of yours, where there is no Docker; shows less.",
)
HERE = click.argument("folder", type=FOLDER, default=Path(), metavar="[FOLDER]")


@click.command()
@click.argument("challenge_id", metavar="CHALLENGE")
@click.argument("destination", type=FOLDER, metavar="DEST")
@click.option("--candidate", required=True, metavar="NAME", help="Who it is for.")
@click.option("--issuer", default="", metavar="NAME", help="Who invites; it stands in the invitation.")
@click.option("--deadline", default="", metavar="TIME", help="RFC 3339 with a zone: 2026-03-31T23:59:00+02:00.")
@click.option(
    "--attempts", type=click.IntRange(1, 1000), help="How many attempts there are, as the intake counts them."
)
@click.option(
    "--deliver-to",
    default="../handed-in",
    show_default=True,
    metavar="WHERE",
    help="A folder, an intake (https://...), or a git remote (...git, ssh://, git+https://).",
)
@click.option(
    "--public-key", default="", metavar="KEY", help="The key that signs receipts, as 'harness invite' shows it."
)
@click.option("--template-url", default="", metavar="URL", help="Where the candidate can fetch later editions.")
@click.option(
    "--templates",
    type=FOLDER,
    metavar="FOLDER",
    help="Where editions of templates are kept; ~/.local/share/mlops-harness/templates unless given.",
)
def new(challenge_id: str, destination: Path, templates: Path | None, deliver_to: str, **answers: Any) -> None:
    """Make a repository for one candidate in the folder DEST.

    It holds the brief, the model, a service to start from, and the harness itself as a pinned wheel, so that
    `make check` and `make submit` work in any clone of it, with Python, make and Docker. No solution is in it.

    What it was made from is kept as a git repository (--templates), an edition for each change. `harness update`
    pulls a later one in. To let candidates do that themselves, push that repository to where they can read it, and
    name the address here (--template-url).

    \b
    Examples:
      harness new fraud_detection ../ada --candidate "Ada Lovelace"
      harness new fraud_detection ../ada --candidate "Ada Lovelace" --issuer "Acme" \\
          --deadline 2026-03-31T23:59:00+02:00 --deliver-to https://intake.example.com
    """
    from harness import challenge as challenges
    from harness import receipts
    from harness.journey import invitation, new, template

    found = challenges.named(challenge_id)
    click.echo(f"making {destination}: packs the harness, renders the template (some seconds)", err=True)
    to = invitation.destination(deliver_to)
    answers |= {"challenge": found.id, "deadline": invitation.moment(answers["deadline"])}
    if answers["public_key"]:
        receipts.fingerprint(answers["public_key"])
    answers |= {"deliver_kind": to.kind, "deliver_to": to.to, "attempts": answers["attempts"] or 0}
    edition = new.render(found, destination, answers, templates or template.home())
    click.echo(f"{destination}: '{found.spec.title}' for {answers['candidate']}, edition {edition.tag} of its template")
    click.echo(f"  handed in to: {to.to} ({invitation.WHERE[to.kind]})")
    click.echo(f"  the template: {edition.repository}{' (a new edition)' if edition.new else ''}")
    if to.kind == "folder":
        click.echo("  that folder is on the machine of whoever runs 'make submit'; they send you the bundle from there")
    if to.kind == "https" and not answers["public_key"]:
        click.echo("  without --public-key the candidate cannot tell whose signature a receipt bears")
    click.echo("Push it to where the candidate can clone it. They start with: make help")
    if to.kind == "https":
        click.echo("Send them the token of their invitation by another way: it is in no file of the repository.")


@click.command()
@HERE
@click.pass_context
def update(ctx: click.Context, folder: Path) -> None:
    """Pull the latest edition of the template into a candidate's repository (here, or in FOLDER).

    Changes stand in the working tree and are not committed. What the candidate changed stays; where both changed the
    same lines, git's conflict markers show both, and the exit code is 1.
    """
    from harness.journey import new

    done = new.update(folder)
    if not done.changed:
        click.echo(f"nothing to do: edition {done.after} is the latest")
        return
    click.echo(f"edition {done.before} -> {done.after}: {', '.join(done.changed)}")
    if done.conflicts:
        click.echo(f"resolve, then commit: {', '.join(done.conflicts)}")
        ctx.exit(1)
    click.echo("look at 'git diff', then commit")


@click.command()
@HERE
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Run only this stage, whole; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Run everything that candidates can run: some minutes.")
@SANDBOX
@click.option("--runs", type=FOLDER, metavar="FOLDER", help="Where run folders go; .harness/runs unless given.")
@click.pass_context
def check(ctx: click.Context, /, folder: Path, stages: tuple[str, ...], **asked: Any) -> None:
    """Show what a grading of this repository would find, with published inputs: what loses points, and why.

    This is the reviewers' own engine with its public profile. Unless more is asked for, it leaves out what takes long,
    so that it ends within a minute when only the service's code changed; it says what it left out. Of a git repository,
    the tracked files are looked at, as they are in the working tree.

    \b
    Examples:
      harness check
      harness check --stage drift
      harness check --all

    \b
    Exit codes: 0 nothing that was looked at loses points; 1 something does; 2 wrong usage, or no engine;
    3 the harness or the machine failed, so try again.
    """
    ctx.exit(_check(folder, stages, **asked))


@click.command()
@HERE
@click.option("--to", metavar="WHERE", help="Deliver there, and not where the invitation says.")
@click.option("--bundle", type=FILE, metavar="FILE", help="Deliver this bundle, packed by an earlier try.")
@click.option("--allow-dirty", is_flag=True, help="Hand in tracked files as they are, committed or not.")
@click.option("--allow-secrets", is_flag=True, help="Hand in what looks like a secret too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-check", is_flag=True, help="Do not run the check afterwards.")
@SANDBOX
def submit(
    *,
    folder: Path,
    to: str | None,
    bundle: Path | None,
    allow_dirty: bool,
    allow_secrets: bool,
    yes: bool,
    no_check: bool,
    sandbox: str,
) -> None:
    """Hand in what git tracks here, and get a receipt.

    Shows what is handed in and what is not, asks, packs a bundle (the same files give the same bytes everywhere), and
    delivers it to where invitation.toml says. What comes back is kept under receipts/. Trying again, after a dropped
    connection for one, never counts as a second attempt; offline, the bundle is kept and can be delivered later.

    \b
    Examples:
      harness submit
      harness submit --yes --no-check
      harness submit --bundle .harness/bundles/0f3a61c2d4e5.tar

    \b
    Exit codes: 0 handed in; 2 refused, with the reason; 3 the destination cannot be reached, so try again.
    """
    from harness.journey import display, git, invitation, submit

    root = git.top(folder)
    invited = submit.at(invitation.read(root), to)
    display.invitation(invited)
    with submit.packed(root, invited, bundle) as packing:
        display.contents(packing)
        packing.refuse(allow_dirty=allow_dirty, allow_secrets=allow_secrets)
        if not yes:
            display.ask(invited)
        proof, path = submit.hand_in(packing.parcel(), invited, display.say)
    display.proof(proof, path)
    if invited.deliver.kind == "https":
        display.follow(invited.deliver.to, proof, invitation.token(root))
    if no_check or bundle is not None:
        return
    click.echo("\nThe check of what you handed in follows. It changes nothing about it; Ctrl-C ends it.")
    try:
        _check(root, (), everything=False, sandbox=sandbox, runs=None)
    except HarnessError as error:
        click.echo(f"It is handed in, but the check could not run: {error}", err=True)


@click.group()
def receipt() -> None:
    """Show and verify receipts."""


@receipt.command("show")
@click.argument("file", type=FILE)
def receipt_show(file: Path) -> None:
    """Show what the receipt FILE says. Whether it is true, 'harness receipt verify' tells."""
    from harness.journey import acknowledgement, display

    display.facts(acknowledgement.load(file))


@receipt.command("verify")
@click.argument("file", type=FILE)
@click.option(
    "--key",
    metavar="KEY|FILE",
    help="The company's public key; without it, the one in invitation.toml here, or the fingerprint is shown.",
)
@click.option("--bundle", type=FILE, metavar="FILE", help="The bundle that it should be for.")
def receipt_verify(file: Path, key: str | None, bundle: Path | None) -> None:
    """Verify the receipt FILE, offline: that nobody altered it, whose key signed it, which bundle it is for.

    \b
    Examples:
      harness receipt verify receipts/0f3a61c2d4e5.json --key company.pub
      harness receipt verify receipts/0f3a61c2d4e5.json --bundle .harness/bundles/0f3a61c2d4e5.tar

    \b
    Exit codes: 0 it holds; 2 it is forged, altered, for another bundle, or signed by nobody.
    """
    from harness.journey import display, submit

    trusted = submit.public_key(key) if key else submit.invited_key(Path())
    whose = "the key that you gave" if key else "the key that invitation.toml names" if trusted else ""
    held = submit.check_proof(file, trusted, bundle)
    display.facts(held)
    display.verified(held, key=whose, bundle=bundle is not None)


def _check(folder: Path, stages: tuple[str, ...], *, everything: bool, sandbox: str, runs: Path | None) -> int:
    """Run a check and print it; returns the exit code."""
    from harness import grading_run, terminal
    from harness.journey import check

    checking = check.prepare(folder, stages, everything=everything, sandbox=sandbox, runs=runs)
    for note in checking.notes:
        terminal.note(note)
    run, report, _ = grading_run.execute(checking.order, terminal.Progress(checking.order), None)
    check.show(checking, report, run)
    return 3 if report.void else 1 if check.lost(report) else 0


def register(group: click.Group) -> None:
    """Put the commands of the journey into a group."""
    for command in (new, update, check, submit, receipt):
        group.add_command(command)

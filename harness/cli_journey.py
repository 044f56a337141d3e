"""The commands of a candidate's journey, and the one that begins it. Everything slow is imported inside its command."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
HERE = click.argument("folder", type=FOLDER, default=Path(), metavar="[FOLDER]")


@click.command()
@click.argument("challenge_id", metavar="CHALLENGE")
@click.argument("destination", type=FOLDER, metavar="DEST")
@click.option("--candidate", required=True, metavar="NAME", help="Who it is for.")
@click.option("--issuer", default="", metavar="NAME", help="Who invites; it stands in the invitation.")
@click.option("--deadline", default="", metavar="TIME", help="RFC 3339 with a zone: 2026-03-31T23:59:00+02:00.")
@click.option(
    "--deliver-to",
    default="../handed-in",
    show_default=True,
    metavar="WHERE",
    help="A folder, an intake (https://...), or a git remote (...git, ssh://, git+https://).",
)
@click.option("--public-key", default="", metavar="KEY", help="The key that signs receipts, as 'harness invite' shows it.")
@click.option("--template-url", default="", metavar="URL", help="Where the candidate can fetch later editions.")
@click.option("--templates", type=FOLDER, metavar="FOLDER", help="Where editions of templates are kept.")
def new(challenge_id: str, destination: Path, templates: Path | None, deliver_to: str, **answers: str) -> None:
    """Make a repository for one candidate in the folder DEST.

    It holds the brief, the model, a service to start from, and the harness itself as a pinned wheel, so that `make check`
    and `make submit` work in any clone of it, with Python, make and Docker. No solution is in it.

    What it was made from is kept as a git repository (--templates), an edition for each change. `harness update` pulls a
    later one in. To let candidates do that themselves, push that repository to where they can read it, and name the
    address here (--template-url).

    \b
    Examples:
      harness new fraud_detection ../ada --candidate "Ada Lovelace"
      harness new fraud_detection ../ada --candidate "Ada Lovelace" --issuer "Acme" \\
          --deadline 2026-03-31T23:59:00+02:00 --deliver-to https://intake.example.com
    """
    from harness import challenge as challenges
    from harness.journey import invitation, new, template

    found = challenges.named(challenge_id)
    to = invitation.destination(deliver_to)
    answers |= {"challenge": found.id, "deadline": invitation.moment(answers["deadline"])}
    answers |= {"deliver_kind": to.kind, "deliver_to": to.to}
    edition = new.render(found, destination, answers, templates or template.home())
    click.echo(f"{destination}: '{found.spec.title}' for {answers['candidate']}, edition {edition.tag} of its template")
    click.echo(f"  handed in to: {to.to} ({to.kind})")
    click.echo(f"  the template: {edition.repository}{' (a new edition)' if edition.new else ''}")
    click.echo("Push it to where the candidate can clone it. They start with: make help")


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


def register(group: click.Group) -> None:
    """Put the commands of the journey into a group."""
    for command in (new, update):
        group.add_command(command)

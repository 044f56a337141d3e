"""`harness hook`: gradings that a push starts. Everything slow is imported inside its command."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


def register(cli: click.Group) -> None:
    """Add the commands to the main group."""
    cli.add_command(hook)


@click.group()
def hook() -> None:
    """Grade what is pushed: a bare repository's hook, and the commit that a CI job grades."""


@hook.command()
@click.argument("repository", type=FOLDER, metavar="REPO.git")
@click.option("--challenge", "challenge_id", required=True, metavar="ID", help="The challenge that is pushed to it.")
@click.option("--runs", type=FOLDER, required=True, help="Folder that the run folders are written to.")
@click.option("--candidate", metavar="NAME", help="Whose repository it is; by default its folder's name.")
@click.option("--issuer", default="the company", show_default=True, metavar="NAME", help="Who signs receipts.")
@click.option("--key", type=FILE, metavar="FILE", help="The signing key; made if it is not there.")
@click.option(
    "--profile",
    type=click.Choice(["public", "review"]),
    default="public",
    show_default=True,
    help="public: the candidate sees points. review: hidden inputs; the candidate sees only that it was graded.",
)
@click.option("--attempts", type=click.IntRange(min=1), default=20, show_default=True, help="Submissions that count.")
@click.option("--deadline", default="", metavar="TIME", help="Later pushes get no receipt: 2026-03-31T23:59:00+02:00.")
@click.option("--command", metavar="COMMAND", help="What grades, instead of 'harness grade'; takes the same options.")
def install(repository: Path, challenge_id: str, **asked: Any) -> None:
    """Let the bare repository REPO.git answer each push with a receipt and a grading.

    The person who pushes sees both in their terminal. A push is never refused because a grading failed; a submission
    that was pushed before gets the receipt that it has, and is not graded again. Receipts, bundles and settings are
    kept under REPO.git/harness. Installing again changes the settings.

    \b
    Examples:
      git init --bare ada.git
      harness hook install ada.git --challenge fraud_detection --runs runs --candidate "Ada Lovelace" --issuer Acme
      git push git@git.example.com:ada.git main
    """
    from harness import challenge as challenges
    from harness import receipts
    from harness.hooks import remote

    found = challenges.named(challenge_id)
    key = asked["key"] or repository / remote.FOLDER / "signing-key"
    name = repository.resolve().name.removesuffix(".git")
    extra = {"command": tuple(shlex.split(asked["command"]))} if asked["command"] else {}
    settings = remote.Remote(
        challenge=found.id, runs=asked["runs"].resolve(), candidate=asked["candidate"] or name, issuer=asked["issuer"],
        invitation=name, key=key.resolve(), profile=asked["profile"], attempts=asked["attempts"],
        deadline=remote.moment(asked["deadline"]), **extra,
    )  # fmt: skip
    written = remote.install(repository, settings)
    click.echo(f"installed {written}")
    public = receipts.public(receipts.read_key(settings.key))
    click.echo(f"receipts are signed by the key {receipts.fingerprint(public)}: {public}")


@hook.command(hidden=True)
@click.argument("repository", type=FOLDER)
def receive(repository: Path) -> None:
    """Answer a push to REPOSITORY; git runs this, with the updated references on standard input."""
    from harness.hooks import receive as receiving

    # What was received is graded whether or not the person who pushed stays to watch.
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    receiving.receive(repository, sys.stdin.read().splitlines(), _say)


@hook.command()
@click.argument("url", metavar="URL")
@click.argument("sha", metavar="SHA")
@click.argument("destination", type=FOLDER, metavar="DEST")
@click.option("--protocol", "protocols", multiple=True, default=("https",), show_default=True, help="May be repeated.")
@click.option("--token-env", metavar="NAME", help="The environment variable that holds a token to read with.")
@click.option("--max-mb", type=click.IntRange(min=1), default=512, show_default=True, help="The most that is fetched.")
@click.option("--timeout", type=click.FloatRange(min=1), default=300, show_default=True, metavar="SECONDS")
def fetch(url: str, sha: str, destination: Path, **asked: Any) -> None:
    """Fetch the commit SHA of the repository at URL into the folder DEST, as CI does before it grades.

    Only that commit's files arrive: no history, submodules or .git. Nothing that the repository holds is run, and no
    filter or helper that it names.

    \b
    Example:
      harness hook fetch https://github.com/acme/candidate-17.git 6113728f27ae82c7b1a177c8d03f9e96e0adf246 candidate-17
    """
    from harness.errors import UsageError
    from harness.hooks import fetching

    destination = destination.resolve()
    if destination.exists() and any(destination.iterdir()):
        raise UsageError(f"{destination} is there already, and not empty", "Name a new folder.")
    token = os.environ.get(asked["token_env"], "") if asked["token_env"] else ""
    found = fetching.fetch(
        url, sha, destination, protocols=asked["protocols"], token=token, cap_mb=asked["max_mb"],
        seconds=asked["timeout"],
    )  # fmt: skip
    for left_out in found.left_out:
        click.echo(f"not part of the submission: {left_out}", err=True)
    click.echo(found.digest)


def _say(line: str) -> None:
    # One write for one line, so that git passes it on whole; nobody may be listening any more.
    with suppress(OSError):
        os.write(sys.stderr.fileno(), f"{line}\n".encode("utf-8", "replace"))

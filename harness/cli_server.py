"""The commands of an intake: `serve`, and `invite`. Everything slow is imported inside its command."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.server.settings import Settings

UNITS = {"m": 60, "h": 3600, "d": 86400}
HOME = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("intake"),
    show_default=True,
    envvar="HARNESS_HOME",
    help="Folder of the intake: signing key, bundles, run folders, database.",
)
DATABASE = click.option(
    "--database",
    default="",
    metavar="URL",
    envvar="HARNESS_DATABASE",
    help="postgresql://USER@HOST/NAME; without it an SQLite file in --home.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output and nothing else there.")
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


class Moment(click.ParamType[datetime]):
    """A moment with its time zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read RFC 3339."""
        try:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is no moment; write it like 2026-03-31T23:59:00+02:00", param, ctx)
        if found.tzinfo is None:
            self.fail(f"'{value}' names no time zone; write it like 2026-03-31T23:59:00+02:00", param, ctx)
        return found.astimezone(UTC)


class Span(click.ParamType[int]):
    """A span of time, in seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read `90m`, `2h` or `1d`."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([mhd])", value)
        if found is None:
            self.fail(f"'{value}' is no span of time; write it like 90m, 2h or 1d", param, ctx)
        return int(found[1]) * UNITS[found[2]]


def register(group: click.Group) -> None:
    """Add these commands to the command line."""
    group.add_command(serve)
    group.add_command(invite)


def _placed(command: Callable[..., None]) -> Callable[..., None]:
    return HOME(DATABASE(command))


def _settings(home: Path, database: str, **more: Any) -> Settings:
    from harness.server.settings import Settings

    return Settings(home=home, database=database, **more)


@click.command()
@_placed
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--issuer",
    default=platform.node(),
    show_default=True,
    metavar="NAME",
    envvar="HARNESS_ISSUER",
    help="Who signs receipts.",
)
@click.option("--cap-mb", type=click.IntRange(1, 512), default=64, show_default=True, help="The largest bundle taken.")
@click.option("--address-rate", default="600/minute", show_default=True, help="Requests of one address.")
@click.option("--token-rate", default="120/minute", show_default=True, help="Requests with one token.")
@click.option("--grader", metavar="COMMAND", help="What grades instead of 'harness grade'; see above.")
@click.option("--hooks", type=FILE, metavar="FILE", help="Grade pushes too: the settings of webhooks (docs/ci.md).")
@click.option("--certificate", type=FILE, help="TLS certificate (PEM); its key in --certificate-key.")
@click.option("--certificate-key", type=FILE, help="TLS key (PEM).")
@click.option("--proxy", default="", metavar="ADDRESS", help="A proxy whose X-Forwarded-For is believed.")
def serve(home: Path, database: str, grader: str | None, hooks: Path | None, **asked: Any) -> None:
    """Take submissions over HTTP, sign receipts, and grade what comes in, one after another.

    Candidates hand in with the token of an invitation ('harness invite create'), and follow their grading on a page
    of their own. The HTTP interface is described at /openapi.json (OpenAPI), for any viewer or client generator.

    What was acknowledged is on disk and graded exactly once, whatever happens to this process: Ctrl-C or SIGTERM
    ends the grading that runs, and it starts again with the next 'harness serve'. So does one that was killed.

    In --home, which should be backed up:

    \b
      signing.key   signs receipts; made at the first start. Candidates know the company by it, so keep it
      intake.db     invitations, receipts, the queue, the audit log (unless --database names another place)
      bundles/      what was handed in
      runs/         run folders; 'harness report' and 'harness review' work on them as ever

    Candidates' tokens travel with each request, so anything but this machine wants TLS: --certificate, or a proxy in
    front. A proxy's own access log should not keep queries (the status page's address holds a token).

    --grader names another command, in which {submission}, {challenge} and {runs} are filled in. It leaves a run folder
    in {runs} and prints its report.json.

    \b
    Examples:
      harness serve --issuer "Example Ltd"
      harness serve --home /srv/intake --host 0.0.0.0 --certificate cert.pem --certificate-key key.pem
      harness serve --hooks hooks.toml
      harness serve --database postgresql://intake@db.example.com/intake --proxy 10.0.0.2
      harness serve --grader "harness grade {submission} --challenge {challenge} --runs {runs} --json --cohort spring"
    """
    from harness.hooks import settings as hook_settings
    from harness.server.serving import Place, serve
    from harness.server.settings import GRADER

    if bool(asked["certificate"]) != bool(asked["certificate_key"]):
        raise UsageError("a certificate wants its key, and a key its certificate", "Name both.")
    more = {name: asked.pop(name) for name in ("issuer", "cap_mb", "address_rate", "token_rate")}
    command = tuple(shlex.split(grader)) if grader else GRADER
    watched = hook_settings.load(hooks) if hooks else None
    serve(_settings(home, database, grader=command, **more), Place(**asked), watched)


@click.group()
def invite() -> None:
    """Say who may hand in what, until when, and how often; and see what they did.

    \b
    Examples:
      harness invite create --candidate "Ada Lovelace" --challenge fraud_detection \\
          --deadline 2026-03-31T23:59:00+02:00
      harness invite extend inv-1f2e3d4c --extra 2h
      harness invite list
      harness invite log inv-1f2e3d4c
    """


@invite.command()
@_placed
@click.option("--candidate", required=True, metavar="NAME", help="Stands in their receipts, and in no grading.")
@click.option("--challenge", "challenge_id", metavar="ID", help="Which challenge; needed where there are several.")
@click.option("--deadline", type=Moment(), metavar="TIME", help="Like 2026-03-31T23:59:00+02:00.")
@click.option("--attempts", type=click.IntRange(1, 1000), default=3, show_default=True)
@click.option("--extra", type=Span(), default=0, metavar="SPAN", help="For who needs more time: 90m, 2h, 1d.")
@JSON
def create(home: Path, database: str, challenge_id: str | None, as_json: bool, extra: int, **asked: Any) -> None:
    """Invite a candidate, and print the token, once: only a hash of it is kept."""
    from harness import challenge as challenges
    from harness.server import display, invitations
    from harness.server.database import opened

    settings, found = _settings(home, database), challenges.named(challenge_id).id
    if not settings.key_file.exists():
        click.echo(f"note: {home} was no intake yet; it is one now, with a key of its own", err=True)
    if asked["deadline"] and asked["deadline"] < datetime.now(UTC):
        click.echo("note: that deadline is over: nothing will be taken", err=True)
    settings.prepare()
    with opened(settings.url) as db, db.write() as session:
        shown, token = invitations.create(session, challenge=found, extra_seconds=extra, **asked)
    display.created(shown, token, settings.public_key, as_json=as_json)


@invite.command("list")
@_placed
@JSON
def list_(home: Path, database: str, as_json: bool) -> None:
    """List all invitations, the latest first."""
    from harness.server import display, invitations
    from harness.server.database import opened

    with opened(_existing(home, database)) as db, db.read() as session:
        display.listed(invitations.every(session), as_json=as_json)


@invite.command()
@click.argument("name", metavar="ID")
@_placed
@JSON
def revoke(name: str, home: Path, database: str, as_json: bool) -> None:
    """Let the token of invitation ID open nothing any more. What was handed in stays, and is graded."""
    from harness.server import display, invitations
    from harness.server.database import opened

    with opened(_existing(home, database)) as db, db.write() as session:
        shown = invitations.revoke(session, name)
    display.listed([shown], as_json=as_json)


@invite.command()
@click.argument("name", metavar="ID")
@_placed
@click.option("--deadline", type=Moment(), metavar="TIME", help="A new deadline.")
@click.option("--extra", "extra_seconds", type=Span(), metavar="SPAN", help="Extra time in all: 90m, 2h, 1d.")
@click.option("--attempts", type=click.IntRange(1, 1000), help="Attempts in all.")
@JSON
def extend(name: str, home: Path, database: str, as_json: bool, **asked: Any) -> None:
    """Change the deadline, the extra time or the attempts of invitation ID; its token stays."""
    from harness.server import display, invitations
    from harness.server.database import opened

    if all(value is None for value in asked.values()):
        raise UsageError("nothing to change", "Say --deadline, --extra or --attempts.")
    with opened(_existing(home, database)) as db, db.write() as session:
        shown = invitations.extend(session, name, **asked)
    display.listed([shown], as_json=as_json)


@invite.command()
@click.argument("name", metavar="[ID]", default="")
@_placed
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many lines, the latest.")
@JSON
def log(name: str, home: Path, database: str, limit: int, as_json: bool) -> None:
    """Show the audit log, or what concerns invitation ID. The database lets nobody change or remove a line."""
    from harness.server import audit, display, invitations
    from harness.server.database import opened

    with opened(_existing(home, database)) as db, db.read() as session:
        if name:
            invitations.existing(session, name)
        display.logged(audit.read(session, invitation=name, limit=limit), as_json=as_json)


@invite.command()
@click.argument("digest", metavar="DIGEST")
@_placed
def regrade(digest: str, home: Path, database: str) -> None:
    """Grade submission DIGEST (or its first digits) again, after its grading failed for our own reasons."""
    from harness.server import queue
    from harness.server.database import opened

    with opened(_existing(home, database)) as db, db.write() as session:
        for name in queue.requeue(session, digest):
            click.echo(f"queued again: {digest[:12]} of {name}")


def _existing(home: Path, database: str) -> str:
    if not database and not (home / "intake.db").is_file():
        raise UsageError(f"there is no intake in {home}", "Name its folder (--home), or begin: harness invite create.")
    return _settings(home, database).url

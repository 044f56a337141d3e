"""`harness serve`: one process that takes uploads and grades them, until it is told to stop."""

from __future__ import annotations

import fcntl
import logging
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from sqlalchemy import func, select

from harness import receipts
from harness.errors import UsageError
from harness.hooks.settings import HookSettings
from harness.server import app, queue, uploads
from harness.server.database import Database, opened
from harness.server.intake import Intake
from harness.server.rates import Rates
from harness.server.settings import Settings
from harness.server.tables import Submission
from harness.server.webhooks import Webhooks
from harness.server.worker import Worker

GOODBYE_SECONDS = 10
"""How long requests that are being answered get when the server stops."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where the server listens."""

    host: str
    port: int
    certificate: Path | None = None
    certificate_key: Path | None = None
    proxy: str = ""
    """The address of a proxy whose word on who asks is taken."""


def serve(settings: Settings, place: Place, hooks: HookSettings | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        UsageError: another server has this home, the port is taken, or a setting is wrong.
        InfrastructureError: the database does not answer.
    """
    if shutil.which(settings.grader[0]) is None:
        raise UsageError(f"the grader '{settings.grader[0]}' is no program that can be run", "See --grader.")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings.prepare()
    with _home(settings.home), opened(settings.url) as database:
        _its_own(settings, database)
        uploads.sweep(settings.incoming)
        intake = Intake(settings, database, Rates(settings.address_rate, settings.token_rate))
        webhooks = Webhooks(hooks, intake) if hooks else None
        worker = Worker(settings, database, webhooks.ended if webhooks else None)
        with database.read() as session:
            waiting = queue.waiting(session)
        log.info("receipts are signed by '%s', key %s", settings.issuer, receipts.fingerprint(settings.public_key))
        log.info("home %s, database %s", settings.home, database.engine.url)
        log.info("%d submissions wait to be graded", waiting)
        config = uvicorn.Config(
            app.create(intake, worker, [webhooks.router] if webhooks else ()),
            host=place.host, port=place.port, log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=GOODBYE_SECONDS,
            ssl_certfile=place.certificate, ssl_keyfile=place.certificate_key,
            proxy_headers=bool(place.proxy), forwarded_allow_ips=place.proxy or None,
        )  # fmt: skip
        if webhooks:
            webhooks.resume()
        with _stopped_by(signal.SIGINT, signal.SIGTERM):
            try:
                uvicorn.Server(config).run()
            except SystemExit as error:
                told = f"nothing can be served at {place.host}, port {place.port}: the log above says why"
                raise UsageError(told, "Name another --host or --port.") from error
        log.info("stopped; what waits is graded from the next start on")


def _its_own(settings: Settings, database: Database) -> None:
    """Refuse a database whose submissions lie in another home, and whose receipts another key signed.

    Raises:
        UsageError: it is one.
    """
    if settings.key_file.exists():
        return
    with database.read() as session:
        signed = session.scalar(select(func.count()).select_from(Submission))
    if signed:
        raise UsageError(
            f"the database holds {signed} submissions, and {settings.home} has neither them nor the key that signed "
            "their receipts",
            "Name the --home that belongs to this database, or copy its signing.key, bundles/ and runs/ here.",
        )


@contextmanager
def _stopped_by(*signals: signal.Signals) -> Iterator[None]:
    """Let these end the server and no more: uvicorn stops at them, and then raises them again for who asked for it."""
    before = {number: signal.signal(number, lambda *_: None) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"another server works in {folder}", "Stop it first, or name another --home.") from error
        yield

"""A company's intake with webhooks, as `harness serve --hooks` sets it up, and deliveries as providers sign them."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import sys
import threading
import time
from datetime import datetime

import httpx
import sample_report
from hook_servers import application
from intakes import GRADER
from sqlalchemy import select

from harness.challenge import HOME
from harness.hooks import settings as hook_settings
from harness.hooks.deliveries import State
from harness.server import app, audit, invitations
from harness.server.database import Database
from harness.server.deliveries import SqlDeliveries
from harness.server.intake import Intake
from harness.server.rates import Rates
from harness.server.settings import Settings
from harness.server.tables import HookPush
from harness.server.webhooks import Webhooks
from harness.server.worker import Worker

SECRET = "It's a Secret to Everybody"  # noqa: S105  # of these tests
SETTLED = (State.GRADED, State.FAILED)
HOOKS = """
fail_under = {fail_under}
show_points = true

[github]
secret_file = "github-secret"
token_file = "token"
api = "{api}"
clone = "{served}/{{repository}}.git"
protocols = ["http"]
[[github.repositories]]
name = "Codertocat/Hello-World"
invitation = "{ada}"
branches = ["main", "master"]

[gitlab]
secret_file = "gitlab-secret"
token_file = "token"
api = "{api}/api/v4"
clone = "{served}/{{repository}}.git"
protocols = ["http"]
[[gitlab.repositories]]
name = "mike/diaspora"
invitation = "{mike}"
"""


class Company:
    """An intake whose gradings take no time."""

    def __init__(self, folder):
        self.folder, self.template = folder, folder / "template"
        self.template.mkdir()
        (self.template / "report.json").write_text(sample_report.report().model_dump_json())
        shutil.copy(HOME / "fraud_detection" / "challenge.toml", self.template)
        for name, secret in {"github-secret": SECRET, "gitlab-secret": "s3cret", "token": "t0ken"}.items():
            (folder / name).write_text(f"{secret}\n")
        grader = (sys.executable, "-I", "-S", str(GRADER), "{submission}", "{runs}", str(self.template))
        self.settings = Settings(folder / "home", grader=grader, failures=1)
        self.settings.prepare()
        self.database = Database(self.settings.url)
        self.database.migrate()
        self.deliveries = SqlDeliveries(self.database)
        self.ada, self.mike = self.invite("Ada"), self.invite("Mike")

    def invite(self, candidate, deadline=None, attempts=3):
        due = datetime.fromisoformat(deadline) if deadline else None
        with self.database.write() as session:
            named = {"candidate": candidate, "challenge": "fraud_detection"}
            return invitations.create(session, **named, deadline=due, attempts=attempts)[0].id

    def open(self, served, api, fail_under=60.0, ada=""):
        """What `harness serve --hooks` makes of the settings; a second time, what the next server makes of them."""
        named = {"served": served, "api": api, "fail_under": fail_under, "ada": ada or self.ada, "mike": self.mike}
        (self.folder / "hooks.toml").write_text(HOOKS.format(**named))
        intake = Intake(self.settings, self.database, Rates("100000/minute", "100000/minute"))
        self.webhooks = Webhooks(hook_settings.load(self.folder / "hooks.toml"), intake)
        worker = Worker(self.settings, self.database, self.webhooks.ended)
        self.app = app.create(intake, worker, [self.webhooks.router])
        return self

    def pushes(self):
        with self.database.read() as session:
            return session.scalars(select(HookPush).order_by(HookPush.id)).all()

    def graded(self):
        log = self.template / "log"
        return [line for line in (log.read_text().splitlines() if log.exists() else []) if line.startswith("graded")]

    def events(self):
        with self.database.read() as session:
            return [(line.event, line.detail) for line in audit.read(session, limit=1000)]

    def settle(self):
        """Wait until all that was pushed is graded or has failed, and the provider was told."""
        limit = time.monotonic() + 60
        while any(push.state not in SETTLED for push in self.pushes()):
            assert time.monotonic() < limit, [(push.sha, push.state, push.note) for push in self.pushes()]
            time.sleep(0.02)
        for thread in threading.enumerate():
            if thread.name == "webhooks":
                thread.join(60)


def github(body, **headers):
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    usual = {"x-github-event": "push", "x-github-delivery": "d-1", "x-hub-signature-256": signature}
    return {"content-type": "application/json", **usual, **headers}


def gitlab(**headers):
    usual = {"x-gitlab-event": "Push Hook", "x-gitlab-token": "s3cret", "idempotency-key": "k-1"}
    return {"content-type": "application/json", **usual, **headers}


def deliver(company, *deliveries):
    """Deliver over HTTP, and wait until all of it is settled."""
    with application(company.app) as address:
        answers = [httpx.post(f"{address}/v1/hooks/{to}", content=body, headers=head) for to, body, head in deliveries]
        company.settle()
    return answers

"""A company's server with its queue, and deliveries to it as the providers sign them."""

from __future__ import annotations

import hashlib
import hmac
import queue

import httpx
from fastapi import FastAPI
from hook_servers import application

from harness import hooks
from harness.hooks import grader as grading
from harness.hooks.courier import Courier, Verdict
from harness.hooks.deliveries import SqlDeliveries
from harness.hooks.statuses import Statuses
from harness.submission import export

SECRET = "It's a Secret to Everybody"  # noqa: S105  # of these tests
SETTINGS = """
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
challenge = "fraud_detection"
candidate = "Ada Lovelace"
branches = ["main", "master"]

[gitlab]
secret_file = "gitlab-secret"
token_file = "token"
api = "{api}/api/v4"
clone = "{served}/{{repository}}.git"
protocols = ["http"]
[[gitlab.repositories]]
name = "mike/diaspora"
challenge = "fraud_detection"
"""


class Company:
    """A server with its queue: one thread that grades what was enqueued, in a process each."""

    def __init__(self, settings, folder, command):
        self.deliveries = SqlDeliveries(f"sqlite:///{folder}/deliveries.db")
        self.courier = Courier(settings, self.deliveries, self.enqueue, Statuses(settings, lambda _: None))
        self.jobs, self.folder, self.command, self.graded = queue.Queue(), folder, command, []
        self.app = FastAPI()
        self.app.include_router(hooks.router(settings, self.deliveries, self.courier))

    def enqueue(self, kept, repository, submission):
        copy = export(submission.files, self.folder / "queue" / submission.name)
        assert copy.digest == submission.digest
        self.jobs.put((kept, repository, copy))
        return f"https://intake.example/status/{submission.digest[:12]}"

    def work(self):
        for kept, repository, submission in iter(self.jobs.get, None):
            found = grading.grade(
                submission.files,
                challenge=repository.challenge,
                profile="review",
                runs=self.folder / "runs",
                say=lambda _: None,
                command=self.command,
            )
            self.courier.graded(kept.id, Verdict(found.points, found.decided, found.void, "https://intake.example/r"))
            self.graded.append(kept)


def github(body, **headers):
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    usual = {"x-github-event": "push", "x-github-delivery": "d-1", "x-hub-signature-256": signature}
    return {"content-type": "application/json", **usual, **headers}


def gitlab(**headers):
    usual = {"x-gitlab-event": "Push Hook", "x-gitlab-token": "s3cret", "idempotency-key": "k-1"}
    return {"content-type": "application/json", **usual, **headers}


def deliver(company, *deliveries):
    """Deliver over HTTP, wait until the server has done what it does in the background, grade what is queued."""
    with application(company.app) as address:
        answers = [httpx.post(f"{address}/v1/hooks/{to}", content=body, headers=head) for to, body, head in deliveries]
    company.jobs.put(None)
    company.work()
    return answers

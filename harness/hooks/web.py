"""The addresses that GitHub and GitLab deliver to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from harness.errors import UsageError
from harness.hooks import pushes, signatures
from harness.hooks.courier import Courier
from harness.hooks.deliveries import Deliveries
from harness.hooks.pushes import Ignored, ProviderName, Push
from harness.hooks.settings import HookSettings, graded
from harness.hooks.signatures import Forged

LARGEST = 25 * 2**20
"""Bytes of a delivery: GitHub sends no larger ones."""
Log = Callable[[str, str, str], None]
"""Keeps what was delivered: the event, where it came from, and what it was answered."""


@dataclass(frozen=True)
class Answer:
    """What the provider is told, and the number of a push that is now to be carried."""

    code: int
    detail: str
    next: str = ""
    carry: int | None = None

    def response(self) -> JSONResponse:
        """As JSON."""
        return JSONResponse({"detail": self.detail, **({"next": self.next} if self.next else {})}, self.code)


class Refused(Exception):
    """A delivery is not taken; carries the answer."""

    def __init__(self, code: int, detail: str, next_step: str) -> None:
        super().__init__(detail)
        self.answer = Answer(code, detail, next_step)


def router(settings: HookSettings, deliveries: Deliveries, courier: Courier, log: Log) -> APIRouter:
    """The routes `POST /v1/hooks/github` and `POST /v1/hooks/gitlab`.

    A delivery is answered at once, 202 for a push that is now to be graded and 200 for what asks for nothing; fetching
    and queueing go on in the background. Call `courier.resume()` when the server starts.
    """
    routes = APIRouter(prefix="/v1/hooks", tags=["webhooks"])

    async def deliver(name: ProviderName, request: Request, background: BackgroundTasks) -> JSONResponse:
        body = await _body(request)
        if body is None:
            answer = Answer(413, f"the delivery is larger than {LARGEST // 2**20} MB")
        else:
            answer = await run_in_threadpool(receive, settings, deliveries, name, request.headers, body)
        who, event = request.client.host if request.client else "", "refused" if answer.code >= 400 else "delivered"
        await run_in_threadpool(log, f"webhook {event}", who, f"{name}, {answer.code}: {answer.detail}")
        if answer.carry is not None:
            background.add_task(courier.carry, answer.carry)
        return answer.response()

    @routes.post("/github", status_code=202, summary="A delivery of a GitHub webhook (event: push)")
    async def github(request: Request, background: BackgroundTasks) -> JSONResponse:
        return await deliver("github", request, background)

    @routes.post("/gitlab", status_code=202, summary="A delivery of a GitLab webhook (push events)")
    async def gitlab(request: Request, background: BackgroundTasks) -> JSONResponse:
        return await deliver("gitlab", request, background)

    return routes


def receive(
    settings: HookSettings, deliveries: Deliveries, name: ProviderName, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Judge one delivery: nothing of it is read before its signature holds."""
    try:
        push = _read(settings, name, headers, body)
    except Refused as refused:
        return refused.answer
    if isinstance(push, Ignored):
        return Answer(200, f"ignored: {push.because}")
    kept, new = deliveries.record(delivery_id(headers, body), push)
    if not new:
        return Answer(200, f"received before: {push.sha[:12]} of {push.repository} is {kept.state.value}")
    return Answer(202, f"received: {push.sha[:12]} of {push.repository} will be graded", carry=kept.id)


def _read(settings: HookSettings, name: ProviderName, headers: Mapping[str, str], body: bytes) -> Push | Ignored:
    provider = settings.provider(name)
    if provider is None:
        raise Refused(404, f"no {name} webhook is set up here", f"Add [{name}] to the server's hook settings.")
    check, read = (signatures.github, pushes.github) if name == "github" else (signatures.gitlab, pushes.gitlab)
    try:
        check(provider.secret(), headers, body)
    except Forged as error:
        raise Refused(401, str(error), "Give the webhook the same secret as the server's hook settings.") from error
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "the delivery is no JSON", "Set the webhook's content type to application/json.")
    try:
        push = read(headers, body)
    except UsageError as error:
        raise Refused(400, str(error), "Point only webhooks of push events here.") from error
    if isinstance(push, Ignored):
        return push
    repository = provider.find(push.repository)
    if repository is None:
        raise Refused(404, f"{push.repository} is not graded here", f"List it under [[{name}.repositories]].")
    if not graded(repository, push.branch):
        return Ignored(f"the branch {push.branch} is not graded")
    # Providers' names know no case, so one repository goes by one spelling from here on: the company's.
    return replace(push, repository=repository.name)


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """What names a delivery, the same when it is sent again; where the provider gives none, the body's digest."""
    for header in ("x-github-delivery", "idempotency-key", "webhook-id", "x-gitlab-event-uuid"):
        if named := headers.get(header, "").strip():
            return named[:200]
    return hashlib.sha256(body).hexdigest()


async def _body(request: Request) -> bytes | None:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST:
            return None
        chunks.append(chunk)
    return b"".join(chunks)

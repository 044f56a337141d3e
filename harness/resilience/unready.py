"""Services that have no model, or a damaged one: they never say that they are ready, and say why."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.client import Client, NoAnswer, Reply
from harness.errors import InfrastructureError, SubmissionError
from harness.resilience.settings import Settings
from harness.robustness.refusals import LEAK
from harness.sandbox import Service
from harness.stages import Stage

NOWHERE = "/nowhere/model"
INTERVAL = 0.1
ANSWER_SECONDS = 2.0
Enough = Callable[[float, bool], bool]
"""Whether a service that started so many seconds ago has been watched for long enough; and whether it has answered."""


@dataclass(frozen=True)
class Seen:
    """What such a service did while it was watched."""

    ready: bool = False
    exit_code: int | None = None
    """None if it lived on."""
    answer: Reply | None = None
    """The last that it said of its readiness."""

    @property
    def told(self) -> str:
        """In a few words."""
        if self.exit_code is not None:
            return f"it ended with exit code {self.exit_code}"
        if self.answer is None:
            return "no answer"
        return f"{self.answer.status} {self.answer.text[:200]}"


@contextmanager
def damaged(model: Path) -> Iterator[Path]:
    """A copy of a model whose `MLmodel` is whole, and whose pickles are cut in half, as by a copy that broke off.

    Raises:
        InfrastructureError: there is no pickle in it.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-harness-") as made:
        folder = Path(made) / "model"
        shutil.copytree(model, folder)
        pickles = sorted(folder.rglob("*.pkl"))
        if not pickles:
            raise InfrastructureError(f"{model} has no pickle that could be damaged")
        for path in pickles:
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
        # Services run as another user, who must be able to read it under any umask.
        for path in (folder.parent, folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def watch(
    stage: Stage[Settings], name: str, enough: Enough, *, env: Mapping[str, str], model: Path | None = None
) -> Seen:
    """Start a service and ask it, again and again, whether it is ready."""
    contract = stage.subject.challenge.spec.contract
    env = {"PORT": str(contract.port), **env}
    began, answer = time.monotonic(), None
    with stage.launched(name, env=env, model=model) as service, Client(service.url, seconds=ANSWER_SECONDS) as client:
        while not enough(time.monotonic() - began, answer is not None):
            if (code := _exit_code(service)) is not None:
                return Seen(exit_code=code, answer=answer)
            answer = _ask(client, contract.ready_paths) or answer
            # Only if it still runs: the engine may give the address of one that ended to the next.
            if answer is not None and answer.status == 200 and _exit_code(service) is None:
                return Seen(ready=True, answer=answer)
            time.sleep(INTERVAL)
    return Seen(answer=answer)


def record(stage: Stage[Settings], missing: Seen, broken: Seen) -> None:
    """Record what they did."""
    path = stage.subject.challenge.spec.contract.ready_paths[0]
    cases = (
        ("not_ready_without_model", missing, "names a folder that is not there"),
        ("not_ready_with_damaged_model", broken, "names a model whose pickle is cut in half"),
    )
    for name, seen, what in cases:
        problem = (
            f"{path} says that it is ready although MODEL_URI {what}. Answer 503 until the model at MODEL_URI is "
            "loaded and has made a prediction."
        )
        fine = f"Where MODEL_URI {what}, it does not say that it is ready."
        stage.check(name, not seen.ready, problem if seen.ready else fine, observed=seen.told)
    problems = {what: why for _, seen, what in cases if not seen.ready and (why := silent(seen))}
    told = " ".join(f"Where MODEL_URI {what}, {why}." for what, why in problems.items())
    advice = (
        f'Let {path} answer 503 with a JSON object whose "detail" says in words why, and no traceback; or end with an '
        "exit code other than 0."
    )
    if missing.ready and broken.ready:
        stage.not_assessed("not_ready_says_why", "Not reached: it says that it is ready, with no model at all.")
        return
    stage.check(
        "not_ready_says_why",
        not told,
        f"{told} {advice}" if told else "While it is not ready, it says why.",
        expected='{"detail": "..."} or an exit code other than 0',
        observed="; ".join(seen.told for _, seen, _ in cases),
    )


def silent(seen: Seen) -> str:
    """Why nobody could tell from what such a service did what it lacks; empty if one can."""
    if seen.exit_code is not None:
        return "" if seen.exit_code else "it ended with exit code 0, as if all were well"
    if seen.answer is None:
        return "it neither ends nor answers"
    if LEAK.search(seen.answer.text):
        return f"its answer ({seen.answer.status}) shows a traceback or a path of its code"
    try:
        value = seen.answer.json()
    except SubmissionError as error:
        return str(error)
    detail = value.get("detail") if isinstance(value, dict) else None
    stands = isinstance(detail, str) and bool(detail.strip())
    return "" if stands else f"its answer ({seen.answer.status}) has no text under the key 'detail'"


def _exit_code(service: Service) -> int | None:
    state = service.state()
    return None if state.running else state.exit_code or 0


def _ask(client: Client, paths: tuple[str, ...]) -> Reply | None:
    """What it says of its readiness; nothing if it does not answer."""
    reply = None
    for path in paths:
        try:
            reply = client.get(path)
        except NoAnswer:
            return None
        if reply.status != 404:
            break
    return reply

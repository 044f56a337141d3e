"""Requests that must be refused: what was sent, what came back, and what to do about it."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

import httpx

from harness.client import NoAnswer, Reply
from harness.errors import SubmissionError
from harness.payloads import INVOCATIONS
from harness.robustness import malformed
from harness.robustness.malformed import Malformed
from harness.robustness.settings import Settings
from harness.robustness.target import TOO_OFTEN, Target
from harness.stages import Stage

if TYPE_CHECKING:
    import pandas as pd

Replies = list[tuple[str, Reply]]
"""What was sent, and the answer to it."""
FAIR = "400, 413, 415 or 422"
LEAK = re.compile(
    r"Traceback \(most recent call last\)|File \\?\"[^\"\n]+\", line \d+|site-packages"
    r"|/(?:app|code|home|opt|root|src|srv|usr|workspace)/[\w./-]*\.(?:py|js|so)\b"
)
FEW = 2
"""Rows of a malformed request: few, so that it fits on a line."""
SLOW_SECONDS = 20.0
"""For a body of tens of megabytes to be sent, and refused."""


def send_malformed(target: Target, rows: pd.DataFrame) -> Replies:
    """Send everything that must be refused. Returns the answers."""
    replies: Replies = []
    with target.watching_counters():
        for name, cases in groupby(malformed.requests(rows.head(FEW)), lambda case: case.check):
            problem = ""
            for case in cases:
                answer = target.send(case)
                if isinstance(answer, Reply):
                    replies.append((case.what, answer))
                if problem := _not_refused(target, case, answer):
                    break
            target.stage.check(name, not problem, problem or "It is refused.", expected=FAIR)
    _counters(target)
    return replies


def ask_wrong_routes(target: Target) -> Replies:
    """Ask for a route that is not there, and for one by the wrong method. Returns the answers."""
    replies: Replies = []
    wrong = []
    for path in () if target.spent else ("/no-such-route", INVOCATIONS):
        try:
            reply = target.client.get(path, seconds=target.stage.settings.request_seconds)
        except NoAnswer as error:
            wrong.append(str(error))
            continue
        replies.append((f"GET {path}", reply))
        if not 400 <= reply.status < 500:
            wrong.append(f"GET {path} is answered {reply.status}")
    problem = f"{'; '.join(wrong)}. Answer 404 to unknown routes, 405 to wrong methods." if wrong else ""
    if target.spent:
        problem = TOO_OFTEN
    target.stage.check(
        "not_found_and_method",
        not problem,
        problem or "Both are refused.",
        expected="404 or 405",
    )
    return replies


def judge_replies(stage: Stage[Settings], replies: Replies) -> None:
    """What refusals look like: JSON that tells nothing of the code behind them."""
    leaks = [(what, found[0]) for what, reply in replies if (found := LEAK.search(reply.text))]
    problem = "" if replies else "No bad request was answered at all."
    if leaks:
        problem = f"The answer to {leaks[0][0]} shows {leaks[0][1]!r}. Log exceptions, and keep them out of answers."
    stage.check("no_traceback", not problem, problem or "No answer shows a traceback or a path.")
    # Frameworks answer unknown routes by themselves, often in HTML: only refusals of bodies are held to this.
    refused = [(what, reply) for what, reply in replies if 400 <= reply.status < 500 and not what.startswith("GET ")]
    other = [(what, reply) for what, reply in refused if not _is_json(reply)]
    problem = "" if refused else "No bad request was refused with a 4xx, so there is no refusal to look at."
    if other:
        what, reply = other[0]
        kind = reply.headers.get("content-type", "no Content-Type")
        problem = f"The refusal of {what} is no JSON ({kind}): {reply.text[:80]!r}. Answer with a JSON body."
    stage.check("errors_are_json", not problem, problem or "Refusals are JSON.")


def zero_rows(target: Target, rows: pd.DataFrame) -> None:
    """A request without rows: no predictions are as good as a refusal."""
    problem = ""
    for case in malformed.zero_rows(rows):
        answer = target.send(case)
        if isinstance(answer, Reply) and answer.status == 200 and _no_predictions(answer):
            continue
        if problem := _not_refused(target, case, answer):
            break
    message = problem or "A request without rows gets no predictions."
    target.stage.check("zero_rows", not problem, message, expected='200 with {"predictions": []}, or a 4xx')


def oversized(target: Target, rows: pd.DataFrame) -> None:
    """A refusal, or a connection that is closed while the body still arrives."""
    case = malformed.oversized(rows.head(FEW), target.stage.settings.oversized_mb)
    answer = target.send(case, SLOW_SECONDS)
    closed = isinstance(answer, NoAnswer) and _was_closed(answer) and case.what not in target.deaths
    problem = "" if closed else _not_refused(target, case, answer)
    target.stage.check(
        "oversized_body",
        not problem,
        f"{problem} Limit the size of a body." if problem else "A body of tens of megabytes is refused.",
        expected="413, another 4xx, or a closed connection",
        observed=answer.status if isinstance(answer, Reply) else answer or "",
    )


def _not_refused(target: Target, case: Malformed, answer: Reply | NoAnswer | None) -> str:
    """What is wrong with the answer to a malformed request, or an empty string."""
    if answer is None:
        return TOO_OFTEN
    if isinstance(answer, Reply) and 400 <= answer.status < 500:
        return ""
    got = f"got no answer ({answer})"
    if case.what in target.deaths:
        got = "ended the service"
    elif isinstance(answer, Reply):
        got = f"was answered {answer.status} {answer.text[:100]!r}"
        target.scored += FEW if answer.status == 200 else 0
    return f"A request with {case.what} {got}. Refuse it with {FAIR}, and go on serving. Try: {case.curl}"


def _was_closed(error: NoAnswer) -> bool:
    """Whether the service closed the connection, rather than let us wait."""
    cause = error.__cause__
    return isinstance(cause, httpx.TransportError) and not isinstance(cause, httpx.TimeoutException)


def _counters(target: Target) -> None:
    """Judged by the counters that there are. Without any, nothing shows that none moved: that is no pass."""
    problem = ""
    if not target.counted:
        problem = f"There is no counter of rows to look at: neither {target.stage.settings.counter} nor n_observed."
    elif target.moved:
        moved = " and ".join(f"{name} by {rows:g}" for name, rows in target.moved.items())
        problem = f"Requests that were refused moved {moved}. Count rows once they are scored, not before."
    message = problem or "Requests that are refused move no counter of rows."
    target.stage.check("counters_ignore_bad_input", not problem, message, observed=", ".join(sorted(target.counted)))


def _is_json(reply: Reply) -> bool:
    try:
        reply.json()
    except SubmissionError:
        return False
    return True


def _no_predictions(reply: Reply) -> bool:
    try:
        value = reply.json()
    except SubmissionError:
        return False
    return not (value.get("predictions") if isinstance(value, dict) else value)

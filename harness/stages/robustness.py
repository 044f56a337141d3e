"""Robustness: malformed, oversized, slow and concurrent requests are refused or served, and leave nothing behind."""

from __future__ import annotations

import numpy as np

from harness.robustness import aftermath, refusals
from harness.robustness.settings import Settings
from harness.robustness.target import Target
from harness.stages import Stage

__all__ = ["NEEDS_SERVICE", "RECORDS", "TIMED", "Settings", "run"]
NEEDS_SERVICE = True
TIMED = False
RECORDS = (
    "empty_body", "broken_json", "not_an_object", "unknown_key", "missing_column", "text_in_numeric_column",
    "ragged_rows", "invalid_utf8", "wrong_content_type", "deep_nesting", "zero_rows", "oversized_body",
    "no_traceback", "errors_are_json", "serves_after_bad_input", "counters_ignore_bad_input",
    "slow_request_does_not_block", "concurrent_callers_get_their_own_answers", "not_found_and_method",
    "contract_fuzzing",
)  # fmt: skip
ROWS = 40


def run(stage: Stage[Settings]) -> None:
    """Send what must be refused and see what it leaves behind, then strain the service, then fuzz it.

    Raises:
        SubmissionError: not even a valid request is answered.
    """
    rows = stage.subject.challenge.data.sample(ROWS, np.random.default_rng(stage.subject.seed.child("robustness")))
    with Target(stage) as target:
        before = aftermath.baseline(target, rows)
        with stage.ledger.span("measuring"):
            stage.say("malformed requests")
            replies = refusals.send_malformed(target, rows)
            refusals.judge_replies(stage, [*replies, *refusals.ask_wrong_routes(target)])
            refusals.zero_rows(target, rows)
            refusals.oversized(target, rows)
            aftermath.still_serves(target, rows, before)
            stage.say("slow and concurrent callers")
            aftermath.slow_callers(target, rows)
            aftermath.concurrent_callers(target, rows)
            stage.say("fuzzing against the contract")
            aftermath.fuzz(target)

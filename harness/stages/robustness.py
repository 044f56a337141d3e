"""Robustness: malformed, oversized, slow and concurrent requests are refused or served, and leave nothing behind."""

from __future__ import annotations

import numpy as np

from harness.robustness import findings
from harness.robustness.settings import Settings
from harness.robustness.target import Target
from harness.stages import Stage

__all__ = ["NEEDS_SERVICE", "RECORDS", "Settings", "run"]
NEEDS_SERVICE = True
RECORDS = (
    "empty_body", "broken_json", "not_an_object", "unknown_key", "missing_column", "text_in_numeric_column",
    "ragged_rows", "invalid_utf8", "wrong_content_type", "deep_nesting", "zero_rows", "oversized_body",
    "no_traceback", "errors_are_json", "serves_after_bad_input", "counters_ignore_bad_input",
    "slow_request_does_not_block", "concurrent_callers_get_their_own_answers", "not_found_and_method",
    "contract_fuzzing",
)  # fmt: skip
ROWS = 40


def run(stage: Stage[Settings]) -> None:
    """Send what must be refused and see what it leaves behind, then strain the service, then fuzz it."""
    rows = stage.subject.challenge.data.sample(ROWS, np.random.default_rng(stage.subject.seed.child("robustness")))
    with Target(stage) as target, stage.ledger.span("measuring"):
        before = findings.baseline(target, rows)
        stage.say("malformed requests")
        replies = [*findings.malformed_requests(target, rows), *findings.routes(target)]
        findings.refusals(stage, replies)
        findings.aftermath(target, rows, before)
        stage.say("slow and concurrent callers")
        findings.strain(target, rows)
        stage.say("fuzzing against the contract")
        findings.fuzzing(target)

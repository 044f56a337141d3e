"""What the robustness stage sees in services that misbehave in one way each, and in the reference."""

from __future__ import annotations

import json

import pytest

from harness.challenge import HOME
from harness.robustness import malformed
from harness.stages import robustness

REFERENCE = HOME / "fraud_detection" / "submissions" / "reference"
QUICK = {"fuzzing_seconds": 2, "fuzzing_examples": 3, "drip_seconds": 1.5, "oversized_mb": 16}


def test_each_malformed_request_is_wrong_in_the_way_it_says(challenge):
    import numpy as np

    frame = challenge.data.sample(3, np.random.default_rng(1))
    cases = {case.name: case for case in malformed.requests(frame)}
    assert set(cases) <= set(robustness.RECORDS)
    for name in ("broken_json", "deep_nesting"):
        with pytest.raises((ValueError, RecursionError)):
            json.loads(cases[name].body)
    with pytest.raises(UnicodeDecodeError):
        cases["invalid_utf8"].body.decode()
    whole = len(frame.columns)
    ragged = json.loads(cases["ragged_rows"].body)["dataframe_split"]
    assert {len(row) for row in ragged["data"]} == {whole, whole - 2}
    missing = json.loads(cases["missing_column"].body)["dataframe_split"]
    assert {len(missing["columns"]), *map(len, missing["data"])} == {whole - 1}
    assert json.loads(malformed.zero_rows(frame))["dataframe_split"]["data"] == []
    padded = malformed.oversized(frame, 2**20)
    assert len(padded) == 2**20
    assert json.loads(padded)["dataframe_split"]["data"]


SERVER = """
import http.server, json, os, traceback
scored = 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def send(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
    def do_GET(self):
        if self.path == "/readyz": return self.send(200, b"{}")
        if self.path == "/metrics": return self.send(200, f"model_predictions_total {scored}\\n".encode(), "text/plain")
        self.send(404, b"{}")
    def do_POST(self):
        global scored
        length = int(self.headers.get("content-length", 0))
        if length > 2**23:
            self.close_connection = True
            return self.send(413, b"{}")
        raw = self.rfile.read(length)
        try:
            {count_first}
            given = json.loads(raw.decode())["dataframe_split"]
            width = len(given["columns"])
            assert width == 10 and all(len(row) == width for row in given["data"])
            numbers = [row[:7] for row in given["data"]]
            assert all(cell is None or isinstance(cell, (int, float)) for row in numbers for cell in row)
            answer = [[0.5, 0.5] for _ in numbers]
            {count_after}
        except Exception:
            return {refuse}
        self.send(200, json.dumps({"predictions": answer}).encode())
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", 8080))), Handler).serve_forever()
"""
DOCKERFILE = 'FROM python:3.11-slim-bookworm\nCOPY server.py /\nUSER 10001\nCMD ["python3", "/server.py"]\n'
GOOD = {"{count_first}": "pass", "{count_after}": "scored += len(numbers)", "{refuse}": 'self.send(400, b"{}")'}
FAULTS = {
    "a traceback in the reply": (
        {"{refuse}": "self.send(400, json.dumps({'error': traceback.format_exc()}).encode())"},
        {"no_traceback"},
    ),
    "text where JSON is promised": ({"{refuse}": 'self.send(400, b"bad request")'}, {"errors_are_json"}),
    "rows counted before they are scored": (
        {"{count_first}": "scored += 1", "{count_after}": "pass"}, {"counters_ignore_bad_input"},
    ),
    "dead after an error": (
        {"{refuse}": "os._exit(1)"},
        {"empty_body", "serves_after_bad_input", "concurrent_callers_get_their_own_answers"},
    ),
    "an error with status 200": (
        {"{refuse}": 'self.send(200, b"{}")'}, {"broken_json", "missing_column", "ragged_rows"},
    ),
    "500 for bad input": (
        {"{refuse}": 'self.send(500, b"{}")'}, {"broken_json", "text_in_numeric_column", "deep_nesting"},
    ),
}  # fmt: skip


def server(changes):
    text = SERVER
    for slot, code in {**GOOD, **changes}.items():
        text = text.replace(slot, code)
    return {"Dockerfile": DOCKERFILE, "server.py": text}


@pytest.mark.engine
def test_a_service_that_refuses_what_it_must_fails_nothing(judge, folder_of, engine_sandbox):
    seen = judge("robustness", folder_of(server({})), engine_sandbox, **QUICK)
    # This one has no other routes than /invocations, and the fuzzer tries those of the contract.
    assert seen.failed <= {"contract_fuzzing"}, {n: seen.checks[n].message for n in seen.failed}
    assert set(seen.checks) == set(robustness.RECORDS)


@pytest.mark.engine
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_own_checks(fault, judge, folder_of, engine_sandbox):
    changes, expected = FAULTS[fault]
    seen = judge("robustness", folder_of(server(changes)), engine_sandbox, **QUICK)
    assert expected <= seen.failed


@pytest.mark.engine
@pytest.mark.slow
def test_the_reference_fails_nothing(judge, engine_sandbox):
    seen = judge("robustness", REFERENCE, engine_sandbox)
    assert seen.failed == set(), {n: seen.checks[n].message for n in seen.failed}

"""Whole gradings of submissions that misbehave: each a full report, with the reason at the right criterion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = """\
FROM python:3.11-slim-bookworm
COPY server.py /app/server.py
USER 10001
CMD ["python3", "/app/server.py"]
"""
SERVER = """\
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def send(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
    def do_GET(self):
        {get}
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        {post}
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", 8080))), Handler).serve_forever()
"""
READY = 'self.send(200, b"{}")'
HUGE = (
    'self.send_response(200); self.send_header("content-length", str(2**31)); self.end_headers(); '
    '[self.wfile.write(b"0" * 2**20) for _ in range(2048)]'
)


NONSENSE = SERVER.format(get=READY, post=READY)


def submission(folder, server=NONSENSE, dockerfile=DOCKERFILE):
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "server.py").write_text(server)
    return folder


def grade(path, tmp_path, *arguments):
    command = [sys.executable, "-m", "harness", "grade", str(path), "--challenge", "fraud_detection", "--json"]
    answer = subprocess.run(
        [*command, "--profile", "public", "--runs", str(tmp_path / "runs"), *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=900, check=False,
    )  # fmt: skip
    assert answer.returncode in (0, 3), answer.stderr[-3000:]
    report = json.loads(answer.stdout)
    assert report["void"] == (answer.returncode == 3)
    # A machine that others use leaves load results undecided, which is what it should do; nothing else may.
    assert all(reason.startswith("load") for reason in report["void_because"]), report["void_because"]
    return report, next((tmp_path / "runs").iterdir())


def reasons(report):
    return {score["criterion"]: score["rationale"] for score in report["scores"] if score["stage"]}


def stage(report, name):
    return next(result for result in report["stages"] if result["stage"] == name)


def failed(report, name):
    return {c["name"]: c["message"] for c in stage(report, name)["checks"] if c["outcome"] == "failed"}


NEVER = {
    "does not build": ({"dockerfile": DOCKERFILE + "RUN pip install no-such-thing==9.9\n"}, "image", "builds"),
    "has no Dockerfile": ({"dockerfile": None}, "image", "builds"),
    "exits at once": ({"server": "raise SystemExit(7)\n"}, "startup", "becomes_ready"),
    "never gets ready": (
        {"server": SERVER.format(get='self.send(503, b"{}")', post=READY)}, "startup", "becomes_ready",
    ),
    "hangs at start": ({"server": "import time; time.sleep(3600)\n"}, "startup", "becomes_ready"),
}  # fmt: skip


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("fault", NEVER)
def test_a_submission_that_never_serves_is_told_why_once(fault, tmp_path):
    changes, where, check = NEVER[fault]
    path = submission(tmp_path / "s", **{k: v for k, v in changes.items() if v is not None})
    if changes.get("dockerfile", "") is None:
        (path / "Dockerfile").unlink()
    report, folder = grade(path, tmp_path)
    assert not report["void"]
    assert check in failed(report, where)
    assert len(failed(report, where)[check]) > 20
    later = [result for result in report["stages"] if result["stage"] in ("functional", "robustness", "drift", "load")]
    assert len(later) == 4
    assert all(result["skip"] == "submission" and not result["checks"] for result in later)
    assert all(score["points"] == 0 for score in report["scores"] if score["stage"] in ("functional", "drift", "load"))
    assert (folder / "report.html").stat().st_size > 10_000


ANSWERS = {"garbage": "self.send(200, bytes(range(256)))", "two gigabytes": HUGE, "silence": "time.sleep(3600)"}


@pytest.mark.alone
@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_submission_that_answers_nonsense_gets_a_full_report_at_its_floor(answer, tmp_path):
    report, _ = grade(submission(tmp_path / "s", SERVER.format(get=READY, post=ANSWERS[answer])), tmp_path)
    assert stage(report, "startup")["outcome"] != "skipped"
    assert "predictions_match_the_model" in failed(report, "functional")
    points = {score["criterion"]: score["points"] for score in report["scores"] if score["stage"] in ("drift", "load")}
    assert points
    assert all(value == 0 for value in points.values()), points


@pytest.mark.alone
@pytest.mark.engine
@pytest.mark.slow
def test_the_reference_scores_every_automatic_point_and_rescoring_changes_no_byte(tmp_path):
    reference = ROOT / "challenges" / "fraud_detection" / "submissions" / "reference"
    report, folder = grade(reference, tmp_path)
    decided = [score for score in report["scores"] if score["stage"] and score["points"] is not None]
    assert len(decided) >= 30
    lost = {score["criterion"]: score["rationale"] for score in decided if score["points"] < score["max_points"]}
    assert lost == {}
    reports = {path.name: path.read_bytes() for path in folder.glob("report.*")}
    assert len(reports) == 4
    for path in folder.glob("report.*"):
        path.unlink()
    subprocess.run([sys.executable, "-m", "harness", "rescore", str(folder)], check=True, cwd=ROOT, capture_output=True)
    assert {path.name: path.read_bytes() for path in folder.glob("report.*")} == reports

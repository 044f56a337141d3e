"""Many uploads at once, some of them cut off, and a server killed in the middle: nothing lost, nothing twice."""

from __future__ import annotations

import collections
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from intakes import pack, until

UPLOADS, CUT, KILLS = 200, 20, 2


@pytest.fixture
def intake(new_intake):
    intake = new_intake("--token-rate", "100000/minute", "--address-rate", "100000/minute")
    intake.start()
    return intake


def cut_off(intake, token, sent):
    """Send half of a bundle, and vanish."""
    host, port = intake.address.removeprefix("http://").split(":")
    head = (
        f"PUT /v1/submissions/{sent.digest} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"X-Bundle-SHA256: {sent.sha256}\r\nContent-Length: {len(sent.content)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), 30) as line:
        line.sendall(head.encode() + sent.content[: len(sent.content) // 2])
        time.sleep(0.2)


def stubborn(intake, token, sent):
    """Send a bundle until it is acknowledged, as `harness submit` does; returns the receipt."""
    for _ in range(300):
        try:
            answer = intake.put(token, sent)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code in (200, 201):
            return answer.json()
        assert answer.status_code >= 500, answer.text
        time.sleep(0.2)
    raise AssertionError("it was never acknowledged")


def test_200_uploads_at_once_20_cut_off_and_the_server_killed_and_restarted(intake, tmp_path):
    invited = [intake.invite(attempts=UPLOADS // 4, candidate=f"candidate {n}") for n in range(4)]
    sent = [pack(tmp_path, f"work-{n}", padding=str(n) * 60_000) for n in range(UPLOADS)]
    token = {bundle.digest: invited[n % 4]["token"] for n, bundle in enumerate(sent)}
    whole, cut = sent[CUT:], sent[:CUT]
    acknowledged = collections.Counter()
    together = threading.Barrier(UPLOADS)

    def whole_upload(bundle):
        together.wait()
        receipt = stubborn(intake, token[bundle.digest], bundle)
        acknowledged[bundle.digest] += 1
        return receipt

    def half_upload(bundle):
        together.wait()
        try:
            cut_off(intake, token[bundle.digest], bundle)
        except OSError:
            return

    with ThreadPoolExecutor(UPLOADS) as pool:
        receipts = [pool.submit(whole_upload, bundle) for bundle in whole]
        halves = [pool.submit(half_upload, bundle) for bundle in cut]
        for share in (3, 6):
            until(lambda share=share: len(acknowledged) > len(whole) * share // 8, "some are acknowledged")
            intake.stop(signal.SIGKILL)
            intake.start()
        got = {receipt.result()["submission"]: receipt.result() for receipt in receipts}
        for half in halves:
            half.result()
    until(lambda: waiting(intake) == 0, "all are graded", 90)
    intake.stop()
    check(intake, got, whole)


def check(intake, got, whole):
    assert got.keys() == {bundle.digest for bundle in whole}
    with sqlite3.connect(intake.home / "intake.db") as db:
        rows = db.execute(
            "SELECT s.digest, s.invitation_id, s.attempt, j.state, j.run "
            "FROM submissions s JOIN jobs j ON j.submission_id = s.id"
        ).fetchall()
    # Each acknowledged submission is there once, with the attempt that its receipt names, graded, and with its own run.
    assert {(digest, attempt) for digest, _, attempt, _, _ in rows} == {(d, r["attempt"]) for d, r in got.items()}
    assert len(rows) == len(whole)
    assert {state for *_, state, _ in rows} == {"graded"}
    assert len({run for *_, run in rows}) == len(whole)
    assert len({(invitation, attempt) for _, invitation, attempt, _, _ in rows}) == len(whole)
    # Each was received once and graded once, and no two graders were ever at the same one.
    log = collections.Counter((line.event, line.digest) for line in intake.audit())
    for bundle in whole:
        assert log["received", bundle.digest] == log["graded", bundle.digest] == 1
    lines = collections.Counter(line.split()[0] for line in intake.graded())
    assert lines["overlap"] == 0
    assert len(whole) <= lines["graded"] <= lines["started"] <= len(whole) + KILLS
    assert list((intake.home / "incoming").iterdir()) == []


def waiting(intake):
    with sqlite3.connect(intake.home / "intake.db") as db:
        return db.execute("SELECT count(*) FROM jobs WHERE state IN ('queued', 'grading')").fetchone()[0]

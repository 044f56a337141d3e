"""From an acknowledged submission to what its candidate sees, with real processes that grade."""

from __future__ import annotations

import html
import json
import signal

import httpx
import pytest
import sample_report
from intakes import harness, pack, until

from harness.runs import write


def page(intake, invited, sent):
    return httpx.get(f"{intake.address}/status/{sent.digest}", params={"token": invited["token"]})


def test_a_submission_is_graded_and_its_candidate_sees_points_and_what_lost_them(intake, tmp_path):
    invited, sent = intake.invite(candidate="<b>Zoë</b>"), pack(tmp_path, "seen")
    intake.put(invited["token"], sent)
    status = intake.wait_for(invited["token"], sent, "graded")
    assert status["report"] == f"/v1/submissions/{sent.digest}/report"
    report = intake.get(invited["token"], sent, "/report").json()
    whole = sample_report.report()
    assert report["points"] == whole.points
    assert {skill["skill"]: skill["points"] for skill in report["skills"]} == {s.skill: s.points for s in whole.skills}
    shown = page(intake, invited, sent)
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert "<b>Zoë" not in shown.text
    text = html.unescape(shown.text)
    assert "The workflow never builds the image" in text
    assert "The workflow never builds the image" in json.dumps(report)
    assert report["waiting"] == ["Written trade-offs: latency against cost"]


def test_an_intake_on_postgresql_grades_too(new_intake, postgresql, tmp_path):
    intake = new_intake()
    intake.database = postgresql
    intake.start()
    invited, sent = intake.invite(), pack(tmp_path, "elephant")
    assert [intake.put(invited["token"], sent).status_code for _ in range(2)] == [201, 200]
    intake.wait_for(invited["token"], sent, "graded")
    assert not (intake.home / "intake.db").exists()
    assert "intake@127.0.0.1" in intake.log.read_text()
    assert intake.stop() == 0


def test_a_candidate_never_sees_questions_notes_or_answers(intake, tmp_path):
    invited, sent = intake.invite(), pack(tmp_path, "hidden")
    intake.put(invited["token"], sent)
    intake.wait_for(invited["token"], sent, "graded")
    whole = sample_report.report()
    hidden = [score.question for score in whole.scores if score.question]
    hidden += [review.reason for review in whole.reviews] + [review.reviewer for review in whole.reviews]
    hidden += [c.observed for s in whole.stages for c in s.checks if len(c.observed) > 3]
    hidden += [c.expected for s in whole.stages for c in s.checks if len(c.expected) > 3]
    hidden += [whole.run.seed_commitment, whole.run.host["kernel"], "Full: names the bottleneck"]
    assert len(hidden) > 10
    for text in (
        html.unescape(page(intake, invited, sent).text),
        intake.get(invited["token"], sent, "/report").text,
        intake.get(invited["token"], sent).text,
    ):
        assert [secret for secret in hidden if secret in text] == []


@pytest.mark.parametrize(("sees", "points", "reasons"), [("nothing", False, False), ("points", True, False)])
def test_the_rubric_says_how_much_a_candidate_sees(intake, tmp_path, sees, points, reasons):
    invited, sent = intake.invite(), pack(tmp_path, f"sees-{sees}")
    intake.put(invited["token"], sent)
    intake.wait_for(invited["token"], sent, "graded")
    run = intake.audit(invited["id"])[-1].detail
    challenge = intake.home / "runs" / run / "challenge.toml"
    write(challenge, f'{challenge.read_text()}\n[rubric]\ncandidate_sees = "{sees}"\n')
    report = intake.get(invited["token"], sent, "/report").json()
    assert (report["points"] is not None, bool(report["lost"])) == (points, reasons)
    assert ("decided points" in page(intake, invited, sent).text) == points


def test_progress_is_shown_while_it_is_graded_and_ctrl_c_lets_it_start_again(new_intake, tmp_path):
    intake = new_intake()
    intake.start()
    invited = intake.invite()
    slow, next_one = pack(tmp_path, "slow", behaviour="slow"), pack(tmp_path, "next")
    intake.put(invited["token"], slow)
    until(lambda: intake.get(invited["token"], slow).json()["stage"] == "functional", "progress is seen")
    assert intake.get(invited["token"], slow).json()["message"] == "sending requests"
    intake.put(invited["token"], next_one)
    assert intake.get(invited["token"], next_one).json()["position"] == 1
    shown = page(intake, invited, slow).text
    assert '<li class="done">repository' in shown
    assert '<li class="now">functional' in shown
    assert "http-equiv" in shown
    assert intake.stop(signal.SIGINT) == 0
    assert "stopped; what waits" in intake.log.read_text()
    assert intake.graded() == ["started slow"]
    (intake.template / "hurry").touch()
    intake.start()
    intake.wait_for(invited["token"], next_one, "graded")
    assert intake.get(invited["token"], slow).json()["state"] == "graded"
    assert intake.graded() == ["started slow", "started slow", "graded slow", "started next", "graded next"]
    events = [line.event for line in intake.audit(invited["id"]) if line.digest == slow.digest]
    assert events == ["received", "grading started", "grading broken off", "grading started", "graded"]


def test_a_server_that_is_killed_takes_its_grader_with_it_and_the_next_one_starts_again(new_intake, tmp_path):
    intake = new_intake()
    intake.start()
    invited, sent = intake.invite(), pack(tmp_path, "slow", behaviour="slow")
    intake.put(invited["token"], sent)
    until(lambda: intake.graded() == ["started slow"], "it is being graded")
    intake.stop(signal.SIGKILL)
    (intake.template / "hurry").touch()
    intake.start()
    intake.wait_for(invited["token"], sent, "graded")
    assert intake.graded() == ["started slow", "started slow", "graded slow"]


def test_a_second_server_in_the_same_home_is_refused(intake):
    answer = harness("serve", "--home", intake.home, "--port", "1", timeout=60)
    assert answer.returncode == 2
    assert "another server works in" in answer.stderr


def test_a_server_that_has_the_database_of_another_home_is_refused(new_intake, tmp_path):
    intake = new_intake()
    intake.start()
    intake.put(intake.invite()["token"], pack(tmp_path, "one"))
    intake.stop(signal.SIGTERM)
    database = f"sqlite:///{intake.home / 'intake.db'}"
    answer = harness("serve", "--home", tmp_path / "other", "--database", database, timeout=60)
    assert answer.returncode == 2
    assert "the database holds 1 submissions" in answer.stderr
    assert "Name the --home that belongs to this database" in answer.stderr
    assert not (tmp_path / "other" / "signing.key").exists()


def test_a_port_that_is_taken_is_told_and_the_home_is_free_again(new_intake, intake):
    taken = intake.address.rpartition(":")[2]
    other = new_intake()
    for _ in range(2):
        answer = harness("serve", "--home", other.home, "--port", taken, timeout=60)
        assert answer.returncode == 2
        assert f"nothing can be served at 127.0.0.1, port {taken}" in answer.stderr
        assert "address already in use" in answer.stderr


def test_it_says_that_it_works(intake):
    assert httpx.get(f"{intake.address}/health").json() == {"status": "ok"}


def test_no_page_of_the_intake_loads_anything_from_elsewhere(intake):
    described = httpx.get(f"{intake.address}/openapi.json").json()
    assert "/v1/submissions/{digest}" in described["paths"]
    assert [httpx.get(f"{intake.address}/{path}").status_code for path in ("docs", "redoc")] == [404, 404]

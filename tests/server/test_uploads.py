"""Uploads to a real intake: what is taken, what is refused, and that both are logged."""

from __future__ import annotations

import hashlib
from datetime import datetime

import httpx
import pytest
from intakes import Bundle, pack

from harness.receipts import Receipt, verify
from harness.server import invitations
from harness.server.settings import Settings

PAST, FUTURE = "2001-01-01T00:00:00+00:00", "2099-12-31T23:59:00+02:00"


@pytest.fixture
def sent(tmp_path, request):
    return pack(tmp_path, hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12])


def refusals(intake, invited):
    return [line.detail for line in intake.audit(invited["id"]) if line.event == "refused"]


def test_an_upload_gives_a_receipt_that_verifies_offline_against_the_intakes_key(intake, sent):
    invited = intake.invite(deadline=FUTURE, attempts=2, candidate="Zoë")
    answer = intake.put(invited["token"], sent)
    assert answer.status_code == 201
    receipt = Receipt.model_validate_json(answer.content)
    key = httpx.get(f"{intake.address}/v1/key").json()
    assert key["public_key"] == Settings(intake.home).public_key
    verify(receipt, key["public_key"])
    assert (receipt.submission, receipt.bundle) == (sent.digest, sent.sha256)
    assert (receipt.candidate, receipt.attempt, receipt.attempts) == ("Zoë", 1, 2)
    assert (intake.home / "bundles" / invited["id"] / f"{sent.digest}.tar").read_bytes() == sent.content
    assert [line.event for line in intake.audit(invited["id"])][:2] == ["invitation created", "received"]


def test_the_same_upload_twice_gives_the_same_receipt_and_counts_once(intake, sent, tmp_path):
    invited = intake.invite(attempts=2)
    first, again = intake.put(invited["token"], sent), intake.put(invited["token"], sent)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == intake.get(invited["token"], sent, "/receipt").json()
    assert intake.put(invited["token"], pack(tmp_path, "second")).json()["attempt"] == 2


def test_a_receipt_can_be_had_again_after_the_deadline(intake, sent):
    invited = intake.invite(deadline=FUTURE)
    first = intake.put(invited["token"], sent)
    with intake.session() as session:
        past = datetime.fromisoformat(PAST)
        invitations.extend(session, invited["id"], deadline=past, extra_seconds=None, attempts=None)
    assert intake.put(invited["token"], sent).json() == first.json()


@pytest.mark.parametrize("token", ["", "nonsense", "inv-00000000.x", "{id}.{other}", "{token}x", "ü"])
def test_a_wrong_token_opens_nothing(intake, sent, token):
    invited = intake.invite()
    wrong = token.format(id=invited["id"], token=invited["token"], other="A" * 43).encode()
    answer = intake.put("", sent, headers={"Authorization": b"Bearer " + wrong if wrong else b"Bearer"})
    assert answer.status_code == 401
    assert answer.json()["detail"] == "the token is not that of an invitation"
    assert answer.json()["next"]
    # The intake is grading what other tests sent, so its log goes on meanwhile.
    logged = [(line.event, line.address, line.detail[:3]) for line in intake.audit() if line.digest == sent.digest]
    assert logged == [("refused", "127.0.0.1", "401")]


def test_a_revoked_invitation_opens_nothing(intake, sent):
    invited = intake.invite()
    intake.put(invited["token"], sent)
    with intake.session() as session:
        invitations.revoke(session, invited["id"])
    assert intake.put(invited["token"], sent).status_code == 403
    assert intake.get(invited["token"], sent).status_code == 403


def test_a_late_upload_is_refused_until_there_is_extra_time(intake, sent):
    invited = intake.invite(deadline=PAST)
    answer = intake.put(invited["token"], sent)
    assert answer.status_code == 403
    assert "the deadline was 2001-01-01 00:00:00+00:00" in answer.json()["detail"]
    assert "deadline" in refusals(intake, invited)[0]
    with intake.session() as session:
        invitations.extend(session, invited["id"], deadline=None, extra_seconds=2**31 - 1, attempts=None)
    assert intake.put(invited["token"], sent).status_code == 201


def test_more_than_the_allowed_attempts_are_refused(intake, sent, tmp_path):
    invited = intake.invite(attempts=1)
    assert intake.put(invited["token"], sent).status_code == 201
    answer = intake.put(invited["token"], pack(tmp_path, "one-too-many"))
    assert answer.status_code == 409
    assert "all 1 attempts" in refusals(intake, invited)[0]


def big():
    yield from (b"x" * 65536 for _ in range(64))


@pytest.mark.parametrize("content", [b"x" * 2**22, big], ids=["announced", "not announced"])
def test_a_bundle_above_the_cap_is_refused_and_the_refusal_arrives(intake, sent, content):
    invited = intake.invite()
    answer = intake.put(invited["token"], sent, content=content() if callable(content) else content)
    assert answer.status_code == 413
    assert "larger than the 1 MB" in answer.json()["detail"]
    assert len(refusals(intake, invited)) == 1


def altered(sent):
    content = sent.content.replace(b"FROM scratch", b"FROM sketchy")
    assert content != sent.content
    return Bundle(sent.digest, hashlib.sha256(content).hexdigest(), content)


def junk(sent):
    return Bundle(sent.digest, hashlib.sha256(b"no tar").hexdigest(), b"no tar")


def test_what_does_not_have_the_announced_hash_is_refused(intake, sent):
    invited = intake.invite()
    answer = intake.put(invited["token"], sent, content=sent.content + b"x")
    assert answer.status_code == 400
    assert "as announced" in answer.json()["detail"]
    assert "as announced" in refusals(intake, invited)[0]
    assert intake.put(invited["token"], sent, headers={"X-Bundle-SHA256": ""}).status_code == 400


@pytest.mark.parametrize(("change", "why"), [(altered, "was altered"), (junk, "is no bundle")], ids=["altered", "junk"])
def test_an_altered_bundle_and_what_is_none_are_refused_though_their_hash_holds(intake, sent, change, why):
    invited = intake.invite()
    answer = intake.put(invited["token"], change(sent))
    assert answer.status_code == 400
    assert why in answer.json()["detail"]
    assert str(intake.home) not in answer.text
    assert why in refusals(intake, invited)[0]
    assert intake.put(invited["token"], sent).json()["attempt"] == 1


def test_a_forged_digest_is_refused(intake, sent, tmp_path):
    invited, other = intake.invite(), pack(tmp_path, "other-work")
    answer = intake.put(invited["token"], sent, digest=other.digest)
    assert answer.status_code == 400
    assert f"not {other.digest[:12]}" in answer.json()["detail"]
    assert len(refusals(intake, invited)) == 1
    assert intake.put(invited["token"], sent, digest="../" + "0" * 61).status_code in (400, 404)
    assert intake.put(invited["token"], sent, digest="0" * 63).status_code == 400


def test_a_bundle_for_another_challenge_is_refused(intake, tmp_path):
    invited = intake.invite()
    answer = intake.put(invited["token"], pack(tmp_path, "elsewhere", challenge="another"))
    assert answer.status_code == 400
    assert "is for 'another'" in answer.json()["detail"]


def test_what_was_refused_leaves_no_file_behind(intake, sent):
    invited = intake.invite()
    intake.put(invited["token"], altered(sent))
    assert list((intake.home / "incoming").iterdir()) == []
    assert not (intake.home / "bundles" / invited["id"]).exists()


def test_one_candidate_learns_nothing_of_anothers_submission(intake, sent):
    one, other = intake.invite(), intake.invite()
    intake.put(one["token"], sent)
    assert intake.get(other["token"], sent).status_code == 404
    assert intake.get(other["token"], sent, "/report").status_code == 404


def test_a_token_is_in_no_log_and_not_on_the_disk(intake, sent):
    invited = intake.invite()
    intake.put(invited["token"], sent)
    page = httpx.get(f"{intake.address}/status/{sent.digest}", params={"token": invited["token"]})
    assert page.status_code == 200
    for wrong in (invited["token"][:-1] + "?", "inv-\0", ""):
        assert httpx.get(f"{intake.address}/status/{sent.digest}", params={"token": wrong}).status_code == 401
    secret = invited["token"].partition(".")[2][:20].encode()
    assert f"/status/{sent.digest}" in intake.log.read_text()
    for path in (intake.log, *intake.home.rglob("*")):
        assert not path.is_file() or secret not in path.read_bytes(), path


def test_too_many_requests_are_told_when_to_come_back(new_intake, sent):
    intake = new_intake("--token-rate", "3/minute")
    intake.start()
    invited = intake.invite()
    codes = [intake.put(invited["token"], sent).status_code for _ in range(4)]
    assert codes == [201, 200, 200, 429]
    answer = intake.put(invited["token"], sent)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "3 per 1 minute" in answer.json()["detail"]


def test_the_interface_is_documented(intake):
    document = httpx.get(f"{intake.address}/openapi.json").json()
    put = document["paths"]["/v1/submissions/{digest}"]["put"]
    assert {"200", "201", "400", "401", "403", "409", "413", "429"} <= put["responses"].keys()
    assert "application/x-tar" in put["requestBody"]["content"]
    assert put["security"]

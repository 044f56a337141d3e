"""From a provider's delivery to a commit status: a real server, a real git server, real processes that grade."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hook_company import Company, deliver, github, gitlab
from hook_repositories import GITHUB, GITLAB, commit, git
from hook_servers import application
from intakes import until
from sqlalchemy.exc import OperationalError

from harness.errors import UsageError
from harness.hooks import pushes
from harness.hooks import settings as hook_settings
from harness.hooks.deliveries import State
from harness.server import audit, queue

POINTS = "68.29 of 88 points"
"""Of the report that the quick grader leaves."""


@pytest.fixture
def closed_company(tmp_path):
    """A company that has not yet said where its repositories are."""
    company = Company(tmp_path)
    yield company
    company.database.close()


@pytest.fixture
def company(closed_company, served, api):
    return closed_company.open(served, api[0])


def states(api):
    return [(body["state"], body["description"]) for _, _, body in api[1]]


def test_githubs_published_push_is_fetched_graded_and_told(company, payload, head, api):
    body = payload("github_push_branch", head)
    (answer,) = deliver(company, ("github", body, github(body)))
    assert (answer.status_code, answer.json()) == (202, {"detail": f"received: {head[:12]} of {GITHUB} will be graded"})
    assert states(api) == [("pending", "received; waiting to be graded"), ("success", POINTS)]
    assert api[1][1][0] == f"/repos/{GITHUB}/statuses/{head}"
    (run,) = (company.folder / "home" / "runs").iterdir()
    assert company.ada in run.name
    assert [event for event, _ in company.events()][2:4] == ["webhook delivered", "received"]


def test_gitlabs_documented_push_is_fetched_graded_and_told(company, payload, head, api):
    (answer,) = deliver(company, ("gitlab", payload("gitlab_push", head), gitlab()))
    assert answer.status_code == 202
    assert [state for state, _ in states(api)] == ["pending", "success"]
    assert api[1][1][0] == f"/api/v4/projects/mike%2Fdiaspora/statuses/{head}"
    assert [push.repository for push in company.pushes()] == [GITLAB]


def test_a_replayed_delivery_is_graded_once(company, payload, head, api):
    body = payload("github_push_branch", head)
    replayed = github(body, **{"x-github-delivery": "another id"})
    answers = deliver(company, *[("github", body, headers) for headers in (github(body), github(body), replayed)])
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert "received before" in answers[1].json()["detail"]
    assert [detail for event, detail in company.events() if "200" in detail], "a replay is logged"
    assert len(company.graded()) == 1
    assert len(api[1]) == 2


def test_a_repository_is_one_however_its_name_is_spelt(company, payload, head):
    first = payload("github_push_branch", head)
    second = first.replace(b"Codertocat/Hello-World", b"codertocat/hello-world")
    deliver(company, ("github", first, github(first)), ("github", second, github(second, **{"x-github-delivery": "2"})))
    assert [push.repository for push in company.pushes()] == [GITHUB]


def test_two_branches_at_one_commit_are_graded_once(company, payload, head):
    first, second = payload("github_push_branch", head), payload("github_push_branch", head, ref="refs/heads/main")
    deliver(company, ("github", first, github(first)), ("github", second, github(second, **{"x-github-delivery": "2"})))
    assert len(company.graded()) == 1


@pytest.mark.parametrize("signature", ["sha256=" + "0" * 64, ""])
def test_a_forged_signature_is_refused_and_logged(company, payload, api, signature):
    body = payload("github_push_branch")
    (answer,) = deliver(company, ("github", body, github(body, **{"x-hub-signature-256": signature})))
    assert answer.status_code == 401
    assert "secret" in answer.json()["next"]
    event, detail = company.events()[-1]
    assert event == "webhook refused"
    assert "github, 401: " in detail
    assert api[1] == company.graded() == []


def test_a_body_that_was_changed_after_signing_is_refused(company, payload, head):
    body = payload("github_push_branch", head)
    (answer,) = deliver(company, ("github", body.replace(b"Codertocat", b"codertocat"), github(body)))
    assert answer.status_code == 401


def test_a_wrong_token_is_refused(company, payload, head):
    (answer,) = deliver(company, ("gitlab", payload("gitlab_push", head), gitlab(**{"x-gitlab-token": "guess"})))
    assert answer.status_code == 401
    assert "s3cret" not in answer.text + str(company.events())


def test_what_asks_for_no_grading_gets_a_clear_answer(company, payload, api):
    zeros = "0" * 40
    bodies = {
        "branch master was deleted": (payload("github_push_branch", after=zeros, deleted=True), {}),
        "refs/tags/simple-tag is no branch": (payload("github_push_tag_deleted"), {}),
        "event 'ping'": (payload("github_ping"), {"x-github-event": "ping"}),
        "branch try is not graded": (payload("github_push_branch", ref="refs/heads/try"), {}),
    }
    answers = deliver(company, *[("github", body, github(body, **headers)) for body, headers in bodies.values()])
    for answer, said in zip(answers, bodies, strict=True):
        assert answer.status_code == 200
        assert said in answer.json()["detail"]
    assert api[1] == []


def test_an_unknown_repository_is_refused_with_what_to_do(company, payload):
    body = payload("github_push_branch", repository={"full_name": "eve/work"})
    (answer,) = deliver(company, ("github", body, github(body)))
    assert answer.status_code == 404
    assert answer.json()["next"] == "List it under [[github.repositories]]."


def test_a_form_and_a_broken_payload_say_what_is_wrong(company):
    form, broken = b"payload=%7B%7D", b"{}"
    answers = deliver(
        company,
        ("github", form, github(form, **{"content-type": "application/x-www-form-urlencoded"})),
        ("github", broken, github(broken)),
    )
    assert [answer.status_code for answer in answers] == [415, 400]
    assert "application/json" in answers[0].json()["next"]
    assert "ref: Field required" in answers[1].json()["detail"]


def test_a_delivery_that_is_too_large_is_not_read(company):
    (answer,) = deliver(company, ("github", b"x" * (25 * 2**20 + 1), github(b"")))
    assert answer.status_code == 413


def test_a_clone_that_fails_is_told_and_delivering_it_again_tries_again(closed_company, payload, head, served, api):
    body = payload("github_push_branch", head)
    (answer,) = deliver(closed_company.open("http://127.0.0.1:9", api[0]), ("github", body, github(body)))
    assert answer.status_code == 202
    assert [state for state, _ in states(api)] == ["pending", "error"]
    assert "git cannot fetch it" in states(api)[1][1]
    (again,) = deliver(closed_company.open(served, api[0]), ("github", body, github(body)))
    assert again.status_code == 202
    assert [state for state, _ in states(api)[2:]] == ["pending", "success"]


def test_a_status_api_that_is_down_loses_no_grade(closed_company, payload, head, served, caplog):
    company = closed_company.open(served, "http://127.0.0.1:9")
    body = payload("github_push_branch", head)
    deliver(company, ("github", body, github(body)))
    assert [push.state for push in company.pushes()] == [State.GRADED]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len([message for message in warnings if "was not set" in message]) == 2


def test_a_push_is_graded_though_its_delivery_cannot_be_logged(closed_company, payload, head, served, api):
    record = audit.record

    def locked(session, event, **told):
        if event.startswith("webhook"):
            raise OperationalError("INSERT", {}, Exception("the database is locked"))
        record(session, event, **told)

    company, body = closed_company.open(served, api[0]), payload("github_push_branch", head)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(audit, "record", locked)
        (answer,) = deliver(company, ("github", body, github(body)))
    assert answer.status_code == 202
    assert [push.state for push in company.pushes()] == [State.GRADED]


def test_too_few_points_are_a_failure(closed_company, payload, head, served, api):
    body = payload("github_push_branch", head)
    deliver(closed_company.open(served, api[0], fail_under=75), ("github", body, github(body)))
    assert states(api)[-1] == ("failure", f"{POINTS}; 75 are needed")


def test_a_grading_that_broke_off_is_an_error_and_told_again_once_a_person_has_it_graded(
    company, work, payload, api, origin
):
    sha = commit(work, {"behaviour": "crash"})
    git(work, "push", "-q", str(origin / f"{GITHUB}.git"), "master")
    body = payload("github_push_branch", sha)
    with application(company.app) as address:
        httpx.post(f"{address}/v1/hooks/github", content=body, headers=github(body))
        company.settle()
        assert states(api)[-1][0] == "error"
        (push,) = company.pushes()
        with company.database.write() as session:
            queue.requeue(session, push.note)
        until(lambda: len(api[1]) == 3, "the provider is told again")
    assert states(api)[-1] == ("success", POINTS)


def test_the_same_files_in_another_commit_are_one_submission_and_both_are_told(company, work, payload, api, origin):
    with application(company.app) as address:
        for message in ("once", "again"):
            body = payload("github_push_branch", commit(work, {}, message))
            git(work, "push", "-q", str(origin / f"{GITHUB}.git"), "master")
            headers = github(body, **{"x-github-delivery": message})
            httpx.post(f"{address}/v1/hooks/github", content=body, headers=headers)
            company.settle()
    assert len(company.graded()) == 1
    assert [state for state, _ in states(api)] == ["pending", "success"] * 2
    assert len({path for path, _, _ in api[1]}) == 2


def test_a_late_push_is_told_so_and_logged(closed_company, payload, head, served, api):
    late = closed_company.invite("Ada", deadline="2020-01-01T00:00:00+00:00")
    company, body = closed_company.open(served, api[0], ada=late), payload("github_push_branch", head)
    deliver(company, ("github", body, github(body)))
    assert states(api)[-1][0] == "error"
    assert "not graded: the deadline was 2020-01-01" in states(api)[-1][1]
    assert [detail[:26] for event, detail in company.events() if event == "refused"] == ["403: the deadline was 2020"]
    assert company.graded() == []


def test_an_invitation_that_is_not_there_is_said_before_anything_is_served(closed_company, served, api):
    with pytest.raises(UsageError, match="invitation 'inv-00000000', which there is not"):
        closed_company.open(served, api[0], ada="inv-00000000")


def test_what_was_not_carried_when_the_server_ended_is_carried_by_the_next(company, head, payload, api):
    push = pushes.github({"x-github-event": "push"}, payload("github_push_branch", head))
    kept, _ = company.deliveries.record("d-1", push)
    company.deliveries.claim(kept.id)
    with application(company.app):
        company.webhooks.resume()
        company.settle()
    assert [state for state, _ in states(api)] == ["pending", "success"]


def test_what_ended_and_was_not_told_when_the_server_ended_is_told_by_the_next(company, head, payload, api):
    body = payload("github_push_branch", head)
    deliver(company, ("github", body, github(body)))
    (push,) = company.pushes()
    company.deliveries.move(push.id, State.QUEUED, push.note)
    company.webhooks.resume()
    company.settle()
    assert [state for state, _ in states(api)] == ["pending", "success", "success"]


def test_many_deliveries_at_once_are_one_grading(company, payload, head):
    body = payload("github_push_branch", head)
    with application(company.app) as address, ThreadPoolExecutor(20) as pool:

        def send(at):
            headers = github(body, **{"x-github-delivery": str(at % 5)})
            return httpx.post(f"{address}/v1/hooks/github", content=body, headers=headers, timeout=60).status_code

        codes = list(pool.map(send, range(20)))
        company.settle()
    assert sorted(codes) == [200] * 19 + [202]
    assert len(company.graded()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[github", "no TOML"),
        ("github = 1", "no TOML"),
        ("[github]\nsecret_file = 'nowhere'", "cannot be read"),
        ("[github]\nsecret_file = 'empty'", "is empty"),
        ("[github]", "github.secret_file: Field required"),
        ("[bitbucket]", "bitbucket: Extra inputs"),
    ],
)
def test_settings_that_are_wrong_say_where(tmp_path, text, said):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "hooks.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        hook_settings.load(tmp_path / "hooks.toml")

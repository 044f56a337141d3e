"""From a provider's delivery to a commit status: a real server, a real git server, real processes that grade."""

from __future__ import annotations

import logging
import threading

import httpx
import pytest
from hook_company import SECRET, SETTINGS, Company, deliver, github, gitlab
from hook_repositories import GITHUB, GITLAB
from hook_servers import application

from harness.errors import UsageError
from harness.hooks import pushes
from harness.hooks import settings as hook_settings
from harness.hooks.courier import Verdict
from harness.hooks.deliveries import State


@pytest.fixture
def configured(tmp_path, served, api):
    """Reads the settings, from a file as a company writes it."""

    def configured(fail_under=60.0, served=served, api=api[0]):
        (tmp_path / "github-secret").write_text(SECRET + "\n")
        (tmp_path / "gitlab-secret").write_text("s3cret\n")
        (tmp_path / "token").write_text("t0ken\n")
        text = SETTINGS.format(fail_under=fail_under, served=served, api=api)
        (tmp_path / "hooks.toml").write_text(text)
        return hook_settings.load(tmp_path / "hooks.toml")

    return configured


@pytest.fixture
def company_of(configured, tmp_path, grader):
    """A company with other settings than usual."""
    return lambda **settings: Company(configured(**settings), tmp_path, grader)


@pytest.fixture
def company(company_of):
    return company_of()


def states(api):
    return [(body["state"], body["description"]) for _, _, body in api[1]]


def test_githubs_published_push_is_fetched_graded_and_told(company, payload, head, api):
    body = payload("github_push_branch", head)
    (answer,) = deliver(company, ("github", body, github(body)))
    assert (answer.status_code, answer.json()) == (202, {"detail": f"received: {head[:12]} will be graded"})
    assert states(api) == [("pending", "received; waiting to be graded"), ("success", "72.5 of 80 points")]
    assert api[1][1][0] == f"/repos/{GITHUB}/statuses/{head}"
    assert api[1][1][2]["target_url"] == "https://intake.example/r"
    assert (company.folder / "runs" / "run-of-ada-lovelace").is_dir()


def test_gitlabs_documented_push_is_fetched_graded_and_told(company, payload, head, api):
    (answer,) = deliver(company, ("gitlab", payload("gitlab_push", head), gitlab()))
    assert answer.status_code == 202
    assert [state for state, _ in states(api)] == ["pending", "success"]
    assert api[1][1][0] == f"/api/v4/projects/mike%2Fdiaspora/statuses/{head}"
    assert company.graded[0].push.repository == GITLAB


def test_a_replayed_delivery_is_graded_once(company, payload, head, api):
    body = payload("github_push_branch", head)
    replayed = github(body, **{"x-github-delivery": "another id"})
    answers = deliver(company, *[("github", body, headers) for headers in (github(body), github(body), replayed)])
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert "received before" in answers[1].json()["detail"]
    assert len(company.graded) == 1
    assert len(api[1]) == 2


def test_a_repository_is_one_however_its_name_is_spelt(company, payload, head):
    first = payload("github_push_branch", head)
    second = first.replace(b"Codertocat/Hello-World", b"codertocat/hello-world")
    deliver(company, ("github", first, github(first)), ("github", second, github(second, **{"x-github-delivery": "2"})))
    assert [kept.push.repository for kept in company.graded] == [GITHUB]


def test_two_branches_at_one_commit_are_graded_once(company, payload, head):
    first, second = payload("github_push_branch", head), payload("github_push_branch", head, ref="refs/heads/main")
    deliver(company, ("github", first, github(first)), ("github", second, github(second, **{"x-github-delivery": "2"})))
    assert len(company.graded) == 1


@pytest.mark.parametrize("signature", ["sha256=" + "0" * 64, ""])
def test_a_forged_signature_is_refused_and_logged(company, payload, api, caplog, signature):
    body = payload("github_push_branch")
    (answer,) = deliver(company, ("github", body, github(body, **{"x-hub-signature-256": signature})))
    assert answer.status_code == 401
    assert "secret" in answer.json()["next"]
    assert "refused (401)" in caplog.text
    assert api[1] == company.graded == []


def test_a_body_that_was_changed_after_signing_is_refused(company, payload, head):
    body = payload("github_push_branch", head)
    (answer,) = deliver(company, ("github", body.replace(b"Codertocat", b"codertocat"), github(body)))
    assert answer.status_code == 401


def test_a_wrong_token_is_refused(company, payload, head, caplog):
    (answer,) = deliver(company, ("gitlab", payload("gitlab_push", head), gitlab(**{"x-gitlab-token": "guess"})))
    assert answer.status_code == 401
    assert "s3cret" not in answer.text + caplog.text


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


def test_a_clone_that_fails_is_told_and_delivering_it_again_tries_again(company_of, payload, api):
    broken, body = company_of(served="http://127.0.0.1:9"), payload("github_push_branch", "1" * 40)
    (answer,) = deliver(broken, ("github", body, github(body)))
    assert answer.status_code == 202
    assert [state for state, _ in states(api)] == ["pending", "error"]
    assert "git cannot fetch it" in states(api)[1][1]
    mended = company_of()
    (again,) = deliver(mended, ("github", body, github(body)))
    assert again.status_code == 202, "the commit is not there either, but it was tried"
    assert len(api[1]) == 4


def test_a_status_api_that_is_down_loses_no_grade(company_of, payload, head, caplog):
    company = company_of(api="http://127.0.0.1:9")
    body = payload("github_push_branch", head)
    deliver(company, ("github", body, github(body)))
    assert company.deliveries.record("d-1", company.graded[0].push)[0].state is State.GRADED
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len([message for message in warnings if "was not set" in message]) == 2


def test_too_few_points_are_a_failure_and_a_void_grading_an_error(company_of, payload, head, api):
    company = company_of(fail_under=75.0)
    body = payload("github_push_branch", head)
    deliver(company, ("github", body, github(body)))
    assert states(api)[-1] == ("failure", "72.5 of 80 points; 75 are needed")
    company.courier.graded(company.graded[0].id, Verdict(0, 0, void=True))
    assert states(api)[-1][0] == "error"
    assert company.deliveries.record("d-1", company.graded[0].push)[1], "void: delivering it again grades it again"


def test_what_was_not_carried_when_the_server_ended_is_carried_by_the_next(company, head, payload, api):
    push = pushes.github({"x-github-event": "push"}, payload("github_push_branch", head))
    kept, _ = company.deliveries.record("d-1", push)
    company.deliveries.claim(kept.id)
    company.courier.resume()
    company.jobs.put(None)
    company.work()
    assert [state for state, _ in states(api)] == ["pending", "success"]


def test_many_deliveries_at_once_are_one_grading(company, payload, head):
    body = payload("github_push_branch", head)
    codes = []
    with application(company.app) as address:

        def send(at):
            answer = httpx.post(
                f"{address}/v1/hooks/github", content=body, headers=github(body, **{"x-github-delivery": at})
            )
            codes.append(answer.status_code)

        threads = [threading.Thread(target=send, args=(str(at % 5),)) for at in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    company.jobs.put(None)
    company.work()
    assert sorted(codes) == [200] * 19 + [202]
    assert len(company.graded) == 1


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

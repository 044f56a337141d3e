"""Commit statuses, sent to a real server as the providers document them."""

from __future__ import annotations

import logging

import pytest
from hook_repositories import GITHUB, GITLAB

from harness.hooks.pushes import Push
from harness.hooks.settings import HookSettings
from harness.hooks.statuses import Statuses

SHA = "a" * 40


@pytest.fixture
def statuses(tmp_path, api):
    (tmp_path / "secret").write_text("s")
    (tmp_path / "token").write_text("t0ken\n")
    keys = {"secret_file": tmp_path / "secret", "token_file": tmp_path / "token", "api": api[0] + "/api"}

    def statuses(address=api[0], **changes):
        repository = {"invitation": "inv-1f2e3d4c"}
        slept: list[float] = []
        settings = HookSettings.model_validate(
            {
                "github": {
                    **keys,
                    "api": f"{address}/api/",
                    "repositories": [{"name": GITHUB, **repository}],
                    **changes,
                },
                "gitlab": {**keys, "api": f"{address}/api/v4", "repositories": [{"name": GITLAB, **repository}]},
            }
        )
        return Statuses(settings, slept.append), slept

    return statuses


def test_github_is_told_as_it_documents(statuses, api):
    assert statuses()[0].post(Push("github", GITHUB, SHA, "main"), "success", "graded\nwell", "https://x.example/1")
    path, headers, body = api[1][0]
    assert path == f"/api/repos/{GITHUB}/statuses/{SHA}"
    assert headers["Authorization"] == "Bearer t0ken"
    target = {"target_url": "https://x.example/1"}
    assert body == {"state": "success", "context": "mlops-harness", "description": "graded well", **target}


def test_gitlab_is_told_as_it_documents(statuses, api):
    assert statuses()[0].post(Push("gitlab", GITLAB, SHA, "main"), "error", "x" * 500)
    path, headers, body = api[1][0]
    assert path == f"/api/v4/projects/mike%2Fdiaspora/statuses/{SHA}"
    assert headers["PRIVATE-TOKEN"] == "t0ken"
    assert (body["state"], body["ref"], len(body["description"])) == ("failed", "main", 140)


def test_a_server_in_trouble_is_asked_again_as_late_as_it_says(statuses, api):
    api[2][:] = [(503, {}, ""), (429, {"Retry-After": "7"}, "")]
    posting, slept = statuses()
    assert posting.post(Push("github", GITHUB, SHA, "main"), "pending", "received")
    assert slept == [1.0, 7.0]
    assert len(api[1]) == 3


def test_no_server_is_asked_for_ever_or_waited_for_long(statuses, api, caplog):
    api[2][:] = [(429, {"Retry-After": "86400"}, "")] * 9
    posting, slept = statuses()
    assert not posting.post(Push("github", GITHUB, SHA, "main"), "pending", "received")
    assert slept == [30.0, 30.0]
    assert "was not set" in caplog.text


def test_a_refusal_is_a_warning_and_not_repeated(statuses, api, caplog):
    api[2][:] = [(403, {}, '{"message": "Resource not accessible"}')]
    assert not statuses()[0].post(Push("github", GITHUB, SHA, "main"), "success", "graded")
    assert len(api[1]) == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "Resource not accessible" in caplog.text
    assert "t0ken" not in caplog.text


def test_a_server_that_is_down_is_a_warning(statuses, caplog):
    posting, slept = statuses("http://127.0.0.1:9")
    assert not posting.post(Push("github", GITHUB, SHA, "main"), "success", "graded")
    assert slept == [1.0, 2.0]
    assert "was not set" in caplog.text


def test_a_state_that_gitlab_has_already_is_no_failure(statuses, api, caplog):
    api[2][:] = [(400, {}, '{"message": "Cannot transition status via :enqueue from :pending"}')]
    assert statuses()[0].post(Push("gitlab", GITLAB, SHA, "main"), "pending", "received")
    assert caplog.records == []


def test_without_a_token_nobody_is_told(statuses, api):
    assert not statuses(token_file=None)[0].post(Push("github", GITHUB, SHA, "main"), "success", "graded")
    assert api[1] == []

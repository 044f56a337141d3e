"""What the providers' published payloads say."""

from __future__ import annotations

import pytest
from hook_repositories import GITHUB, GITLAB

from harness.errors import UsageError
from harness.hooks import pushes
from harness.hooks.pushes import Ignored, Push

PUSHED, TO_GITLAB = {"x-github-event": "push"}, {"x-gitlab-event": "Push Hook"}
ZEROS = "0" * 40


def test_githubs_published_push_of_a_branch_names_its_commit(payload):
    found = pushes.github(PUSHED, payload("github_push_branch"))
    assert found == Push("github", GITHUB, "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "master")


def test_gitlabs_documented_push_names_its_commit(payload):
    found = pushes.gitlab(TO_GITLAB, payload("gitlab_push"))
    assert found == Push("gitlab", GITLAB, "da1560886d4f094c3e6c9ef40349f7d38b5d27d7", "master")


@pytest.mark.parametrize("name", ["github_push_tag", "github_push_tag_deleted"])
def test_a_tag_is_ignored(payload, name):
    found = pushes.github(PUSHED, payload(name))
    assert found == Ignored("refs/tags/simple-tag is no branch")


def test_other_events_are_ignored(payload):
    assert isinstance(pushes.github({"x-github-event": "ping"}, payload("github_ping")), Ignored)
    assert isinstance(pushes.gitlab({"x-gitlab-event": "Tag Push Hook"}, payload("gitlab_tag_push")), Ignored)
    assert isinstance(pushes.github({}, b""), Ignored)


def test_a_deleted_branch_is_ignored(payload):
    deleted = payload("github_push_branch", after=ZEROS, deleted=True, head_commit=None, commits=[])
    assert pushes.github(PUSHED, deleted) == Ignored("the branch master was deleted")
    assert pushes.gitlab(TO_GITLAB, payload("gitlab_push", after=ZEROS, checkout_sha=None)) == Ignored(
        "the branch master was deleted"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"after": "HEAD"}, "names no commit"),
        ({"after": "--upload-pack=x"}, "names no commit"),
        ({"after": None}, "after"),
        ({"repository": {"full_name": "../etc"}}, "names no commit"),
        ({"repository": {"full_name": "a/b c"}}, "names no commit"),
        ({"repository": {}}, "repository.full_name"),
        ({"repository": None}, "repository"),
    ],
)
def test_a_payload_that_is_no_push_says_what_is_wrong_with_it(payload, changes, said):
    with pytest.raises(UsageError, match=said):
        pushes.github(PUSHED, payload("github_push_branch", **changes))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"payload=%7B%7D"])
def test_a_body_that_is_no_json_says_so(body):
    with pytest.raises(UsageError, match="is no push"):
        pushes.github(PUSHED, body)

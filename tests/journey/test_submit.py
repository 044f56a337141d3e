"""Handing in: what is shown, what is refused, and what a folder and a git remote give back."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from candidate import NOW, bundles, commit, git, harness

from harness import bundle
from harness.journey import acknowledgement
from harness.submission import digest

# What is shown, and what is refused.


def test_what_is_handed_in_and_what_is_not_is_named_before_anything_leaves(repository):
    secret = "hf_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"
    commit(
        repository, service__large=b"x" * (11 * 2**20), service__settings_env=f'TOKEN = "{secret}"\n',
        config__x=b"1",
    )  # fmt: skip
    (repository / "__pycache__").mkdir()
    (repository / "__pycache__" / "x.pyc").write_bytes(b"x")
    (repository / "forgotten.py").write_text("x = 1\n")
    done = harness(repository, *NOW)
    assert done.returncode == 2
    assert "large (a point is lost for it): service/large (11 MB)" in done.stderr
    assert "a Hugging Face token in service/settings_env, line 1" in done.stderr
    assert secret not in done.stderr
    assert "ignored by git: __pycache__/" in done.stderr
    assert "not tracked, and not ignored: forgotten.py" in done.stderr
    assert "attempts: 3 in all" in done.stderr


def test_the_template_as_it_was_given_is_said_to_be_that(repository):
    said = "nothing in it differs from the template"
    assert said in harness(repository, *NOW).stderr
    (repository / "README.md").write_text("mine\n")
    assert said not in harness(repository, *NOW, "--allow-dirty").stderr
    git(repository, "commit", "--quiet", "--all", "--message", "mine")
    assert said not in harness(repository, *NOW).stderr


@pytest.mark.parametrize("address", ["", "a b@example.com"])
def test_a_history_that_somebody_else_began_can_be_handed_in(repository, address):
    git(repository, "checkout", "--quiet", "--orphan", "anew")
    git(repository, "commit", "--quiet", "--allow-empty-message", "--message", "", GIT_AUTHOR_EMAIL=address)
    assert harness(repository, *NOW).returncode == 0


@pytest.mark.parametrize("what", ["an environment file", "the token of your invitation"])
def test_what_looks_like_a_secret_is_handed_in_only_if_told(repository, what):
    (repository / ".harness-token").write_text("inv-0badcafe.notForOthers\n")
    commit(repository, **({"_env": "A=1\n"} if "file" in what else {"notes": "it is inv-0badcafe.notForOthers\n"}))
    if "file" in what:
        git(repository, "mv", "_env", ".env")
        git(repository, "commit", "--quiet", "--message", "more")
    git(repository, "rm", "--cached", "--quiet", "--ignore-unmatch", ".harness-token")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "without the token")
    done = harness(repository, *NOW)
    assert done.returncode == 2
    assert f"looks like a secret, and would be handed in: {what}" in done.stderr
    assert bundles(repository) == []
    assert harness(repository, *NOW, "--allow-secrets").returncode == 0


@pytest.mark.parametrize("how", ["changed", "staged", "untracked", "deleted"])
def test_a_dirty_tree_is_refused_unless_told(repository, how):
    app = repository / "service" / "app.py"
    if how == "untracked":
        (repository / "more.py").write_text("x = 1\n")
    elif how == "deleted":
        app.unlink()
    else:
        app.write_text(app.read_text() + "# more\n")
    if how == "staged":
        git(repository, "add", "--all")
    done = harness(repository, *NOW)
    assert done.returncode == 2
    assert "not what was committed" in done.stderr
    assert bundles(repository) == []
    assert harness(repository, *NOW, "--allow-dirty").returncode == 0


def test_the_harness_s_own_files_make_no_tree_dirty_whatever_gitignore_says(repository):
    commit(repository, **{".gitignore": "__pycache__/\n"})
    (repository / ".harness-token").write_text("t")
    assert harness(repository, *NOW).returncode == 0
    done = harness(repository, *NOW)
    assert done.returncode == 0, done.stderr
    assert git(repository, "status", "--porcelain") == "?? .harness-token\n"


def test_a_token_that_git_tracks_stops_everything(repository):
    commit(repository, **{".harness-token": "t"})
    done = harness(repository, *NOW)
    assert done.returncode == 2
    assert "git rm --cached .harness-token" in done.stderr


def test_with_nobody_to_ask_nothing_is_handed_in(repository):
    done = harness(repository, "submit", "--no-check")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert not (repository.parent / "handed-in").exists()


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2), ("\n", 2)])
def test_on_a_terminal_it_asks(repository, answer, code):
    # A real terminal: what is asked there depends on it.
    parent, child = os.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "harness", "submit", "--no-check"], cwd=repository, stdin=child,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )  # fmt: skip
    os.write(parent, answer.encode())
    _, said = running.communicate(timeout=60)
    os.close(parent), os.close(child)
    assert running.returncode == code, said
    assert "Hand this in to ../handed-in?" in said
    assert (repository.parent / "handed-in").exists() == (code == 0)


def test_outside_a_repository_and_without_an_invitation_it_says_where_to_be(tmp_path, repository):
    assert "not in a git repository" in harness(tmp_path, *NOW).stderr
    (repository / "invitation.toml").unlink()
    assert "there is no invitation here" in harness(repository, *NOW).stderr


# Bundles.


def test_two_clean_checkouts_give_the_same_bytes_under_another_umask_time_zone_and_time(rendered, tmp_path):
    made = []
    for name, umask, env in (("one", 0o022, {"TZ": "UTC"}), ("two", 0o077, {"TZ": "Pacific/Apia", "LC_ALL": "C"})):
        before = os.umask(umask)
        try:
            git(tmp_path, "clone", "--quiet", str(rendered), f"{name}/ada")
        finally:
            os.umask(before)
        work = tmp_path / name / "ada"
        if name == "two":
            for path in work.rglob("*"):
                if ".git" not in path.parts and not path.is_symlink():
                    os.utime(path, (10**9, 10**9))
        assert harness(work, *NOW, **env).returncode == 0
        made += bundles(work)
    one, two = made
    modes = [stat.S_IMODE((tmp_path / n / "ada" / "Dockerfile").stat().st_mode) for n in ("one", "two")]
    assert modes == [0o644, 0o600]
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()


def test_a_bundle_holds_what_git_tracks_and_nothing_of_the_harness(repository, tmp_path):
    (repository / ".venv").mkdir()
    (repository / ".venv" / "secret").write_text("x")
    assert harness(repository, *NOW).returncode == 0
    (path,) = bundles(repository)
    manifest = bundle.unpack(path, tmp_path / "out")
    tracked = {n for n in git(repository, "ls-files").splitlines() if not n.startswith(".harness/")}
    assert {entry.path for entry in manifest.files} == tracked
    assert manifest.submission == digest(tmp_path / "out" / "files")


def test_what_is_handed_in_stays_so_where_the_check_after_it_cannot_run(repository):
    done = harness(repository, "submit", "--yes", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert done.returncode == 0, done.stderr
    assert "It is handed in, but the check could not run: no Docker engine" in done.stderr
    assert len(list((repository.parent / "handed-in").glob("*.tar"))) == 1


# To a folder.


def test_a_folder_gets_the_bundle_and_gives_an_acknowledgement_that_claims_no_more_than_it_is(repository):
    done = harness(repository, *NOW)
    assert done.returncode == 0, done.stderr
    (tar,) = (repository.parent / "handed-in").glob("*.tar")
    assert tar.name.startswith("fraud_detection-ada-the-first-lovelace-")
    (kept,) = (repository / "receipts").glob("*.json")
    found = acknowledgement.load(kept)
    assert found.bundle == bundle.sha256(tar)
    assert "not a signed receipt" in done.stdout
    refused = harness(repository, "receipt", "verify", str(kept))
    assert refused.returncode == 2
    assert "nobody signed" in refused.stderr


def test_a_folder_that_has_it_already_is_left_as_it_is(repository):
    def contents():
        folder = repository.parent / "handed-in"
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}

    harness(repository, *NOW)
    before = contents()
    assert harness(repository, *NOW).returncode == 0
    assert contents() == before


def test_a_folder_that_cannot_be_written_leaves_the_bundle_where_it_was_packed(invite):
    repository = invite("folder", "Dockerfile/in")
    done = harness(repository, *NOW)
    assert done.returncode == 2
    (path,) = bundles(repository)
    assert str(path) in done.stderr

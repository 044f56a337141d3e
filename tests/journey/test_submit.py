"""Handing in: what is shown, what is refused, and what a folder and a git remote give back."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest
from candidate import git, harness

from harness import bundle, receipts
from harness.journey import acknowledgement
from harness.receipts import Claim
from harness.submission import digest

NOW = ("submit", "--yes", "--no-check")


def commit(repository, **files):
    for name, content in files.items():
        path = repository / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "--message", "work")


def bundles(repository):
    return sorted((repository / ".harness" / "bundles").glob("*.tar"))


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


@pytest.mark.parametrize("what", ["an environment file", "your invitation's token"])
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


# To a git remote.


@pytest.fixture
def remote(tmp_path):
    """A bare repository whose hook says these lines."""

    def remote(*lines, name="in.git", code=0, hook="post-receive"):
        path = tmp_path / name
        git(tmp_path, "init", "--quiet", "--bare", str(path))
        script = path / "hooks" / hook
        (path / "said").write_text("\n".join(lines) + "\n")
        script.write_text(f"#!/bin/sh\ncat {path}/said\nexit {code}\n")
        script.chmod(0o755)
        return path

    return remote


def receipt_line(repository, tmp_path):
    """A receipt for what is about to be pushed, as one line of JSON."""
    assert harness(repository, *NOW, "--to", str(tmp_path / "elsewhere")).returncode == 0
    (kept,) = (repository / "receipts").glob("*.json")
    found = json.loads(kept.read_text())
    kept.unlink()
    key = receipts.new_key(tmp_path / "key")
    claim = Claim(
        issuer="Acme", invitation="i", candidate="Ada", challenge="fraud_detection", submission=found["submission"],
        bundle=found["bundle"], received_at="2026-01-01T00:00:00Z", attempt=1, attempts=3,
    )  # fmt: skip
    return receipts.sign(claim, key)


def test_a_push_brings_the_receipt_that_the_remote_s_hook_prints(invite, remote, tmp_path):
    repository = invite("git", str(tmp_path / "in.git"))
    receipt = receipt_line(repository, tmp_path)
    path = remote("received, queued", receipt.model_dump_json(), "grading: image")
    done = harness(repository, *NOW)
    assert done.returncode == 0, done.stderr
    assert "received, queued" in done.stderr
    assert "grading: image" in done.stderr
    (kept,) = (repository / "receipts").glob("*.json")
    assert receipts.load(kept) == receipt
    head = git(repository, "rev-parse", "HEAD").strip()
    assert git(path, "rev-parse", f"submissions/{head[:12]}").strip() == head
    # Pushed again, the hook is silent; the receipt that is there stays.
    assert harness(repository, *NOW).returncode == 0
    assert receipts.load(kept) == receipt


def test_a_remote_without_a_hook_gives_an_acknowledgement(invite, tmp_path):
    git(tmp_path, "init", "--quiet", "--bare", "in.git")
    done = harness(invite("git", str(tmp_path / "in.git")), *NOW)
    assert done.returncode == 0, done.stderr
    assert "not a signed receipt" in done.stdout


def test_a_remote_that_refuses_is_quoted(invite, remote, tmp_path):
    remote("late: the deadline was yesterday", code=1, hook="pre-receive")
    done = harness(invite("git", str(tmp_path / "in.git")), *NOW)
    assert done.returncode == 2
    assert "late: the deadline was yesterday" in done.stderr


def test_a_remote_that_is_not_there_is_an_outage_and_nothing_is_lost(invite, tmp_path):
    done = harness(invite("git", str(tmp_path / "nowhere.git")), *NOW)
    assert done.returncode == 3
    assert "Nothing is lost" in done.stderr


def test_a_git_remote_gets_commits_so_changes_that_are_in_none_are_refused(invite, remote, tmp_path):
    remote()
    repository = invite("git", str(tmp_path / "in.git"))
    (repository / "service" / "app.py").write_text("x = 1\n")
    done = harness(repository, *NOW, "--allow-dirty")
    assert done.returncode == 2
    assert "Commit them first" in done.stderr


# Receipts.


def test_a_forged_receipt_and_another_bundle_are_told_apart(repository, tmp_path):
    receipt = receipt_line(repository, tmp_path)
    (packed,) = bundles(repository)
    path = tmp_path / "receipt.json"
    receipts.write(receipt, path)
    key = tmp_path / "company.pub"
    key.write_text(receipt.public_key + "\n")
    verify = ("receipt", "verify", str(path))
    assert harness(tmp_path, *verify, "--key", str(key), "--bundle", str(packed)).returncode == 0
    assert "compare it with what the company publishes" in harness(tmp_path, *verify).stdout
    invited = (
        f'challenge = "x"\ncandidate = "Ada"\npublic_key = "{receipt.public_key}"\n'
        '[deliver]\nkind = "folder"\nto = "x"\n'
    )
    (tmp_path / "invitation.toml").write_text(invited)
    assert "that invitation.toml names" in harness(tmp_path, *verify).stdout
    assert "Acme" in harness(tmp_path, "receipt", "show", str(path)).stdout
    other = receipts.public(receipts.new_key(tmp_path / "other"))
    assert "signed with another key" in harness(tmp_path, *verify, "--key", other).stderr
    commit(repository, service__more="x")
    harness(repository, *NOW)
    (another,) = [p for p in bundles(repository) if p != packed]
    assert "not the bundle that was received" in harness(tmp_path, *verify, "--bundle", str(another)).stderr
    path.write_text(path.read_text().replace('"attempt": 1', '"attempt": 2'))
    assert "forged or was altered" in harness(tmp_path, *verify).stderr

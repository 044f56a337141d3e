"""Handing in by git, and receipts: what a remote's hook says, and what is forged."""

from __future__ import annotations

import json

import pytest
from candidate import NOW, bundles, commit, git, harness

from harness import receipts
from harness.receipts import Claim


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
    assert "does not appear to be a git repository" in done.stderr
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

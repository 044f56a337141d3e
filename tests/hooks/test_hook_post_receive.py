"""Pushes to a real bare repository with the hook: what the person who pushes reads, and what stays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hook_repositories import commit, git

from harness import receipts
from harness.submission import export

ROOT = Path(__file__).resolve().parent.parent.parent


def harness(*arguments):
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


@pytest.fixture
def bare(tmp_path, work, grader):
    """Makes a bare repository with the hook, and installs it again with other options."""
    folder = tmp_path / "ada.git"
    git(tmp_path, "init", "-q", "--bare", str(folder))

    def bare(*options):
        usual = [
            "--challenge",
            "fraud_detection",
            "--runs",
            tmp_path / "runs",
            "--issuer",
            "Acme",
            "--candidate",
            "Ada",
        ]
        command = ["--command", " ".join(grader)]
        answer = harness("hook", "install", folder, *usual, *command, *options)
        assert answer.returncode == 0, answer.stderr
        return folder

    return bare


def push(work, to, ref="HEAD:refs/heads/main", **environment):
    """Push, and give the code and what the remote said, line by line."""
    done = git(work, "push", str(to), ref, check=False, PYTHONPATH=str(ROOT), **environment)
    lines = [line.removeprefix("remote: ").rstrip() for line in done.stderr.splitlines() if line.startswith("remote: ")]
    return done.returncode, [line.removesuffix("\x1b[K").rstrip() for line in lines]


def receipt_in(lines):
    (found,) = [receipts.Receipt.model_validate_json(line) for line in lines if line.startswith("{")]
    return found


def graded(grader):
    log = Path(grader[1]).with_suffix(".log")
    return log.read_text().splitlines() if log.exists() else []


def test_a_push_prints_a_signed_receipt_and_the_grading(work, bare, tmp_path):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    remote = bare()
    code, lines = push(work, remote)
    assert code == 0
    receipt = receipt_in(lines)
    key = receipts.public(receipts.read_key(remote / "harness" / "signing-key"))
    receipts.verify(receipt, key)
    assert receipt.submission == export(work, tmp_path / "out").digest
    assert (receipt.candidate, receipt.issuer, receipt.attempt, receipt.attempts) == ("Ada", "Acme", 1, 20)
    text = "\n".join(lines)
    assert text.index("received by Acme") < text.index("image       building") < text.index("72.5 of 80 points")
    assert (tmp_path / "runs" / "run-of-ada").is_dir()
    assert (remote / "harness" / "bundles" / f"{receipt.submission}.tar").is_file()


def test_the_same_commit_pushed_again_gives_the_same_receipt_and_no_second_grading(work, bare, grader):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    remote = bare()
    first, second = push(work, remote)[1], push(work, remote, "HEAD:refs/heads/again")[1]
    assert receipt_in(first) == receipt_in(second)
    assert "harness: this submission was graded before" in second
    assert "72.5 of 80 points" in "\n".join(second)
    assert len(graded(grader)) == 1


def test_another_commit_of_the_same_files_is_the_same_submission(work, bare, grader):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    remote = bare()
    first = push(work, remote)[1]
    commit(work, {}, "nothing changed")
    assert receipt_in(push(work, remote)[1]) == receipt_in(first)
    assert len(graded(grader)) == 1


def test_several_branches_in_one_push_are_graded_once_each(work, bare, grader):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    git(work, "branch", "other")
    commit(work, {"app.py": "print(1)\n"})
    git(work, "tag", "v1")
    code, lines = push(work, bare(), "refs/*:refs/*")
    assert code == 0
    assert sorted(json.loads(line)["attempt"] for line in lines if line.startswith("{")) == [1, 2]
    assert "harness: refs/tags/v1 is no branch: nothing to grade" in lines
    assert len(graded(grader)) == 2


def test_a_grading_that_fails_never_refuses_the_push(work, bare, grader):
    commit(work, {"app.py": "print(1)\n"})
    remote = bare()
    code, lines = push(work, remote)
    assert code == 0
    assert git(remote, "rev-parse", "main").stdout == git(work, "rev-parse", "HEAD").stdout
    assert "no engine answers" in "\n".join(lines)
    receipt_in(lines)
    code, lines = push(work, remote, "HEAD:refs/heads/again")
    assert code == 0
    assert len(graded(grader)) == 2, "it was not graded, so it is tried again"


@pytest.mark.parametrize("command", ["/nonexistent/grader", "false"])
def test_a_grader_that_cannot_run_never_refuses_the_push(work, bare, command):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    code, lines = push(work, bare("--command", command))
    assert code == 0
    receipt_in(lines)
    assert "cannot be run" in "\n".join(lines) or "exit code 1" in "\n".join(lines)


def test_a_harness_that_is_gone_or_settings_that_are_damaged_never_refuse_the_push(work, bare):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    remote = bare()
    (remote / "harness" / "settings.json").write_text("{")
    code, lines = push(work, remote)
    assert code == 0
    assert "the company can grade it by hand" in "\n".join(lines)
    hook = remote / "hooks" / "post-receive"
    hook.write_text(hook.read_text().replace(sys.executable, "/nonexistent/python"))
    code, lines = push(work, remote, "HEAD:refs/heads/again")
    assert code == 0
    assert "the company can grade it by hand" in "\n".join(lines)


def test_a_void_grading_is_said_and_can_be_repeated(work, bare, grader):
    commit(work, {"Dockerfile": "FROM scratch\n# void\n"})
    remote = bare()
    assert "void" in "\n".join(push(work, remote)[1])
    push(work, remote, "HEAD:refs/heads/again")
    assert len(graded(grader)) == 2


def test_a_review_tells_the_candidate_which_stage_is_at_work_and_nothing_more(work, bare, grader):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    text = "\n".join(push(work, bare("--profile", "review"))[1])
    assert "harness: image" in text
    assert "harness: graded; Acme has the report" in text
    assert "hidden reason" not in text
    assert "72.5" not in text
    assert "--profile review" in graded(grader)[0]


def test_a_late_push_and_one_too_many_are_kept_without_a_receipt(work, bare, grader):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    remote = bare("--attempts", "1")
    receipt_in(push(work, remote)[1])
    commit(work, {"Dockerfile": "FROM scratch\n# better\n"})
    code, lines = push(work, remote)
    assert code == 0
    assert "not received: all 1 attempts are used up" in "\n".join(lines)
    bare("--deadline", "2020-01-01T00:00:00+01:00")
    commit(work, {"Dockerfile": "FROM scratch\n# best\n"})
    code, lines = push(work, remote)
    assert code == 0
    assert "the deadline was 2019-12-31T23:00:00+00:00" in "\n".join(lines)
    assert not [line for line in lines if line.startswith("{")]
    assert len(graded(grader)) == 1


def test_a_deleted_branch_is_said_to_be_nothing(work, bare):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    remote = bare()
    push(work, remote, "HEAD:refs/heads/try")
    assert push(work, remote, ":refs/heads/try") == (0, ["harness: try was deleted: nothing to grade"])


def test_a_receipt_can_be_fetched_later_and_by_nobody_pushed(work, bare):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    remote = bare()
    receipt = receipt_in(push(work, remote)[1])
    git(work, "fetch", "-q", str(remote), f"refs/harness/{receipt.submission[:12]}")
    assert receipts.Receipt.model_validate_json(git(work, "cat-file", "blob", "FETCH_HEAD").stdout) == receipt
    code, _ = push(work, remote, "HEAD:refs/harness/000000000000")
    assert code != 0


def test_installing_again_keeps_the_key_and_the_receipts(work, bare):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    first = receipt_in(push(work, bare())[1])
    assert receipt_in(push(work, bare("--issuer", "Other"), "HEAD:refs/heads/again")[1]) == first


def test_wrong_usage_says_what_to_do(tmp_path, work):
    options = ["--challenge", "fraud_detection", "--runs", tmp_path / "runs"]
    answer = harness("hook", "install", work, *options)
    assert answer.returncode == 2
    bare = tmp_path / "bare.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    answer = harness("hook", "install", work / ".git", *options)
    assert (answer.returncode, "is not a bare repository" in answer.stderr) == (2, True)
    for wrong in (["--challenge", "astrology"], ["--deadline", "tomorrow"], ["--deadline", "2026-01-01T00:00:00"]):
        answer = harness("hook", "install", bare, *options, *wrong)
        assert answer.returncode == 2
        assert "Traceback" not in answer.stderr
    (bare / "hooks").mkdir(exist_ok=True)
    (bare / "hooks" / "post-receive").write_text("#!/bin/sh\n")
    answer = harness("hook", "install", bare, *options)
    assert (answer.returncode, "not from here" in answer.stderr) == (2, True)


def test_a_push_that_is_cut_off_is_still_graded(work, bare, grader, tmp_path):
    commit(work, {"Dockerfile": "FROM scratch\n"})
    remote = bare()
    update = f"{'0' * 40} {git(work, 'rev-parse', 'HEAD').stdout.strip()} refs/heads/main\n"
    git(work, "push", "-q", str(remote), "HEAD:refs/tags/only-the-objects", PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "harness", "hook", "receive", str(remote)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as hook:
        # Whoever listened is gone before the hook says its first word.
        hook.stderr.close()
        hook.stdin.write(update.encode())
        hook.stdin.close()
        assert hook.wait(60) == 0
    assert len(graded(grader)) == 1
    assert (tmp_path / "runs" / "run-of-ada").is_dir()


def test_harness_submit_gets_a_receipt_for_the_very_bundle_that_it_packed(bare, tmp_path):
    made, to = tmp_path / "made", bare()
    told = ("--candidate", "Ada", "--deliver-to", to, "--templates", tmp_path / "templates")
    assert harness("new", "fraud_detection", made, *told).returncode == 0
    done = harness("submit", "--yes", "--no-check", made)
    assert done.returncode == 0, done.stderr
    assert "of 80 points with the public inputs" in done.stderr
    (kept,), (packed,) = (made / "receipts").glob("*.json"), (made / ".harness" / "bundles").glob("*.tar")
    verified = harness("receipt", "verify", kept, "--bundle", packed)
    assert verified.returncode == 0, verified.stderr
    assert receipts.load(kept).issuer == "Acme"

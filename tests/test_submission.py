"""A folder becomes a clean export, whatever it holds."""

from __future__ import annotations

import os
import subprocess

import pytest

from harness.errors import UsageError
from harness.submission import digest, export


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *identity, "-C", folder, *arguments], check=True, capture_output=True).stdout


@pytest.fixture
def repository(tmp_path):
    source = tmp_path / "candidate"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\n")
    (source / "app.py").write_text("print(1)\n")
    (source / ".gitignore").write_text("model.pkl\n")
    (source / "model.pkl").write_text("ignored")
    git(source, "init", "-q")
    git(source, "add", ".")
    return source


def test_only_tracked_files_are_exported(repository, tmp_path):
    exported = export(repository, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").rglob("*")) == [".gitignore", "Dockerfile", "app.py"]
    assert exported.name == "candidate"


def test_a_folder_outside_git_is_taken_whole(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "Dockerfile").write_text("FROM scratch\n")
    assert export(tmp_path / "plain", tmp_path / "out").files.joinpath("Dockerfile").is_file()


def test_the_digest_depends_on_contents_and_modes_only(repository, tmp_path):
    first = export(repository, tmp_path / "one").digest
    os.utime(repository / "app.py", (1, 1))
    assert export(repository, tmp_path / "two").digest == first
    (repository / "app.py").chmod(0o755)
    assert export(repository, tmp_path / "three").digest != first


def test_a_link_out_of_the_submission_is_left_out_and_named(repository, tmp_path):
    (repository / "secret").symlink_to("/etc/passwd")
    (repository / "away").symlink_to("..")
    (repository / "whole").symlink_to(".")
    # By their names alone these two stay inside.
    (repository / "winding").symlink_to("whole/whole/../..")
    (repository / "by_name").symlink_to("../candidate/app.py")
    (repository / "absolute").symlink_to(repository / "app.py")
    (repository / "inside").symlink_to("app.py")
    git(repository, "add", ".")
    exported = export(repository, tmp_path / "out")
    assert len(exported.left_out) == 5
    assert all("links outside the submission" in reason for reason in exported.left_out)
    assert (tmp_path / "out" / "inside").is_symlink()
    assert not os.path.lexists(tmp_path / "out" / "secret")


def test_a_folder_swapped_for_a_link_leaks_nothing(repository, tmp_path):
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "data").write_text("the host's")
    (repository / "sub").mkdir()
    (repository / "sub" / "data").write_text("tracked")
    git(repository, "add", ".")
    (repository / "sub" / "data").unlink()
    (repository / "sub").rmdir()
    (repository / "sub").symlink_to(tmp_path / "host")
    exported = export(repository, tmp_path / "out")
    assert any("stands behind a link" in reason for reason in exported.left_out)
    assert not (tmp_path / "out" / "sub" / "data").exists()


def test_a_hostile_git_configuration_runs_nothing(repository, tmp_path):
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(trap))
    git(repository, "config", "core.hooksPath", str(tmp_path))
    export(repository, tmp_path / "out")
    assert not (tmp_path / "sprung").exists()


def test_a_repository_that_lacks_objects_fetches_them_with_no_program_of_its_own(repository, tmp_path):
    (repository / "service").mkdir()
    (repository / "service" / "app.py").write_text("print(2)\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "all")
    git(repository, "sparse-checkout", "set", "--sparse-index", "nothing")
    tree = git(repository, "rev-parse", "HEAD:service").decode().strip()
    (repository / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(repository, "config", "remote.away.url", "ssh://example.invalid/x")
    git(repository, "config", "remote.away.promisor", "true")
    git(repository, "config", "core.sshCommand", str(trap))
    export(repository, tmp_path / "out")
    assert not (tmp_path / "sprung").exists()


def test_a_folder_in_a_repository_that_tracks_nothing_of_it_is_taken_whole(repository, tmp_path):
    (repository / ".gitignore").write_text("intake/\n")
    (repository / "intake" / "unpacked").mkdir(parents=True)
    (repository / "intake" / "unpacked" / "Dockerfile").write_text("FROM scratch\n")
    exported = export(repository / "intake" / "unpacked", tmp_path / "out")
    assert [path.name for path in exported.files.iterdir()] == ["Dockerfile"]


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_path_that_is_no_folder_says_so(tmp_path, name):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"does not exist|is not a folder"):
        export(tmp_path / name, tmp_path / "out")


def test_an_empty_folder_and_an_oversized_one_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no files"):
        export(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "blob").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(UsageError, match="more than 1 MB"):
        export(tmp_path / "big", tmp_path / "out", cap_mb=1)


def test_a_pipe_is_left_out_and_does_not_hang(tmp_path):
    (tmp_path / "p").mkdir()
    os.mkfifo(tmp_path / "p" / "pipe")
    (tmp_path / "p" / "file").write_text("x")
    assert "not a regular file" in export(tmp_path / "p", tmp_path / "out").left_out[0]
    assert digest(tmp_path / "out")

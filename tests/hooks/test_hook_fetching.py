"""One commit from a real git server: what arrives, what does not, and what is never run."""

from __future__ import annotations

import base64
import os
import socket

import pytest
from hook_repositories import GITHUB, commit, git
from hook_servers import git_over_http, serving

from harness.errors import UsageError
from harness.hooks import fetching, tree
from harness.hooks.git import size
from harness.submission import export


@pytest.fixture
def url(served):
    return f"{served}/{GITHUB}.git"


@pytest.fixture
def push(work, origin):
    """Commits files and pushes them to where they are served."""

    def push(files):
        sha = commit(work, files)
        git(work, "push", "-q", str(origin / f"{GITHUB}.git"), "HEAD:master")
        return sha

    return push


def fetch(url, sha, destination, **options):
    return fetching.fetch(url, sha, destination, protocols=("http",), **options)


def test_a_commit_arrives_with_the_digest_of_its_working_tree(url, push, work, tmp_path):
    sha = push({"run.sh": "#!/bin/sh\n", "deep/er/größe.txt": "x\n"})
    (work / "latest").symlink_to("app.py")
    (work / "run.sh").chmod(0o755)
    sha = push({})
    found = fetch(url, sha, tmp_path / "ada")
    assert found.name == "ada"
    assert found.digest == export(work, tmp_path / "expected").digest
    assert os.access(tmp_path / "ada" / "run.sh", os.X_OK)
    assert (tmp_path / "ada" / "latest").is_symlink()
    assert not (tmp_path / "ada" / ".git").exists()


def test_an_older_commit_is_fetched_by_its_sha_alone(url, push, head, tmp_path):
    push({"app.py": "print(2)\n"})
    fetch(url, head, tmp_path / "old")
    assert (tmp_path / "old" / "app.py").read_text() == "print(1)\n"


def test_filters_and_submodules_that_a_commit_names_are_not_obeyed(url, push, work, head, tmp_path):
    sprung = tmp_path / "sprung"
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    files = {
        ".gitattributes": "*.py filter=trap export-subst\nsecret export-ignore\n",
        ".gitmodules": f'[submodule "module"]\n\tpath = module\n\turl = ext::touch {sprung}\n',
        "app.py": "$Format:%H$\n",
        "secret": "kept\n",
    }
    for name, content in files.items():
        (work / name).write_text(content)
    git(work, "add", *files)
    git(work, "commit", "-qm", "traps")
    git(work, "push", "-q", str(tmp_path / "served" / f"{GITHUB}.git"), "HEAD:master")
    fetch(url, git(work, "rev-parse", "HEAD").stdout.strip(), tmp_path / "out")
    assert (tmp_path / "out" / "app.py").read_text() == "$Format:%H$\n"
    assert (tmp_path / "out" / "secret").exists()
    assert not (tmp_path / "out" / "module").exists()
    assert not sprung.exists()


def test_a_link_out_of_the_commit_is_left_out_and_named(url, push, work, tmp_path):
    (work / "away").symlink_to("/etc/passwd")
    found = fetch(url, push({}), tmp_path / "out")
    assert "away: links outside the submission" in found.left_out[0]
    assert not os.path.lexists(tmp_path / "out" / "away")


def crafted(work, *entries):
    """A commit whose tree holds entries that git itself would not make."""
    (work / ".git" / "blob").write_text("content\n")
    blob = git(work, "hash-object", "-w", str(work / ".git" / "blob")).stdout.strip()
    rows = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(content or blob) for mode, name, content in entries)
    (work / ".git" / "tree").write_bytes(rows)
    made = git(work, "hash-object", "-w", "-t", "tree", "--literally", str(work / ".git" / "tree")).stdout.strip()
    return git(work, "commit-tree", made, "-m", "crafted").stdout.strip(), made


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", "a/../../b"])
def test_a_path_that_leads_out_is_refused(work, tmp_path, name):
    sha, _ = crafted(work, ("100644", name, None))
    with pytest.raises(UsageError, match="no file may have"):
        tree.export(work / ".git", sha, tmp_path / "out")
    assert not (tmp_path / "b").exists()


def test_nothing_is_written_through_a_link_of_the_same_name(work, tmp_path):
    (tmp_path / "host").mkdir()
    (work / "to").write_text(str(tmp_path / "host"))
    link = git(work, "hash-object", "-w", "to").stdout.strip()
    _, inner = crafted(work, ("100644", "data", None))
    sha, _ = crafted(work, ("120000", "sub", link), ("40000", "sub", inner))
    with pytest.raises(UsageError, match="a path that no file may have: sub/data"):
        tree.export(work / ".git", sha, tmp_path / "out")
    assert not (tmp_path / "host" / "data").exists()


def test_a_tree_of_a_billion_files_is_refused_at_the_cap(work, tmp_path):
    made = None
    for _ in range(9):
        rows = [("40000" if made else "100644", str(at), made) for at in range(10)]
        sha, made = crafted(work, *rows)
    with pytest.raises(UsageError, match=r"more than \d+ files"):
        tree.export(work / ".git", sha, tmp_path / "out")


@pytest.mark.parametrize("sha", ["HEAD", "master", "6113728", "--upload-pack=x", "A" * 40])
def test_only_a_whole_sha_names_a_commit(url, tmp_path, sha):
    with pytest.raises(UsageError, match="no commit's SHA"):
        fetch(url, sha, tmp_path / "out")


@pytest.mark.parametrize("address", ["file:///etc", "ext::sh -c x", "/srv/x.git", "git@host:x.git", "--upload-pack=x"])
def test_only_the_listed_protocols_are_spoken(address, head, tmp_path):
    with pytest.raises(UsageError, match="may not be fetched"):
        fetching.fetch(address, head, tmp_path / "out")


def test_a_commit_that_is_not_there_says_so(url, tmp_path):
    with pytest.raises(UsageError, match="git cannot fetch it"):
        fetch(url, "1" * 40, tmp_path / "out")
    with pytest.raises(UsageError, match="git cannot fetch it"):
        fetch(f"{url}/nowhere", "1" * 40, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_server_that_is_not_there_says_so(head, tmp_path):
    with pytest.raises(UsageError, match="git cannot fetch it"):
        fetch("http://127.0.0.1:9/x.git", head, tmp_path / "out")


def test_a_commit_larger_than_the_cap_is_ended_while_it_is_fetched(url, push, work, tmp_path):
    (work / "blob").write_bytes(os.urandom(3 * 2**20))
    sha = push({})
    with pytest.raises(UsageError, match="more than 1 MB to fetch"):
        fetch(url, sha, tmp_path / "out", cap_mb=1)


def test_a_small_pack_of_a_large_file_is_refused_before_it_is_written(url, push, work, tmp_path):
    (work / "zeros").write_bytes(bytes(8 * 2**20))
    sha = push({})
    with pytest.raises(UsageError, match="more than 1 MB of files"):
        fetch(url, sha, tmp_path / "out", cap_mb=1)
    assert size(tmp_path / "out") == 0


def test_a_server_that_never_answers_is_given_up(tmp_path, origin, head):
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(UsageError, match="did not fetch it within"):
        fetch(f"http://127.0.0.1:{mute.getsockname()[1]}/x.git", head, tmp_path / "out", seconds=0.5)


def test_a_private_repository_is_read_with_the_token(origin, head, tmp_path):
    header = "Basic " + base64.b64encode(b"x-access-token:t0ken").decode()
    with serving(git_over_http(origin, header)) as address:
        url = f"{address}/{GITHUB}.git"
        for at, token in enumerate(("t0ken", "x-access-token:t0ken")):
            fetch(url, head, tmp_path / f"out-{at}", token=token)
        with pytest.raises(UsageError, match="git cannot fetch it"):
            fetch(url, head, tmp_path / "other")

"""Bundles: the same tree gives the same bytes, and nothing that was altered is unpacked as it if were not."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tarfile

import pytest

from harness import bundle
from harness.errors import InfrastructureError, UsageError
from harness.submission import digest, export


@pytest.fixture
def tree(tmp_path):
    """Makes a folder of a submission."""

    def make(name="work"):
        root = tmp_path / name
        (root / "service").mkdir(parents=True)
        (root / "Dockerfile").write_text("FROM scratch\n")
        (root / "service" / "größe.py").write_text("size = 1\n")
        (root / "run.sh").write_text("#!/bin/sh\n")
        (root / "run.sh").chmod(0o755)
        (root / "latest").symlink_to("service/../service/größe.py")
        (root / "code").symlink_to("service/")
        return root

    return make


def pack(root, target):
    return bundle.pack(export(root, target.with_suffix(".export")), "fraud_detection", target)


def test_the_same_tree_gives_the_same_bytes_whatever_umask_owner_and_times_say(tree, tmp_path):
    one, other = tree("one"), tree("other")
    for path in other.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
            os.utime(path, (1, 1))
    pack(one, tmp_path / "one.tar")
    pack(other, tmp_path / "other.tar")
    assert bundle.sha256(tmp_path / "one.tar") == bundle.sha256(tmp_path / "other.tar")


def test_what_is_unpacked_is_what_was_packed(tree, tmp_path):
    root = tree()
    manifest = pack(root, tmp_path / "b.tar")
    assert bundle.unpack(tmp_path / "b.tar", tmp_path / "out") == manifest
    assert digest(tmp_path / "out" / "files") == digest(root) == manifest.submission
    assert export(tmp_path / "out" / "files", tmp_path / "graded").digest == manifest.submission
    assert (tmp_path / "out" / "files" / "latest").read_text() == "size = 1\n"
    assert os.access(tmp_path / "out" / "files" / "run.sh", os.X_OK)


def test_a_bundle_is_opened_as_the_folder_that_it_holds_and_a_folder_as_itself(tree, tmp_path):
    root = tree()
    manifest = pack(root, tmp_path / "ada.tar")
    with bundle.opened(tmp_path / "ada.tar") as folder:
        assert (folder.name, digest(folder)) == ("ada", manifest.submission)
    assert not folder.exists()
    with bundle.opened(root) as folder:
        assert folder == root


def rewrite(path, change):
    """A bundle with its members changed: `change` takes and gives lists of (member, content)."""
    with tarfile.open(path) as archive:
        members = [(m, archive.extractfile(m).read() if m.isreg() else b"") for m in archive]
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for member, content in change(members):
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))


def more(name, content=b"x", **fields):
    member = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(member, key, value)
    return member, content


CHANGES = {
    "a changed file": lambda ms: [(m, c.replace(b"scratch", b"sratchc")) for m, c in ms],
    "a longer file": lambda ms: [(m, c + b"x" if m.name.endswith("Dockerfile") else c) for m, c in ms],
    "a file less": lambda ms: [(m, c) for m, c in ms if not m.name.endswith("Dockerfile")],
    "a file more": lambda ms: [*ms, more("files/extra")],
    "a file twice": lambda ms: [*ms, ms[-1]],
    "a way out": lambda ms: [*ms, more("files/../../out")],
    "an absolute path": lambda ms: [*ms, more("/tmp/out")],  # noqa: S108
    "a link out": lambda ms: [*ms, more("files/link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "a device": lambda ms: [*ms, more("files/null", b"", type=tarfile.CHRTYPE)],
    "no manifest": lambda ms: ms[1:],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_was_altered_is_refused(tree, tmp_path, change):
    path = tmp_path / "b.tar"
    pack(tree(), path)
    rewrite(path, change)
    with pytest.raises(UsageError, match=r"was altered|is no bundle|cannot be unpacked"):
        bundle.unpack(path, tmp_path / "out")
    assert not (tmp_path / "extra").exists()


def forge(path, files):
    """A bundle that is sound by its own manifest, of (path, content or link's target) pairs."""
    entries, members = [], []
    for name, content, kind in files:
        data = content.encode()
        sha = hashlib.sha256(data).hexdigest()
        entries.append({"path": name, "mode": kind, "size": len(data), "sha256": sha})
        fields = {"type": tarfile.SYMTYPE, "linkname": content} if kind == "link" else {}
        members.append(more(f"files/{name}", b"" if kind == "link" else data, **fields))
    manifest = {"format": bundle.FORMAT, "challenge": "fraud_detection", "submission": "0" * 64, "files": entries}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for member, data in [more("manifest.json", json.dumps(manifest).encode()), *members]:
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))


FORGED = {
    "a repository of its own": [(".git/config", "[core]", "file")],
    "a repository, spelt otherwise": [("service/.GIT/config", "[core]", "file")],
    "a harness of its own": [(".harness/run", "#!/bin/sh", "exec")],
    "a file beside the others": [("../stdout", "x", "file")],
    "an absolute path": [("/tmp/out", "x", "file")],  # noqa: S108
    "no name": [("a//b", "x", "file")],
    "a NUL": [("a\0b", "x", "file")],
    "a file through a link": [("a", ".", "link"), ("a/b", "x", "file")],
    "a link out": [("a", "../b", "link")],
    "an absolute link": [("a", "/etc/passwd", "link")],
    "a winding way out": [("a", "z/z/../..", "link"), ("z", ".", "link")],
}


@pytest.mark.parametrize("files", FORGED.values(), ids=FORGED.keys())
def test_what_no_submission_may_hold_is_refused_however_well_it_is_wrapped(tmp_path, files):
    path = tmp_path / "b.tar"
    forge(path, files)
    with pytest.raises(UsageError, match=r"a path that no file may have|links outside the submission"):
        bundle.unpack(path, tmp_path / "out")
    assert sorted(found.name for found in tmp_path.iterdir() if found.name != "out") == ["b.tar"]


def test_a_full_disk_is_not_the_bundles_fault(tree, tmp_path, monkeypatch):
    path = tmp_path / "b.tar"
    pack(tree(), path)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tarfile.TarFile, "extract", full)
    with pytest.raises(InfrastructureError, match="No space left on device"):
        bundle.unpack(path, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\0" * 10240], ids=["empty", "text", "zeros"])
def test_what_is_no_bundle_says_so(tmp_path, content):
    path = tmp_path / "b.tar"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is no bundle"):
        bundle.unpack(path, tmp_path / "out")


def test_a_bundle_that_is_cut_off_is_refused(tree, tmp_path):
    path = tmp_path / "b.tar"
    pack(tree(), path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UsageError):
        bundle.unpack(path, tmp_path / "out")


def test_more_than_the_cap_is_refused_before_it_is_unpacked(tree, tmp_path):
    root = tree()
    (root / "big").write_bytes(b"0" * 2**21)
    pack(root, tmp_path / "b.tar")
    with pytest.raises(UsageError, match="more than 1 MB"):
        bundle.unpack(tmp_path / "b.tar", tmp_path / "out", cap_mb=1)
    assert not (tmp_path / "out").exists()

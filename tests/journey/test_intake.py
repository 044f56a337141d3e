"""Handing in over HTTPS: tried again when a line drops, one receipt for one submission, honest when offline."""

from __future__ import annotations

import socket

import pytest
from candidate import git, harness
from intake_app import TOKEN, Intake, Line, serving

from harness import receipts
from harness.bundle import sha256

NOW = ("submit", "--yes", "--no-check")


@pytest.fixture
def intake(tmp_path):
    (tmp_path / "intake").mkdir()
    return Intake(tmp_path / "intake")


@pytest.fixture
def address(intake):
    with serving(intake) as address:
        yield address


@pytest.fixture
def line(address):
    """Makes a line to the intake that drops its first connections."""
    made = []

    def line(*cuts):
        made.append(Line(int(address.rpartition(":")[2]), list(cuts)))
        return made[-1]

    yield line
    for one in made:
        one.close()


def receipt_of(repository):
    (path,) = (repository / "receipts").glob("*.json")
    return receipts.load(path), path


def test_a_submission_becomes_a_receipt_that_both_sides_can_verify(intake, address, invite):
    repository = invite("https", address, receipts.public(intake.key))
    done = harness(repository, *NOW, HARNESS_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    receipt, path = receipt_of(repository)
    assert receipt == intake.held[receipt.submission]
    assert f"attempt       1 of {intake.attempts}" in done.stdout
    (bundle,) = (repository / ".harness" / "bundles").glob("*.tar")
    verified = harness(
        repository, "receipt", "verify", str(path), "--key", receipts.public(intake.key), "--bundle", str(bundle)
    )
    assert verified.returncode == 0, verified.stderr
    assert "signed with the key that you gave" in verified.stdout
    assert git(repository, "status", "--porcelain") == ""


def test_the_token_may_lie_in_a_file_that_git_ignores_and_is_never_handed_in(intake, address, invite):
    repository = invite("https", address)
    (repository / ".harness-token").write_text(f"{TOKEN}\n")
    done = harness(repository, *NOW)
    assert done.returncode == 0, done.stderr
    (arrived,) = intake.folder.glob("*.tar")
    assert TOKEN.encode() not in arrived.read_bytes()


@pytest.mark.parametrize(
    "cuts", [(2000,), (100_000,), (None,), (50_000, None, 0)], ids=["early", "half-way", "answer lost", "thrice"]
)
def test_a_dropped_connection_is_tried_again_and_counts_as_one_attempt(intake, line, invite, cuts):
    dropping = line(*cuts)
    repository = invite("https", dropping.address)
    done = harness(repository, *NOW, HARNESS_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert dropping.connections == len(cuts) + 1
    assert "trying again" in done.stderr
    receipt, _ = receipt_of(repository)
    assert receipt.attempt == 1
    assert len(intake.held) == 1


def test_handing_in_twice_gives_the_same_receipt(intake, address, invite):
    repository = invite("https", address)
    assert harness(repository, *NOW, HARNESS_TOKEN=TOKEN).returncode == 0
    first, _ = receipt_of(repository)
    assert harness(repository, *NOW, HARNESS_TOKEN=TOKEN).returncode == 0
    assert receipt_of(repository)[0] == first
    assert intake.asked == 2


def test_an_intake_that_is_busy_is_waited_for_as_long_as_it_asks(intake, address, invite):
    intake.busy = 2
    repository = invite("https", address)
    done = harness(repository, *NOW, HARNESS_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert intake.asked == 3


def test_offline_the_bundle_is_kept_and_can_be_delivered_later(intake, invite, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    repository = invite("https", f"http://127.0.0.1:{port}")
    done = harness(repository, *NOW, HARNESS_TOKEN=TOKEN)
    assert done.returncode == 3
    (bundle,) = (repository / ".harness" / "bundles").glob("*.tar")
    shown = bundle.relative_to(repository)
    assert f"kept at {shown}" in done.stderr
    assert f'make submit ARGS="--bundle {shown}"' in done.stderr
    assert not list((repository / "receipts").glob("*.json"))
    # Later, with other work in the tree: what was packed is what is delivered.
    (repository / "service" / "app.py").write_text("broken")
    with serving(intake) as address:
        again = harness(repository, "submit", "--yes", "--bundle", str(shown), "--to", address, HARNESS_TOKEN=TOKEN)
    assert again.returncode == 0, again.stderr
    receipt, _ = receipt_of(repository)
    assert receipt.bundle == sha256(bundle)


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (400, "digest mismatch"), (403, "the deadline was yesterday, and you had no extra time"),
        (409, "3 of 3 attempts are used up"),
    ],
)  # fmt: skip
def test_a_refusal_is_passed_on_word_for_word_and_not_tried_again(intake, address, invite, status, detail):
    intake.refusal = (status, {"detail": detail, "next": "Write to hiring@example.com."})
    repository = invite("https", address)
    done = harness(repository, *NOW, HARNESS_TOKEN=TOKEN)
    assert done.returncode == 2
    assert detail in done.stderr
    assert "hiring@example.com" in done.stderr
    assert intake.asked == 1


def test_a_wrong_token_is_refused_even_where_the_intake_hangs_up_in_the_middle(intake, address, invite):
    repository = invite("https", address)
    (repository / "service" / "large.bin").write_bytes(b"0123456789abcdef" * 2**19)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "large")
    done = harness(repository, *NOW, HARNESS_TOKEN="another")  # noqa: S106  # of nobody
    assert done.returncode == 2
    assert "no such invitation" in done.stderr


def test_without_a_token_nothing_is_sent_and_the_place_for_it_is_named(intake, address, invite):
    done = harness(invite("https", address), *NOW)
    assert done.returncode == 2
    assert ".harness-token" in done.stderr
    assert intake.asked == 0


def test_a_token_is_never_sent_unencrypted_to_another_machine(invite):
    done = harness(invite("https", "http://intake.example.com"), *NOW, HARNESS_TOKEN=TOKEN)
    assert done.returncode == 2
    assert "not encrypted" in done.stderr


def test_a_receipt_of_another_key_than_the_invitation_s_is_not_taken_for_the_company_s(intake, address, invite):
    other = receipts.public(Intake(intake.folder).key)
    repository = invite("https", address, other)
    done = harness(repository, *NOW, HARNESS_TOKEN=TOKEN)
    assert done.returncode == 2
    assert "signed with another key" in done.stderr
    assert [path.name[12:] for path in repository.joinpath("receipts").glob("*.json")] == [".unverified.json"]

"""Open code, secret seeds."""

from __future__ import annotations

import hashlib
import stat

import pytest

from harness import seeds
from harness.errors import UsageError


def test_the_commitment_checks_a_revealed_seed():
    seed = seeds.of_review(b"k" * 32, "fraud", "1.0", "autumn")
    assert hashlib.sha256(bytes.fromhex(seed.hex)).hexdigest() == seed.commitment
    assert seed.hex not in seed.commitment


@pytest.mark.parametrize("other", [(b"x" * 32, "c", "1", "a"), (b"k" * 32, "d", "1", "a"), (b"k" * 32, "c", "2", "a")])
def test_another_key_challenge_or_version_gives_other_inputs(other):
    assert seeds.of_review(b"k" * 32, "c", "1", "a") != seeds.of_review(*other)


def test_purposes_give_independent_seeds_and_the_same_purpose_the_same():
    seed = seeds.published()
    assert seed.child("drift") == seed.child("drift") != seed.child("load")


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_KEY_FILE", str(tmp_path / "new" / "key"))
    first, made = seeds.reviewer_key()
    assert made
    assert seeds.reviewer_key() == (first, False)
    assert stat.S_IMODE((tmp_path / "new" / "key").stat().st_mode) == 0o600


def test_a_short_key_is_refused(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("short")
    monkeypatch.setenv("HARNESS_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(UsageError, match="shorter than 16 bytes"):
        seeds.reviewer_key()

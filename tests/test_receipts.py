"""Receipts: signed over all that they say, and checked without anybody's help."""

from __future__ import annotations

import stat

import pytest

from harness import receipts
from harness.errors import UsageError

CLAIM = receipts.Claim.model_validate(
    {
        "issuer": "Example Ltd",
        "invitation": "inv-1",
        "candidate": "Zoë",
        "challenge": "fraud_detection",
        "submission": "a" * 64,
        "bundle": "b" * 64,
        "received_at": "2026-11-25T14:00:00+00:00",
        "attempt": 1,
        "attempts": 3,
    }
)
CHANGES = {
    "issuer": "Other Ltd",
    "candidate": "Eve",
    "submission": "c" * 64,
    "bundle": "c" * 64,
    "received_at": "2026-11-24T14:00:00+00:00",
    "attempt": 2,
    "attempts": 9,
}


@pytest.fixture
def key(tmp_path):
    return receipts.new_key(tmp_path / "keys" / "signing")


def test_a_receipt_survives_its_file_and_verifies(key, tmp_path):
    receipt = receipts.sign(CLAIM, key)
    receipts.write(receipt, tmp_path / "receipt.json")
    again = receipts.load(tmp_path / "receipt.json")
    assert again == receipt
    receipts.verify(again)
    receipts.verify(again, receipts.public(key))


@pytest.mark.parametrize(("field", "value"), CHANGES.items())
def test_a_receipt_that_says_something_else_is_refused(key, field, value):
    forged = receipts.Receipt.model_validate({**receipts.sign(CLAIM, key).model_dump(), field: value})
    with pytest.raises(UsageError, match="forged or was altered"):
        receipts.verify(forged)


def test_a_receipt_signed_with_another_key_is_refused_where_the_companys_is_known(key, tmp_path):
    forged = receipts.sign(CLAIM, receipts.new_key(tmp_path / "other"))
    receipts.verify(forged)
    with pytest.raises(UsageError, match="another key"):
        receipts.verify(forged, receipts.public(key))


def test_a_signing_key_is_its_owners_alone_and_never_replaced(key, tmp_path):
    path = tmp_path / "keys" / "signing"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert receipts.public(receipts.read_key(path)) == receipts.public(key)
    with pytest.raises(FileExistsError):
        receipts.new_key(path)


@pytest.mark.parametrize("content", ["", "{}", "[]", "\xff"])
def test_a_file_that_is_no_receipt_says_so(tmp_path, content):
    (tmp_path / "receipt.json").write_text(content, "latin-1")
    with pytest.raises(UsageError, match="is no receipt"):
        receipts.load(tmp_path / "receipt.json")


def test_a_file_that_is_no_key_says_so(tmp_path):
    (tmp_path / "key").write_text("hello")
    with pytest.raises(UsageError, match="no signing key"):
        receipts.read_key(tmp_path / "key")
    with pytest.raises(UsageError, match="cannot be read"):
        receipts.read_key(tmp_path / "nothing")

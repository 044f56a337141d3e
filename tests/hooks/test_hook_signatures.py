"""Signatures: the providers' documented examples hold, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from harness.errors import UsageError
from harness.hooks import signatures
from harness.hooks.signatures import Forged

TOKEN = "whsec_" + base64.b64encode(b"k" * 32).decode()


def test_githubs_documented_example_holds():
    # GitHub's documentation, "Validating webhook deliveries": testing the webhook payload validation.
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    signatures.github("It's a Secret to Everybody", {"x-hub-signature-256": signature}, b"Hello, World!")


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha256=" + "0" * 64, "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", "\xff"]
)
def test_what_github_did_not_sign_is_refused(signature):
    with pytest.raises(Forged):
        signatures.github("It's a Secret to Everybody", {"x-hub-signature-256": signature}, b"Hello, World!")


def test_gitlabs_secret_token_is_compared_whole():
    signatures.gitlab("s3cret", {"x-gitlab-token": "s3cret"}, b"{}")
    for wrong in ("", "s3cre", "s3cret ", "S3CRET", "\xff"):
        with pytest.raises(Forged):
            signatures.gitlab("s3cret", {"x-gitlab-token": wrong}, b"{}")


def test_the_standard_webhooks_example_holds():
    # The specification's test vector: standard-webhooks/standard-webhooks.
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    published = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signatures.gitlab(published, headers, b'{"test": 2432232314}', now=1614265330.0)


def signed(body, sent="1000", named="id"):
    digest = hmac.new(b"k" * 32, f"{named}.{sent}.".encode() + body, hashlib.sha256).digest()
    value = f"v1a,x v1,{base64.b64encode(b'other').decode()} v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": named, "webhook-timestamp": sent, "webhook-signature": value}


def test_one_fitting_signature_of_several_is_enough():
    signatures.gitlab(TOKEN, signed(b"{}"), b"{}", now=1000.0)


@pytest.mark.parametrize(
    ("changed", "now", "said"),
    [
        ({"webhook-signature": ""}, 1000.0, "does not fit"),
        ({"webhook-signature": "v1,"}, 1000.0, "does not fit"),
        ({"webhook-id": "other"}, 1000.0, "does not fit"),
        ({"webhook-timestamp": "1001"}, 1000.0, "does not fit"),
        ({}, 1301.0, "five minutes"),
        ({}, 699.0, "five minutes"),
    ],
)
def test_what_gitlab_did_not_sign_now_is_refused(changed, now, said):
    with pytest.raises(Forged, match=said):
        signatures.gitlab(TOKEN, {**signed(b"{}"), **changed}, b"{}", now=now)


def test_a_signing_token_is_never_accepted_as_a_plain_one():
    with pytest.raises(Forged):
        signatures.gitlab(TOKEN, {"x-gitlab-token": TOKEN}, b"{}")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%"])
def test_a_secret_that_anybody_could_sign_with_is_no_secret(secret):
    with pytest.raises(UsageError):
        signatures.checked(secret)

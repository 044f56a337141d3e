"""From an invitation to a grade, each side with its own command line: the company's and the candidate's."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import ssl
import subprocess

import httpx
import pytest
from candidate import git
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from intakes import harness, until

from harness import receipts
from harness.bundle import sha256

NOW = ("submit", "--yes", "--no-check")


@pytest.fixture(scope="session")
def company(new_intake):
    """An intake that runs, and the public key that its invitations show."""
    intake = new_intake("--issuer", "Acme")
    intake.start()
    return intake, httpx.get(f"{intake.address}/v1/key").json()["public_key"]


@pytest.fixture
def candidate(company, tmp_path):
    """Makes an invited candidate: their clone of a new repository, and their token."""
    intake, key = company

    def candidate(*options, intake=intake, key=key):
        created = harness(
            *("invite", "create", "--home", intake.home, "--candidate", "Ada", "--challenge", "fraud_detection"),
            *("--json", *options),
        )
        assert created.returncode == 0, created.stderr
        token = json.loads(created.stdout)["token"]
        made, clone = tmp_path / "made", tmp_path / "ada"
        new = harness(
            *("new", "fraud_detection", made, "--candidate", "Ada", "--issuer", "Acme", "--public-key", key),
            *("--deliver-to", intake.address, "--templates", tmp_path / "templates"),
        )
        assert new.returncode == 0, new.stderr
        git(tmp_path, "clone", "--quiet", str(made), str(clone))
        (clone / ".harness-token").write_text(f"{token}\n")
        (clone / "name").write_text("ada")
        git(clone, "add", "name")
        git(clone, "commit", "--quiet", "--message", "An evening's work")
        return clone, token

    return candidate


def submit(clone, *options, **more):
    return harness(*NOW, *options, clone, stdin=subprocess.DEVNULL, **more)


@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1 that nobody has heard of, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Acme")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(*private))
    return paths


def test_an_invited_candidate_hands_in_and_follows_it_to_a_report(company, candidate):
    (intake, key), (clone, token) = company, candidate()
    done = submit(clone)
    assert done.returncode == 0, done.stderr
    (path,) = (clone / "receipts").glob("*.json")
    receipt = receipts.load(path)
    receipts.verify(receipt, key)
    (bundle,) = (clone / ".harness" / "bundles").glob("*.tar")
    verified = harness("receipt", "verify", path, "--key", key, "--bundle", bundle)
    assert (verified.returncode, receipt.bundle) == (0, sha256(bundle)), verified.stderr
    (page,) = re.findall(r"http://\S+/status/\S+", done.stdout)
    until(lambda: "68.29" in httpx.get(page).text, "the page shows the points")
    report = httpx.get(
        f"{intake.address}/v1/submissions/{receipt.submission}/report", headers={"Authorization": f"Bearer {token}"}
    )
    assert report.json()["points"] == 68.29
    assert "1 graded" in harness("invite", "list", "--home", intake.home).stdout


def test_handing_in_the_same_again_is_the_same_receipt_and_attempt(company, candidate):
    (intake, _), (clone, token) = company, candidate()
    assert submit(clone).returncode == 0
    (path,) = (clone / "receipts").glob("*.json")
    first = path.read_bytes()
    again = submit(clone)
    assert again.returncode == 0
    assert "received before, as attempt 1: the same files are no new attempt" in again.stderr
    assert path.read_bytes() == first
    assert len([line for line in intake.audit(token.partition(".")[0]) if line.event == "received"]) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--deadline", "2020-01-01T00:00:00+00:00"), "the deadline was 2020-01-01"), (("--attempts", "1"), "attempts")],
)
def test_what_is_late_or_one_too_many_is_refused_and_logged(company, candidate, options, said):
    (intake, _), (clone, token) = company, candidate(*options)
    if "--attempts" in options:
        assert submit(clone).returncode == 0
        (clone / "name").write_text("another")
        git(clone, "commit", "--quiet", "--all", "--message", "more")
    done = submit(clone)
    assert done.returncode == 2
    assert said in done.stderr
    assert any(line.event == "refused" and said in line.detail for line in intake.audit(token.partition(".")[0]))


def test_a_wrong_token_is_refused_and_logged(company, candidate):
    (intake, _), (clone, token) = company, candidate()
    (clone / ".harness-token").write_text(f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}\n")
    done = submit(clone)
    assert done.returncode == 2
    assert "the token is not that of an invitation" in done.stderr
    assert any(line.event == "refused" and line.detail.startswith("401") for line in intake.audit())


def test_a_bundle_that_was_altered_on_its_way_is_refused_and_logged(company, candidate):
    (intake, _), (clone, token) = company, candidate()
    assert submit(clone, "--to", str(clone.parent / "kept")).returncode == 0
    (bundle,) = (clone / ".harness" / "bundles").glob("*.tar")
    bundle.write_bytes(bundle.read_bytes().replace(b"scikit-learn", b"scikit-LEARN"))
    done = harness(*NOW, "--bundle", bundle, clone, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "was altered" in done.stderr
    events = intake.audit(token.partition(".")[0])
    assert any(line.event == "refused" and "was altered" in line.detail for line in events)


def test_a_forged_receipt_does_not_hold(company, candidate):
    (_, key), (clone, _) = company, candidate()
    assert submit(clone).returncode == 0
    (path,) = (clone / "receipts").glob("*.json")
    path.write_text(path.read_text().replace('"attempt": 1', '"attempt": 2'))
    done = harness("receipt", "verify", path, "--key", key)
    assert done.returncode == 2
    assert "altered" in done.stderr


def test_over_tls_it_is_handed_in_to_who_is_trusted_and_to_nobody_else(new_intake, candidate, certificate):
    intake = new_intake("--certificate", str(certificate[0]), "--certificate-key", str(certificate[1]))
    intake.client = httpx.Client(verify=ssl.create_default_context(cafile=str(certificate[0])))
    intake.start()
    key = intake.client.get(f"{intake.address}/v1/key").json()["public_key"]
    clone, _ = candidate(intake=intake, key=key)
    stranger = submit(clone)
    assert stranger.returncode == 3
    assert "SSL_CERT_FILE may name its certificate" in stranger.stderr
    trusting = submit(clone, env={"SSL_CERT_FILE": str(certificate[0])})
    assert trusting.returncode == 0, trusting.stderr
    assert len(list((clone / "receipts").glob("*.json"))) == 1

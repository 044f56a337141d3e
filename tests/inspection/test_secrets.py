"""Secrets are found, and what only looks like one is left alone."""

from __future__ import annotations

import base64
import random
import string

import pytest

from harness.inspection.secrets import find, is_dotenv


def noise(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Reproducible random characters: no token stands in this file for a scanner of this repository to find."""
    return "".join(random.Random(length).choices(alphabet, k=length))  # noqa: S311  (nothing here is to be kept secret)


KEY = base64.b64encode(noise(48).encode()).decode()
SECRETS = {
    "an AWS key": ("app.py", f'KEY = "AKIA{noise(16, string.ascii_uppercase + string.digits)}"'),
    "a GitHub token": ("Makefile", f"push:\n\tgit push https://ghp_{noise(36)}@example.org/x"),
    "a fine-grained GitHub token": ("notes.md", f"github_pat_{noise(22)}_{noise(59)}"),
    "a Hugging Face token": ("app.py", f'login("hf_{noise(34)}")'),
    "an Anthropic key": (".env", f"ANTHROPIC_API_KEY=sk-ant-api03-{noise(90)}"),
    "a private key": ("certs/server.pem", f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END RSA PRIVATE KEY-----"),
    "a token in a notebook": ("eda.ipynb", f'{{"source": ["TOKEN = \\"ghp_{noise(36)}\\""]}}'),
    "a value in ENV": ("Dockerfile", f"ENV API_KEY={noise(24)}"),
    "a value in ARG": ("Dockerfile", f"ARG pip_token={noise(20)}"),
    "a password in YAML": ("compose.yaml", f"      DB_PASSWORD: {noise(16)}"),
    "a password in an environment file": (".env.production", f'DATABASE_PASSWORD="{noise(14)}"'),
    "a password in an address": ("app/db.py", f'URL = "postgresql://fraud:{noise(14)}@db.internal:5432/audit"'),
    "a value in code": ("app/settings.py", f'secret_key: str = "{noise(32)}"'),
}
INNOCENT = {
    "a variable": ("app.py", 'token = os.environ["API_TOKEN"]'),
    "a call": ("app.py", "password = settings.database_password_v2()"),
    "an example key": ("README.md", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"),
    "a row of x": ("README.md", f"export HF_TOKEN=hf_{'x' * 34}"),
    "a secret of the workflow": (".github/workflows/ci.yml", "password: ${{ secrets.REGISTRY_PASSWORD }}"),
    "a placeholder": (".env.example", "API_KEY=your-api-key-1234"),
    "a default for development": ("compose.yaml", "POSTGRES_PASSWORD: changeme123"),
    "a stock password": ("compose.yaml", "POSTGRES_PASSWORD: password123"),
    "a path": ("config.yaml", "private_key: /run/secrets/server-key-2.pem"),
    "the name of a secret": ("k8s.yaml", "secretName: fraud-service-tls-2024"),
    "a special token": ("tokenizer.json", '"pad_token": "[PAD-00001]", "unk_token": "<unk_12345>"'),
    "an address filled in at run time": ("app/db.py", 'URL = f"postgresql://{user}:{password2}@{host}:5432/audit"'),
    "an address of a data base beside it": ("compose.yaml", "DATABASE_URL: postgresql://postgres:postgres123@db/audit"),
    "an address with a port": ("README.md", "see http://localhost:8080/docs?mail=someone7@example.org"),
    "a hash": ("requirements.txt", f"fastapi==0.1 --hash=sha256:{'0123456789abcdef' * 4}"),
    "a lock file": ("uv.lock", f'token = "{noise(30)}"'),
    "a fixture of the tests": ("tests/test_auth.py", f'API_KEY = "{noise(30)}"'),
    "a public key": ("key.pem", f"-----BEGIN PUBLIC KEY-----\n{KEY}\n-----END PUBLIC KEY-----"),
    "prose": ("README.md", "The token: 12 characters long, see section4b for the password: it is rotated2daily."),
    "a cache key": (".github/workflows/ci.yml", "cache-key: pip-3.11-requirements9f3"),
}


@pytest.mark.parametrize("case", SECRETS)
def test_a_secret_is_found(case):
    assert list(find(*SECRETS[case]))


@pytest.mark.parametrize("case", INNOCENT)
def test_what_only_looks_like_a_secret_is_none(case):
    assert [str(finding) for finding in find(*INNOCENT[case])] == []


def test_a_finding_names_the_line_and_never_the_value():
    secret = noise(36)
    (finding,) = find("app.py", f"import os\n\nx = 'ghp_{secret}'\n")
    assert finding.line == 3
    assert secret not in str(finding)


def test_examples_of_environment_files_are_no_environment_files():
    assert is_dotenv(".env")
    assert is_dotenv("deploy/.env.production")
    assert not is_dotenv(".env.example")
    assert not is_dotenv("docs/environment.md")

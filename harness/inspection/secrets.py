"""Secrets in text: few patterns, each precise, because a false alarm here costs a candidate dearly.

Our own, because the detectors of `detect-secrets` 1.5 miss the tokens that this trade uses most (Hugging Face,
Anthropic, Google, fine-grained GitHub), take hashes and documentation for secrets, and some of them call out to the
issuer of what they find. Formats of tokens are as their issuers document them.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.inspection.checkout import Checkout

TOKENS = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abprs]-\d{6,}-[A-Za-z0-9-]{10,}",
    "a Stripe key": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "an OpenAI key": r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,200}T3BlbkFJ[A-Za-z0-9_-]{20,}",
    "an Anthropic key": r"\bsk-ant-[a-z0-9]{1,20}-[A-Za-z0-9_-]{40,}",
    "a Google API key": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{34,}\b",
    "a PyPI token": r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a Databricks token": r"\bdapi[0-9a-f]{32}\b",
    "a SendGrid key": r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b",
    "an Azure storage key": r"AccountKey=[A-Za-z0-9+/]{86}==",
    "a private key": r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----\s*\\?n?\s*[A-Za-z0-9+/=:]",
}
"""What is found, and how its issuer writes it."""
KEY = (
    r"(?:password|passwd|passphrase|secret|(?:auth|access|api|bearer)[_-]?token|token|(?:api|access|private|secret)"
    r"[_-]?key|credentials?)"
)
ASSIGNMENT = re.compile(
    rf"""(?P<name>(?<![A-Za-z0-9])(?:[A-Za-z0-9]{{1,30}}[_.-]){{0,6}}{KEY}(?:[_-](?:id|key|value))?)["']?\s*(?::\s*\w{{1,20}}\s*=|=|:)\s*"""
    r"""(?P<quote>["']?)(?P<value>[^\s"'#,;]{8,200})(?P=quote)""",
    re.IGNORECASE,
)
NAME = re.compile(KEY, re.IGNORECASE)
ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+]{1,20}://(?P<user>[^\s/:@'\"]{1,80}):(?P<value>[^\s/:@'\"]{8,200})@[A-Za-z0-9]", re.IGNORECASE
)
"""An address with a user and a password before its host."""
PLACEHOLDER = re.compile(
    r"example|change.?me|placeholder|dummy|fake|test|sample|your|xxx|todo|redacted|insert|replace|default|local|dev"
    r"|none|null|true|false|\.\.\.|\*\*\*|[${}<>()\[\]]|://|^/|^\./|^p[a@]ssw[o0]rd\d*!?$|^(?:my|super)?.?secret.?(?:key)?\d*$",
    re.IGNORECASE,
)
"""What people write where a secret will stand."""
STAND_IN = re.compile(r"example|xxxx|your|\.\.\.", re.IGNORECASE)
"""The same for whole tokens, which are random enough to hold a short word by chance."""
CONFIGURATION = (".env", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".json", ".sh", ".tfvars")
LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "yarn.lock", "pylock.toml")
LINE_CAP = 2000
SCAN_SECONDS = 20
"""After this a scan stops, however much is left of an absurdly large submission."""


@dataclass(frozen=True)
class Finding:
    """A secret in a file. Its value is never kept: a report is read by many."""

    what: str
    name: str
    line: int

    def __str__(self) -> str:
        return f"{self.what} in {self.name}, line {self.line}" if self.line else f"{self.what} in {self.name}"


def scan(files: Checkout) -> Iterator[Finding]:
    """Secrets in the files of a submission."""
    end = time.monotonic() + SCAN_SECONDS
    for name in files.own:
        if time.monotonic() > end:
            return
        text = files.text(name)
        if is_key_file(name) and text.strip():
            yield Finding("a credentials file", name, 0)
        yield from find(name, text)


def find(name: str, text: str) -> Iterator[Finding]:
    """Secrets in a file, by the patterns of `TOKENS` and by assignments to names such as `DB_PASSWORD`."""
    if PurePosixPath(name).name in LOCKS:
        return
    for what, pattern in TOKENS.items():
        for match in re.finditer(pattern, text):
            if entropy(match[0]) >= 3 and not STAND_IN.search(match[0]):
                yield Finding(what, name, text.count("\n", 0, match.start()) + 1)
    if _is_test(name):
        return
    for match in ADDRESS.finditer(text):
        # A password made of the user's name is a stock one, as for a data base that a compose file starts.
        if is_random(match["value"]) and match["user"].lower() not in match["value"].lower():
            yield Finding("a password in an address", name, text.count("\n", 0, match.start()) + 1)
    bare = _is_configuration(name)
    for number, line in _lines_with_keys(text):
        if key := assigned(line[:LINE_CAP], unquoted=bare):
            yield Finding(f"a value for {key}", name, number)


def assigned(line: str, *, unquoted: bool) -> str:
    """The name on a line that is given a secret's value, or an empty string.

    In code only a quoted value is one: without quotes it is an expression. Everywhere it must mix letters and digits,
    carry at least 3 bits a character, and look like nothing that people write as a stand-in.
    """
    for match in ASSIGNMENT.finditer(line):
        if (match["quote"] or unquoted) and is_random(match["value"]):
            return match["name"]
    return ""


def is_random(value: str) -> bool:
    """Whether a value looks like a real secret: letters and digits, no stand-in, and not the same over and over."""
    mixed = re.search(r"[A-Za-z]", value) and re.search(r"\d", value)
    return bool(mixed) and entropy(value) >= 3 and not PLACEHOLDER.search(value)


def entropy(text: str) -> float:
    """Shannon entropy, in bits a character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def is_dotenv(name: str) -> bool:
    """Whether a file holds an environment that is meant to be used, not one that shows what to fill in."""
    base = PurePosixPath(name).name
    shown = (".example", ".sample", ".template", ".dist", ".defaults", ".test", ".ci")
    return (base == ".env" or base.startswith(".env.")) and not base.endswith(shown)


def is_key_file(name: str) -> bool:
    """Whether a file is by its name one that tools keep credentials in."""
    path = PurePosixPath(name)
    return path.name in ("id_rsa", "id_ed25519", "id_ecdsa", ".git-credentials", ".netrc", ".pypirc") or (
        path.parts[-2:] in ((".aws", "credentials"), (".docker", "config.json"), (".kube", "config"))
    )


def _lines_with_keys(text: str) -> Iterator[tuple[int, str]]:
    """Lines that hold such a name at all, with their numbers: most of a large file need no closer look."""
    number, seen = 1, 0
    for match in NAME.finditer(text):
        if match.start() < seen:
            continue
        start = text.rfind("\n", 0, match.start()) + 1
        end = text.find("\n", match.end())
        number += text.count("\n", seen, start)
        seen = start
        yield number, text[start : end if end >= 0 else len(text)]
        # The next look starts behind this line.
        number += 1 if end >= 0 else 0
        seen = end + 1 if end >= 0 else len(text)


def _is_configuration(name: str) -> bool:
    base = PurePosixPath(name).name
    return base.endswith(CONFIGURATION) or base.startswith((".env", "Dockerfile", "Makefile")) or is_key_file(name)


def _is_test(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name.startswith("test_") or path.name == "conftest.py" or not {"tests", "test"}.isdisjoint(path.parts)

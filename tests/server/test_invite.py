"""`harness invite` and `harness serve`, as a person types them."""

from __future__ import annotations

import json
import stat

import pytest
from intakes import harness

COMMANDS = [["serve"], ["invite"], *(["invite", c] for c in ("create", "list", "revoke", "extend", "log", "regrade"))]


@pytest.fixture
def invite(tmp_path):
    def invite(command, *arguments):
        return harness("invite", command, *arguments, "--home", tmp_path / "intake")

    return invite


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_teaches(command):
    answer = harness(*command, "--help")
    assert answer.returncode == 0
    assert len(answer.stdout.splitlines()) > 8


def test_a_token_is_shown_once_and_kept_nowhere(invite, tmp_path):
    made = invite("create", "--candidate", "Ada", "--deadline", "2099-01-01T00:00:00+01:00", "--extra", "90m")
    token = next(line.split()[1] for line in made.stdout.splitlines() if line.startswith("token"))
    assert "shown this once" in made.stderr
    assert "--deadline 2099-01-01T00:30:00+00:00 --attempts 3 --public-key" in made.stderr
    shown = invite("list")
    assert "2098-12-31 23:00:00Z + 1:30:00" in shown.stdout
    assert "0 of 3" in shown.stdout
    secret = token.partition(".")[2]
    assert secret not in shown.stdout + invite("log").stdout
    for path in (tmp_path / "intake").iterdir():
        assert path.is_dir() or secret.encode() not in path.read_bytes()
    assert stat.S_IMODE((tmp_path / "intake").stat().st_mode) == 0o700


def test_an_invitation_is_extended_and_revoked(invite):
    name = json.loads(invite("create", "--candidate", "Ada", "--json").stdout)["id"]
    changed = json.loads(invite("extend", name, "--extra", "2h", "--attempts", "5", "--json").stdout)[0]
    assert (changed["extra_seconds"], changed["attempts"]) == (7200, 5)
    assert json.loads(invite("revoke", name, "--json").stdout)[0]["revoked_at"]
    events = [line["event"] for line in json.loads(invite("log", name, "--json").stdout)]
    assert events == ["invitation created", "invitation extended", "invitation revoked"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["create"], "Missing option '--candidate'"),
        (["create", "--candidate", "A", "--challenge", "nope"], "there is no challenge 'nope'"),
        (["create", "--candidate", "A", "--deadline", "tomorrow"], "is no moment; write it like"),
        (["create", "--candidate", "A", "--deadline", "2026-01-01T00:00:00"], "names no time zone"),
        (["create", "--candidate", "A", "--extra", "soon"], "write it like 90m, 2h or 1d"),
        (["create", "--candidate", " "], "a line of text"),
        (["create", "--candidate", "Ada\nLovelace"], "a line of text"),
        (["list"], "there is no intake in"),
    ],
)
def test_what_cannot_be_done_says_why(invite, arguments, why):
    answer = invite(*arguments)
    assert answer.returncode == 2
    assert why in answer.stderr


def test_what_does_not_exist_is_not_changed(invite):
    invite("create", "--candidate", "Ada")
    for command in (["extend", "inv-nothing", "--attempts", "1"], ["revoke", "inv-nothing"], ["log", "inv-nothing"]):
        answer = invite(*command)
        assert answer.returncode == 2
        assert "there is no invitation 'inv-nothing'" in answer.stderr
    assert "nothing to change" in invite("extend", "inv-nothing").stderr
    assert "no grading of a submission abc has failed" in invite("regrade", "abc").stderr


def test_a_new_home_and_a_deadline_that_is_over_are_said_to_be_so(invite):
    first = invite("create", "--candidate", "Ada", "--deadline", "2020-01-01T00:00:00Z")
    assert "was no intake yet" in first.stderr
    assert "that deadline is over" in first.stderr
    assert "was no intake" not in invite("create", "--candidate", "Bob").stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--grader", "no-such-program {submission}"], "is no program that can be run"),
        (["--database", "nonsense"], "is not understood"),
        (["--database", "postgresql://x@127.0.0.1:1/x"], "does not answer"),
        (["--token-rate", "often"], "is no rate"),
    ],
)
def test_a_server_that_cannot_start_says_why(tmp_path, options, why):
    answer = harness("serve", "--home", tmp_path / "home", *options, timeout=60)
    assert answer.returncode in (2, 3)
    assert why in answer.stderr

"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = "challenges/fraud_detection/submissions/reference"


def harness(*arguments, cwd=ROOT, **env):
    command = [sys.executable, "-m", "harness", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **env}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120, check=False)


COMMANDS = ("grade", "rescore", "report", "review", "doctor", "clean", "challenge validate", "challenge calibrate")
JOURNEY = ("new", "update", "check", "submit", "receipt", "receipt show", "receipt verify")
SERVER = ("serve", "invite", "hook", "hook install", "hook fetch")


@pytest.mark.parametrize("command", [[], *map(str.split, COMMANDS + JOURNEY + SERVER)])
def test_every_command_teaches(command):
    answer = harness(*command, "--help")
    assert answer.returncode == 0
    assert "Usage: harness" in answer.stdout
    assert len(answer.stdout.splitlines()) > 4


def test_help_imports_nothing_slow():
    code = "import sys; from harness import cli, cli_hooks; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "'click'" in loaded
    libraries = ("pandas", "numpy", "docker", "mlflow", "sklearn", "matplotlib")
    for slow in (*libraries, "pydantic", "rich", "httpx", "fastapi", "sqlalchemy"):
        assert f"'{slow}'" not in loaded


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grade", "no/such/folder"], "does not exist"),
        (["grade", "Makefile"], "is no bundle"),
        (["grade", REFERENCE, "--challenge", "astrology"], "there is no challenge 'astrology'"),
        (["grade", REFERENCE, "--stage", "astrology"], "there is no stage 'astrology'"),
        (["grade", REFERENCE, "--profile", "astrology"], "review"),
        (["grade", REFERENCE, "--seed", "xyz"], "64 hexadecimal digits"),
        (["grade", REFERENCE, "--sandbox", "local"], "--trusted"),
        (["rescore", "tests"], "not the folder of a run"),
        (["report", "tests"], "not the folder of a run"),
        (["challenge", "validate", "astrology"], "cannot be read"),
    ],
)
def test_wrong_usage_says_what_to_do_and_leaves_nothing_behind(arguments, said, tmp_path):
    runs = ["--runs", str(tmp_path / "runs")] if arguments[0] == "grade" else []
    answer = harness(*arguments, *runs, HARNESS_KEY_FILE=str(tmp_path / "key"))
    assert answer.returncode == 2, answer.stderr
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "runs").exists()


def test_without_an_engine_grade_says_how_to_get_one(tmp_path):
    absent = {"DOCKER_HOST": "unix:///nonexistent.sock", "HARNESS_KEY_FILE": str(tmp_path / "key")}
    answer = harness("grade", REFERENCE, "--runs", str(tmp_path / "runs"), **absent)
    assert answer.returncode == 2
    assert "make engine" in answer.stderr
    assert not (tmp_path / "runs").exists()


def test_challenges_are_listed_for_people_and_for_machines():
    assert "fraud_detection" in harness("challenge", "list").stdout
    listed = json.loads(harness("challenge", "list", "--json").stdout)
    assert "fraud_detection" in [entry["id"] for entry in listed]
    assert harness("challenge", "validate").returncode == 0


def test_no_colour_and_no_movement_where_there_is_no_terminal():
    for arguments in (["challenge", "list"], ["grade", "no/such/folder"], ["--help"]):
        answer = harness(*arguments)
        assert "\x1b" not in answer.stdout + answer.stderr

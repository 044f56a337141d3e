"""Repositories, served and bare, and a grading command that takes no time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hook_repositories import GITHUB, GITLAB, commit, git
from hook_servers import git_over_http, serving, status_api

PAYLOADS = Path(__file__).resolve().parent / "payloads"

GRADER = """\
import json, pathlib, sys
words = [word for word in sys.argv[1:] if word != "--json"]
folder, options = pathlib.Path(words[0]), dict(zip(words[1::2], words[2::2]))
print("[    0 s] image       building  (0 s)", file=sys.stderr)
print("passed   image          0.1 s  9/9 checks  a hidden reason", file=sys.stderr)
log = pathlib.Path(__file__).with_suffix(".log")
log.write_text((log.read_text() if log.exists() else "") + " ".join(sys.argv[1:]) + "\\n")
if not (folder / "Dockerfile").is_file():
    print("error: no engine answers", file=sys.stderr)
    sys.exit(2)
run = pathlib.Path(options["--runs"]) / f"run-of-{folder.name}"
run.mkdir(parents=True, exist_ok=True)
void = "void" in (folder / "Dockerfile").read_text()
report = {"run": {"id": run.name}, "points": 72.5, "decided_points": 80.0, "max_points": 100.0, "void": void}
for name in ("md", "html", "junit.xml"):
    (run / f"report.{name}").write_text(f"the report as {name}\\n")
if "--json" in sys.argv:
    print(json.dumps(report))
sys.exit(3 if void else report["points"] < float(options.get("--fail-under", 0)))
"""


@pytest.fixture
def work(tmp_path):
    """A candidate's working tree."""
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "master")
    return folder


@pytest.fixture
def origin(tmp_path, work):
    """The folder that repositories are served from; the working tree's commits are in both providers' ones."""
    commit(work, {"Dockerfile": "FROM scratch\n", "app.py": "print(1)\n", "name": "ada"})
    root = tmp_path / "served"
    for name in (GITHUB, GITLAB):
        bare = root / f"{name}.git"
        bare.parent.mkdir(parents=True, exist_ok=True)
        git(work, "clone", "-q", "--bare", str(work), str(bare))
    return root


@pytest.fixture
def served(origin):
    with serving(git_over_http(origin)) as address:
        yield address


@pytest.fixture
def head(work, origin):
    return git(work, "rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def payload():
    """A published payload as bytes: `payload("github_push_branch", sha)` puts a commit of ours into it."""

    def payload(name, sha=None, **changes):
        text = (PAYLOADS / f"{name}.json").read_text()
        found = json.loads(text)
        if sha:
            text = text.replace(found["after"], sha)
        return json.dumps({**json.loads(text), **changes}).encode()

    return payload


@pytest.fixture
def grader(tmp_path):
    """A grading command that is a real process and takes no time; what it was asked for is in `.log` beside it."""
    script = tmp_path / "grader.py"
    script.write_text(GRADER)
    return sys.executable, str(script)


@pytest.fixture
def api():
    """A stand-in for the status API: its address, what it received, and the answers that it is to give first."""
    answers: list[tuple[int, dict[str, str], str]] = []
    handler = status_api(answers)
    with serving(handler) as address:
        yield address, handler.received, answers

"""The repository stage on small folders: a sound one passes everything, and each fault costs its own check only."""

from __future__ import annotations

import pytest

from harness.stages import repository

PROSE = "We chose one process because the model answers in a millisecond and memory costs more than cores here. " * 10
SOUND: dict[str, str | bytes | None] = {
    "Dockerfile": """FROM python:3.11-slim-bookworm
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app app
USER 1000
CMD ["python", "-m", "app"]
""",
    ".dockerignore": ".git\n",
    "requirements.txt": "fastapi==0.115.0\nuvicorn[standard]==0.32.0 ; python_version >= '3.11'\n",
    "app/__main__.py": "import uvicorn\nuvicorn.run('app.main:app')\n",
    "tests/test_app.py": """
def test_it_predicts(client):
    assert client.post("/invocations", json={}).json()["predictions"] == [1]
""",
    ".github/workflows/ci.yml": """
on: [push]
jobs:
  test:
    steps:
      - run: python -m pytest
      - run: docker build .
""",
    "README.md": f"# Service\n{PROSE}\n```sh\ndocker build -t x .\npip install -r requirements.txt\n```\n",
    "DECISIONS.md": f"# Decisions\n{PROSE}\n",
}


@pytest.fixture
def failed(judge, folder_of):
    """The names of the checks that a sound submission with these changes fails."""
    return lambda **changes: judge("repository", folder_of({**SOUND, **changes.get("files", {})})).failed


def changed(name: str, old: str, new: str) -> dict[str, str]:
    text = str(SOUND[name])
    assert old in text
    return {name: text.replace(old, new)}


def dockerfile(text: str) -> dict[str, str]:
    return {"Dockerfile": text}


def test_a_sound_submission_passes_every_check(judge, folder_of):
    seen = judge("repository", folder_of(SOUND))
    assert seen.failed == set()
    assert set(seen.checks) == set(repository.RECORDS)


def test_an_empty_folder_passes_only_what_absence_cannot_break(judge, folder_of):
    seen = judge("repository", folder_of({"notes.txt": "nothing yet"}))
    assert set(seen.checks) - seen.failed == {"no_secrets", "no_junk", "no_unsafe_load", "model_library_version"}


SAVED = "flavors:\n  python_function: {loader_module: mlflow.sklearn}\n  sklearn: {sklearn_version: 1.9.1}\n"
LAST = 'CMD ["python", "-m", "app"]\n'
FAULTS = {
    "no Dockerfile": ({"Dockerfile": None}, {"dockerfile_present", "base_pinned", "exec_form"}),
    "no .dockerignore": ({".dockerignore": None}, {"dockerignore_present"}),
    "floating base": (changed("Dockerfile", "3.11-slim-bookworm", "latest"), {"base_pinned"}),
    "base without a tag": (changed("Dockerfile", ":3.11-slim-bookworm", ""), {"base_pinned"}),
    "base with a major version only": (changed("Dockerfile", "3.11-slim-bookworm", "3-slim"), {"base_pinned"}),
    "base by an argument": (
        changed("Dockerfile", "FROM python:3.11-slim-bookworm", "ARG V=3\nFROM python:${V}"), {"base_pinned"}),
    "a tool copied from latest": (
        changed("Dockerfile", "COPY app", "COPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/\nCOPY app"),
        {"base_pinned"}),
    "unpinned requirement": ({"requirements.txt": "fastapi\nuvicorn==0.32.0\n"}, {"dependencies_pinned"}),
    "range of versions": ({"requirements.txt": "fastapi>=0.115\n"}, {"dependencies_pinned"}),
    "compatible release": ({"requirements.txt": "fastapi~=0.115.0\n"}, {"dependencies_pinned"}),
    "wildcard version": ({"requirements.txt": "fastapi==0.*\n"}, {"dependencies_pinned"}),
    "a branch of a git repository": (
        {"requirements.txt": "git+https://example.org/a/b@main#egg=b\n"}, {"dependencies_pinned"}),
    "a package installed by name": (
        changed("Dockerfile", "-r requirements.txt", "-r requirements.txt gunicorn"), {"dependencies_pinned"}),
    "a second pip command": (
        changed("Dockerfile", "COPY app", "RUN python -m pip install 'scikit-learn>1'\nCOPY app"),
        {"dependencies_pinned"}),
    "pip in a here-document": (
        changed("Dockerfile", "COPY app", "RUN <<EOF\npip install flask\nEOF\nCOPY app"), {"dependencies_pinned"}),
    "poetry without its lock": (
        changed("Dockerfile", "pip install --no-cache-dir -r requirements.txt", "poetry install --no-root"),
        {"dependencies_pinned"}),
    "an unpinned project": (
        changed("Dockerfile", "-r requirements.txt", ".")
        | {"pyproject.toml": '[project]\nname = "a"\ndependencies = ["fastapi"]\n'}, {"dependencies_pinned"}),
    "an older library than the model's": (
        {"model/MLmodel": SAVED, "requirements.txt": "scikit-learn==1.8.1 \\\n  --hash=sha256:00\n"},
        {"model_library_version"}),
    "another library by a lock of poetry": (
        changed("Dockerfile", "pip install --no-cache-dir -r requirements.txt", "poetry install --no-root")
        | {"model/MLmodel": SAVED, "poetry.lock": '[[package]]\nname = "Scikit_Learn"\nversion = "2.0"\n'},
        {"model_library_version"}),
    "shell form": (changed("Dockerfile", LAST, "CMD python -m app\n"), {"exec_form"}),
    "sh -c without exec": (changed("Dockerfile", LAST, 'CMD ["sh", "-c", "python -m app"]\n'), {"exec_form"}),
    "a script without exec": (
        changed("Dockerfile", LAST, 'ENTRYPOINT ["/app/start.sh"]\n')
        | {"app/start.sh": "#!/bin/sh\nset -e\nexec 2>&1\npython -m app\n"}, {"exec_form"}),
    "a CMD that is arguments in shell form": (
        changed("Dockerfile", LAST, 'ENTRYPOINT ["python"]\nCMD -m app\n'), {"exec_form"}),
    "no CMD": (changed("Dockerfile", LAST, ""), {"exec_form"}),
    "a committed .env": ({".env": "PORT=8080\n"}, {"no_junk"}),
    "compiled Python": ({"app/__pycache__/a.cpython-311.pyc": b"\0"}, {"no_junk"}),
    "a virtual environment": ({".venv/pyvenv.cfg": "home = /usr/bin\n"}, {"no_junk"}),
    "a virtual environment by another name": ({"env/pyvenv.cfg": "home = /usr/bin\n"}, {"no_junk"}),
    "notebook checkpoints": ({".ipynb_checkpoints/a-checkpoint.ipynb": "{}"}, {"no_junk"}),
    "a file manager's leavings": ({"app/.DS_Store": b"\0"}, {"no_junk"}),
    "a large data file": ({"data/train.csv": b"1,2\n" * 3_000_000}, {"no_junk"}),
    "no tests": ({"tests/test_app.py": None}, {"tests_present", "tests_not_stubbed"}),
    "no workflow": ({".github/workflows/ci.yml": None}, {"ci_present", "ci_runs_tests", "ci_builds_image"}),
    "a workflow without tests": (
        changed(".github/workflows/ci.yml", "python -m pytest", "pip install pytest"), {"ci_runs_tests"}),
    "tests whose failure is ignored": (
        changed(".github/workflows/ci.yml", "python -m pytest", "python -m pytest || true"), {"ci_runs_tests"}),
    "a workflow that builds nothing": (
        changed(".github/workflows/ci.yml", "docker build .", "echo docker build ."), {"ci_builds_image"}),
    "a workflow that only a person starts": (
        changed(".github/workflows/ci.yml", "[push]", "workflow_dispatch"), {"ci_runs_tests", "ci_builds_image"}),
    "a job that is switched off": (
        changed(".github/workflows/ci.yml", "  test:\n", "  test:\n    if: false\n"),
        {"ci_runs_tests", "ci_builds_image"}),
    "no README": ({"README.md": None}, {"readme_present", "readme_commands"}),
    "a README of one line": ({"README.md": "# Service\nA service.\n"}, {"readme_present"}),
    "a README that names a file that is not there": (
        {"README.md": f"{PROSE}\n```sh\npip install -r requirements-dev.txt\n```\n"}, {"readme_commands"}),
    "a README that names a target that is not there": (
        {"README.md": f"{PROSE}\n```\n$ make run\n```\n", "Makefile": "test:\n\tpytest\n"}, {"readme_commands"}),
    "a README that asks a port that nothing listens on": (
        {"README.md": f"{PROSE}\n```sh\ncurl localhost:5000/ping\n```\n", "app/settings.py": "PORT = 8080\n"},
        {"readme_commands"}),
    "no decisions": ({"DECISIONS.md": None}, {"decisions_present"}),
    "decisions left empty": (
        {"DECISIONS.md": f"# Decisions\n<!-- {PROSE} -->\n> {PROSE}\n## Why?\n\nTo be written.\n"},
        {"decisions_present"}),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_costs_its_own_checks_and_no_others(failed, fault):
    files, lost = FAULTS[fault]
    assert failed(files=files) == lost


SOUND_TOO = {
    "digest": dockerfile(f"FROM python@sha256:{'0' * 64}\n{LAST}"),
    "registry with a port": dockerfile(f"FROM localhost:5000/python:3.11\n{LAST}"),
    "a distribution's release": dockerfile(f"FROM debian:bookworm-slim\n{LAST}"),
    "stages of its own, and scratch": dockerfile(
        f"FROM python:3.11 AS base\nFROM base AS build\nFROM scratch\nCOPY --from=build /a /a\n{LAST}"),
    "an argument with a default": dockerfile(f"ARG V=3.11\nFROM python:${{V}}-slim\n{LAST}"),
    "hashes": {"requirements.txt": f"fastapi==0.115.0 \\\n    --hash=sha256:{'0' * 64}\n"},
    "constraints": changed("Dockerfile", "-r requirements.txt", "-r requirements.txt -c constraints.txt")
    | {"requirements.txt": "fastapi\nUvicorn[standard]\n", "constraints.txt": "fastapi==0.1\nuvicorn==0.2\n"},
    "a file under another name in the image": dockerfile(
        f"FROM python:3.11\nCOPY requirements.txt /tmp/r.txt\nRUN pip3 install -r /tmp/r.txt\n{LAST}"),
    "a mounted file": {
        "Dockerfile": "FROM python:3.11\nRUN --mount=type=bind,source=requirements.txt,target=/tmp/r.txt \\\n"
        f"  pip install -r /tmp/r.txt\n{LAST}"},
    "pip upgraded": changed("Dockerfile", "COPY app", "RUN pip install --upgrade pip setuptools\nCOPY app"),
    "uv with its lock": {
        "Dockerfile": f"FROM python:3.11\nRUN pip install uv && uv sync --frozen\n{LAST}", "uv.lock": "version = 1\n"},
    "an exported lock": {
        "Dockerfile": f"FROM python:3.11\nRUN uv export > /tmp/a.txt && uv pip install --system -r /tmp/a.txt\n{LAST}",
        "uv.lock": "version = 1\n"},
    "loose requirements of development": {"requirements-dev.txt": "pytest\nruff\n"},
    "the model's own requirements": {
        "model/MLmodel": "flavors: {}\n", "model/requirements.txt": "mlflow\n", "model/model.pkl": b"\0" * 11 * 2**20},
    "a release of the model's library that only mends": {
        "model/MLmodel": SAVED, "requirements.txt": "scikit-learn==1.9.2\nuvicorn==0.32.0\n"},
    "lock files and models that are none": {
        "model/MLmodel": "flavors: {sklearn: {sklearn_version: [2001-99-99]}}\n", "uv.lock": "package = 5\n",
        "poetry.lock": "package = ['a', {name = 'b'}]\n", "pylock.toml": "packages = {name = 'scikit-learn'}\n"},
    "a model of another kind": {
        "model/MLmodel": "flavors: [xgboost]\n", "requirements.txt": "scikit-learn==1.8.0\n"},
    "exec in shell form": changed("Dockerfile", LAST, "CMD exec python -m app\n"),
    "sh -c with exec": changed("Dockerfile", LAST, 'CMD ["sh", "-c", "exec python -m app --port ${PORT:-8080}"]\n'),
    "an init": changed("Dockerfile", LAST, 'ENTRYPOINT ["tini", "-g", "--", "python", "-m", "app"]\n'),
    "a script with exec": changed("Dockerfile", LAST, 'ENTRYPOINT ["/start.sh"]\nCMD ["serve"]\n')
    | {"docker/start.sh": "#!/usr/bin/env bash\nset -e\nif true; then\n  exec python -m app\nfi\n"},
    "a Python program without a suffix": changed("Dockerfile", LAST, 'ENTRYPOINT ["/app/start"]\n')
    | {"app/start": "#!/usr/bin/env python3\nprint()\n"},
    "an entry point of an earlier stage": dockerfile(f"FROM python:3.11 AS base\n{LAST}FROM base\nUSER 1000\n"),
    "an .env that shows what to fill in": {".env.example": "API_KEY=\n"},
    "tests through make": changed(".github/workflows/ci.yml", "python -m pytest", "make ci")
    | {"Makefile": "PY = python\nci: test\ntest: .venv\n\t$(PY) -m pytest\n.venv:\n\ttouch $@\n"},
    "tests through a script": changed(".github/workflows/ci.yml", "python -m pytest", "bash scripts/ci.sh")
    | {"scripts/ci.sh": "set -e\npytest -q\n"},
    "tests in the image's build": changed(".github/workflows/ci.yml", "python -m pytest", "true")
    | changed("Dockerfile", "USER 1000\n", "RUN python -m pytest\nUSER 1000\n"),
    "an action that builds": changed(
        ".github/workflows/ci.yml", "run: docker build .", "uses: docker/build-push-action@v6"),
    "a port that is published": {
        "README.md": f"{PROSE}\n```sh\ndocker run -p 9000:8080 x\ncurl -s http://localhost:9000/ping\n```\n"},
    "a port of the Makefile": {
        "README.md": f"{PROSE}\n```sh\nmake run\ncurl localhost:9000/ping\n```\n",
        "Makefile": "PORT ?= 9000\nrun:\n\tpython -m app\n"},
    "a port that the server has by itself": {
        "README.md": f"{PROSE}\n```sh\nuvicorn app.main:app &\ncurl localhost:8000/ping\n```\n"},
    "GitLab": {".github/workflows/ci.yml": None,
               ".gitlab-ci.yml": "test:\n  script:\n    - pytest\nbuild:\n  script: [docker buildx build .]\n"},
    "Jenkins": {".github/workflows/ci.yml": None,
                "Jenkinsfile": "node { sh 'pytest'\n sh 'docker build .' }"},
}  # fmt: skip


@pytest.mark.parametrize("case", SOUND_TOO)
def test_what_is_done_another_way_loses_nothing(failed, case):
    assert failed(files=SOUND_TOO[case]) == set()

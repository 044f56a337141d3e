"""The image stage on the real engine: small submissions that are wrong in one way each."""

from __future__ import annotations

import pytest

from harness.sandbox import BuildFailed
from harness.stages import image

pytestmark = pytest.mark.engine
KEY = "q7Zp2Lk9" + "vX4tRb6W"
DOCKERFILE = """FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY service service
USER 1000
HEALTHCHECK CMD ["python", "-c", "pass"]
CMD ["python", "-m", "service"]
"""
SOUND: dict[str, str | bytes | None] = {
    "Dockerfile": DOCKERFILE,
    "requirements.txt": "# nothing\n",
    "service/__main__.py": "print('hello')\n",
    "tests/test_service.py": "def test_it():\n    assert True\n",
}


def dockerfile(old: str, new: str) -> dict[str, str]:
    assert old in DOCKERFILE
    return {"Dockerfile": DOCKERFILE.replace(old, new)}


FAULTS = {
    "no health check": (dockerfile('HEALTHCHECK CMD ["python", "-c", "pass"]\n', ""), {"healthcheck_present"}),
    "health check switched off": (
        dockerfile('HEALTHCHECK CMD ["python", "-c", "pass"]', "HEALTHCHECK NONE"), {"healthcheck_present"}),
    "no user": (dockerfile("USER 1000\n", ""), {"non_root_user"}),
    "root by number and group": (dockerfile("USER 1000", "USER 0:0"), {"non_root_user"}),
    "a secret in ENV": (dockerfile("USER", f"ENV API_KEY={KEY}\nUSER"), {"no_secret_in_env"}),
    "a secret in ARG": (
        dockerfile("COPY service", f"ARG PIP_TOKEN={KEY}\nRUN echo $PIP_TOKEN > /dev/null\nCOPY service"),
        {"no_secret_in_layers"}),
    "a file of credentials": (
        dockerfile("COPY service", "COPY .netrc /home/app/.netrc\nCOPY service") | {".netrc": "machine a"},
        {"no_secret_in_layers"}),
    "credentials copied, and removed too late": (
        dockerfile("COPY service", "COPY .netrc /root/.netrc\nRUN rm /root/.netrc\nCOPY service")
        | {".netrc": "machine a"}, {"no_secret_in_layers"}),
    "a secret in a file that is copied": (
        {"service/settings.py": f'API_KEY = "{KEY}"\n'}, {"no_secret_in_layers"}),
    "tools of development": (
        {"requirements.txt": "pytest==8.4.2\n"}, {"no_junk_in_image"}),
    "everything copied": (
        dockerfile("COPY service service", "COPY . .") | {".env": "A=1\n", "eda.ipynb": "{}"}, {"no_junk_in_image"}),
    "tests copied to the root": (dockerfile("COPY service", "COPY . /\nCOPY service"), {"no_junk_in_image"}),
    "reloading": (
        dockerfile('"-m", "service"]', '"-m", "uvicorn", "service:app", "--reload"]'), {"no_dev_server"}),
    "debug": (
        {"service/__main__.py": "from flask import Flask\napp = Flask('a')\napp.run(debug=True)\n"}, {"no_dev_server"}),
    "Flask's own server": (
        {"service/__main__.py": "from flask import Flask\napp = Flask('a')\napp.run(host='0.0.0.0')\n"},
        {"no_dev_server"}),
    "Flask's debugging by environment": (dockerfile("USER", "ENV FLASK_DEBUG=1\nUSER"), {"no_dev_server"}),
    "code before dependencies": (
        dockerfile("COPY requirements.txt .\n", "COPY . .\nRUN rm -r tests\n"), {"dependency_layer_cached"}),
}  # fmt: skip


@pytest.fixture
def failed(judge, folder_of, engine_sandbox):
    return lambda files: judge("image", folder_of({**SOUND, **files}), engine_sandbox).failed


def test_a_sound_image_passes_every_check_and_is_measured(judge, folder_of, engine_sandbox):
    seen = judge("image", folder_of(SOUND), engine_sandbox)
    assert seen.failed == set()
    assert set(seen.checks) | set(seen.measurements) == set(image.RECORDS)
    assert seen.measurements["image_size"].value > 10


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_costs_its_own_checks_and_no_others(failed, fault):
    files, lost = FAULTS[fault]
    assert failed(files) == lost


def test_the_submission_itself_may_be_installed_again(failed):
    text = DOCKERFILE.replace("COPY service service\n", "COPY service service\nRUN pip install --no-deps ./service\n")
    project = '[project]\nname = "service"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "nothing"\n'
    backend = """
import zipfile
def build_wheel(folder, settings=None, metadata=None):
    name = "service-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("service-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: service\\nVersion: 1\\n")
        wheel.writestr("service-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("service-1.dist-info/RECORD", "")
    return name
"""
    project = project.replace('"nothing"', '"nothing"\nbackend-path = ["."]')
    assert failed({"Dockerfile": text, "service/pyproject.toml": project, "service/nothing.py": backend}) == set()


def test_an_image_over_its_budget_is_told_its_size(judge, folder_of, engine_sandbox):
    seen = judge("image", folder_of(SOUND), engine_sandbox, budget_mb=1)
    assert seen.failed == {"size_within_budget"}
    assert "MB" in seen.checks["size_within_budget"].observed


CAUSES = {
    "a file that is not there": (dockerfile("COPY service service", "COPY model model"), "COPY names /model"),
    "a version that does not exist": ({"requirements.txt": "packaging==0.0.1\n"}, "no release of packaging==0.0.1"),
    "a missing program": (dockerfile("COPY service", "RUN ripgrep --version\nCOPY service"), "no program ripgrep"),
    "a missing file of a step": (dockerfile("COPY service", "RUN python train.py\nCOPY service"), "train.py"),
}


@pytest.mark.parametrize("case", CAUSES)
def test_a_build_that_fails_is_told_its_cause_in_plain_words(stage_of, folder_of, engine_sandbox, case):
    files, words = CAUSES[case]
    stage = stage_of("image", folder_of({**SOUND, **files}), engine_sandbox)
    with pytest.raises(BuildFailed):
        image.run(stage)
    (check,) = stage.checks
    assert (check.name, check.outcome) == ("builds", "failed")
    assert words in check.message


def test_a_file_that_git_ignores_is_named_as_the_cause(stage_of, folder_of, engine_sandbox):
    folder = folder_of({**SOUND, **dockerfile("COPY service service", "COPY model.pkl .")})
    stage = stage_of("image", folder, engine_sandbox)
    (folder / "model.pkl").write_bytes(b"here, but not in the export")
    with pytest.raises(BuildFailed):
        image.run(stage)
    assert "git does not track it" in stage.checks[0].message

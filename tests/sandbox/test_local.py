"""A submission as a plain process: the same small interface, and nothing of it left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness.errors import UsageError
from harness.readiness import NotReady, wait_ready
from harness.sandbox import BuildFailed, CannotStart, Image, Launch, Limits, _processes, _venv
from harness.sandbox import local as local_sandbox
from harness.sandbox.local import LocalSandbox

from .conftest import PROBER, Make, ask

DOCKERFILE = """
FROM python:3.11-slim-bookworm AS build
COPY --chmod=644 src/prober.py /built/
FROM python:3.11-slim-bookworm
ARG HOME_OF_APP=/srv
ENV APP=$HOME_OF_APP/app NOTE="two words"
WORKDIR ${APP}
COPY --from=build /built/prober.py prober.py
COPY model /opt/ml/model
USER 1000
ENTRYPOINT ["/usr/bin/env", "python3"]
CMD ["/srv/app/prober.py"]
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_sandbox, "WORK", tmp_path_factory.mktemp("work"))
        patch.setattr(_venv, "VENVS", tmp_path_factory.mktemp("venvs"))
        yield


@pytest.fixture
def sandbox() -> Iterator[LocalSandbox]:
    with LocalSandbox("tests", trusted=True) as sandbox:
        yield sandbox


@pytest.fixture
def image(sandbox: LocalSandbox, make: Make, tmp_path: Path) -> Image:
    submission = make(DOCKERFILE, **{"src/prober.py": PROBER, "model/MLmodel": "its own"})
    return sandbox.build(submission, Limits(), tmp_path / "build.log")


def test_a_submission_that_is_not_declared_trusted_is_refused():
    with pytest.raises(UsageError, match="--trusted"), LocalSandbox("tests", trusted=False):
        pass


def test_it_says_that_the_grade_is_not_final(sandbox):
    assert "not final" in sandbox.notices[0]


def test_it_runs_what_the_dockerfile_says_where_it_says(sandbox, image):
    with sandbox.start(image, Limits(), Launch(env={"PORT": "8080", "GREETING": "hello"})) as service:
        wait_ready(service, ["/"], 30)
        assert ask(service, "import os; print(os.getcwd())").endswith("/root/srv/app")
        assert ask(service, "import os; print(os.environ['NOTE'], os.environ['GREETING'])") == "two words hello"
        assert ask(service, "import os; print(open(os.environ['MODEL_URI'] + '/MLmodel').read())") == "its own"
        assert ask(service, "import sys; print(sys.prefix)").startswith(str(_venv.VENVS))
    assert (image.size_mb, image.config) == (None, {})


def test_it_serves_another_model_where_one_is_mounted(sandbox, image, tmp_path):
    (tmp_path / "MLmodel").write_text("another")
    launch = Launch(env={"MODEL_URI": "/mnt/model"}, mounts={tmp_path: "/mnt/model"})
    with sandbox.start(image, Limits(), launch) as service:
        wait_ready(service, ["/"], 30)
        assert ask(service, "import os; print(open(os.environ['MODEL_URI'] + '/MLmodel').read())") == "another"


def test_two_services_have_ports_and_folders_of_their_own(sandbox, image):
    with sandbox.start(image, Limits(), Launch()) as one, sandbox.start(image, Limits(), Launch()) as other:
        wait_ready(one, ["/"], 30)
        wait_ready(other, ["/"], 30)
        ask(one, "open('trace', 'w').close()")
        assert ask(one, "import os; print(os.path.exists('trace'))") == "True"
        assert ask(other, "import os; print(os.path.exists('trace'))") == "False"


def test_what_it_started_ends_with_it_even_in_a_session_of_its_own(sandbox, image):
    with sandbox.start(image, Limits(), Launch()) as service:
        wait_ready(service, ["/"], 30)
        ask(service, "import subprocess; subprocess.Popen(['sleep', '95.31'], start_new_session=True)")
        seen = service.processes()
        assert {p.command for p in seen if p.uid == os.getuid()} >= {"sleep 95.31"}
        assert len(seen) == 2
        assert service.memory_mb() > 5
    assert not any(_runs(p.pid) for p in seen)


def test_it_ends_on_sigterm_and_its_code_is_told_as_an_engine_would(sandbox, image):
    with sandbox.start(image, Limits(), Launch()) as service:
        wait_ready(service, ["/"], 30)
        assert service.state().running
        service.stop(10)
        assert service.state().exit_code == 128 + signal.SIGTERM


def test_a_service_that_is_restarted_is_a_new_process_that_finds_what_the_first_one_left(sandbox, image):
    with sandbox.start(image, Limits(), Launch()) as service:
        wait_ready(service, ["/"], 30)
        ask(service, "import builtins; builtins.held = 1; open('left', 'w').close()")
        service.restart()
        wait_ready(service, ["/"], 30)
        assert (
            ask(service, "import builtins, os; print(hasattr(builtins, 'held'), os.path.exists('left'))")
            == "False True"
        )
    assert not service.state().running


def test_a_frozen_service_does_not_answer_until_it_goes_on(sandbox, image):
    with sandbox.start(image, Limits(), Launch()) as service:
        wait_ready(service, ["/"], 30)
        service.freeze(True)
        with pytest.raises(httpx.TimeoutException):
            httpx.get(service.url, timeout=0.5, trust_env=False)
        service.freeze(False)
        assert httpx.get(service.url, timeout=10, trust_env=False).status_code == 200


def test_it_is_moved_to_other_cores_with_all_its_threads(sandbox, image):
    affinities = (
        "import os; print({core for t in os.listdir('/proc/self/task') for core in os.sched_getaffinity(int(t))})"
    )
    with sandbox.start(image, Limits(), Launch(cpuset="0-1")) as service:
        wait_ready(service, ["/"], 30)
        assert ask(service, affinities) == "{0, 1}"
        service.move("1")
        assert ask(service, affinities) == "{1}"


def test_of_much_output_only_the_end_is_kept(sandbox, image):
    with sandbox.start(image, Limits(), Launch()) as service:
        wait_ready(service, ["/"], 30)
        ask(service, "import sys; sys.stderr.write(('x' * 99 + '\\n') * 50_000 + 'the end\\n')")
        # The pipe may still hold the end of it when the answer is here.
        end = time.monotonic() + 10
        while "the end" not in (said := service.logs()) and time.monotonic() < end:
            time.sleep(0.05)
    assert said.startswith("(only the last 512 kB")
    assert len(said) < 600_000
    assert "the end" in said


def test_a_service_that_ends_at_once_is_not_waited_for(sandbox, make, tmp_path):
    image = sandbox.build(make('FROM x\nCMD ["python3", "-c", "exit(3)"]\n'), Limits(), tmp_path / "log")
    with pytest.raises(NotReady, match="exited with code 3"), sandbox.start(image, Limits(), Launch()) as service:
        wait_ready(service, ["/"], 600)


@pytest.mark.parametrize(
    ("rest", "why"),
    [("", "neither ENTRYPOINT nor CMD"), ('CMD ["nosuchprogram"]\n', "nosuchprogram' cannot be started")],
)
def test_what_cannot_be_started_says_why(sandbox, make, tmp_path, rest, why):
    image = sandbox.build(make(f"FROM x\n{rest}"), Limits(), tmp_path / "log")
    with pytest.raises(CannotStart, match=why), sandbox.start(image, Limits(), Launch()):
        pass


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        (None, "no file 'Dockerfile'"),
        ("FROM x\nCOPY model /opt\n", "'model' is not among the submission's files"),
        ("FROM x\nRUN pip install -r missing.txt\n", "'missing.txt', which is not among"),
        ("FROM x\nRUN pip install nosuchpackage===broken===\n", "the requirements cannot be installed"),
    ],
)
def test_what_cannot_be_built_says_why(sandbox, make, tmp_path, dockerfile, why):
    with pytest.raises(BuildFailed, match=why):
        sandbox.build(make(dockerfile, other="file"), Limits(), tmp_path / "log")


def test_requirements_are_installed_once_whichever_submission_has_them(sandbox, make, tmp_path):
    files = {"requirements.txt": "colorama==0.4.6\n"}
    dockerfile = (
        "FROM x\nCOPY requirements.txt /tmp/\nRUN --mount=type=cache,target=/c pip install -r /tmp/requirements.txt\n"
    )
    program = 'CMD ["python", "-c", "import colorama; exit(5)"]\n'
    log = tmp_path / "log"
    sandbox.build(make(dockerfile, **files), Limits(), log)
    assert "colorama-0.4.6" in log.read_text()
    image = sandbox.build(make(dockerfile + program, **files), Limits(), log)
    assert "installed already" in log.read_text()
    with pytest.raises(NotReady, match="exited with code 5"), sandbox.start(image, Limits(), Launch()) as service:
        wait_ready(service, ["/"], 60)


# Beside it, any other test's sandbox would be the next.
@pytest.mark.alone
def test_what_a_killed_harness_left_running_is_ended_by_the_next(make, tmp_path):
    submission = make('FROM x\nCMD ["sleep", "94.21"]\n')
    code = f"""
import time
from pathlib import Path
from harness.sandbox import Launch, Limits, _venv, local
from harness.submission import export
local.WORK, _venv.VENVS = Path({str(local_sandbox.WORK)!r}), Path({str(_venv.VENVS)!r})
with local.LocalSandbox("victim", trusted=True) as sandbox:
    submission = export(Path({str(submission.source)!r}), Path({str(tmp_path / "export")!r}))
    image = sandbox.build(submission, Limits(), Path({str(tmp_path / "log")!r}))
    with sandbox.start(image, Limits(), Launch()) as service:
        print(service.processes()[0].pid, flush=True)
        time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    assert _runs(pid)
    assert list(local_sandbox.WORK.glob("*"))
    with LocalSandbox("next", trusted=True):
        assert not _runs(pid)
    assert list(local_sandbox.WORK.glob("*")) == []


def test_a_sweep_spares_processes_of_runs_that_live_and_those_without_our_label():
    labelled = {**os.environ, _processes.VARIABLE: _processes.new_label()}
    with subprocess.Popen(["sleep", "60"]) as stranger, subprocess.Popen(["sleep", "60"], env=labelled) as ours:
        time.sleep(0.2)
        _processes.end_strays()
        time.sleep(0.2)
        assert (stranger.poll(), ours.poll()) == (None, None)
        _processes.end(labelled[_processes.VARIABLE])
        assert ours.wait(10) == -signal.SIGKILL
        stranger.kill()


def _runs(pid: int) -> bool:
    for _ in range(30):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True

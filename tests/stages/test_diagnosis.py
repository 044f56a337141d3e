"""What does not build, start or get ready is told why, in plain words with the evidence beside it."""

from __future__ import annotations

import io
import subprocess
import tarfile

import pytest

from harness.readiness import NotReady
from harness.sandbox import BuildFailed
from harness.stages import image, startup
from stages.tiny import files, hurried

pytestmark = pytest.mark.engine
LOG = "The end of its output:"
KERNEL = ""
"""Where the finding is the kernel's own table, which the message itself tells."""


@pytest.fixture
def told(stage_of, folder_of, engine_sandbox):
    """The message of the check that fails where a service does not come up; it may use 64 MB and has three seconds."""

    def told(submission) -> str:
        stage = hurried(stage_of("startup", folder_of(submission), engine_sandbox), 64, ready_seconds=3)
        with pytest.raises(NotReady) as caught:
            startup.run(stage)
        (check,) = stage.checks
        assert (check.name, check.outcome) == ("becomes_ready", "failed")
        assert str(caught.value) == check.message
        return check.message

    return told


def program(code: str) -> dict:
    """A submission that runs this Python instead of a service."""
    return {**files(), "server.py": code}


HANGS = """
import socket, time
while True:
    try:
        socket.create_connection({address}, timeout=5)
    except OSError:
        time.sleep(0.2)
"""
EATS = "import time\nheld = [bytearray(2**22) for _ in range(100)]\ntime.sleep(99)\n"
FORKS = f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {EATS!r}])\ntime.sleep(99)\n"
SCRIPT = 'COPY --chmod=755 start /\nCMD ["/start"]\n'
RUN = 'CMD ["python", "server.py"]\n'
MODEL = "COPY model /opt/ml/model\n"
STARTS = {
    "it listens to itself": (
        files("loopback"), "it listens on 127.0.0.1:8080, which nothing outside its container can reach; bind 0.0.0.0",
        KERNEL),
    "it listens on another port": (
        files("port_5000"), "it listens on port 5000, not on 8080, which $PORT names", KERNEL),
    "it listens nowhere": (program("import time; time.sleep(99)"), "it listens on no port at all.", KERNEL),
    "it wants the network and ends": (files("wants_network"), "It wants the network at start, and there is none", LOG),
    "it waits for a name of the network": (
        program(HANGS.format(address="('example.org', 443)")), "it seems to wait for the network", "kernel's counters"),
    "it waits for an address of the network": (
        program(HANGS.format(address="('1.1.1.1', 443)")), "it seems to wait for the network", "kernel's counters"),
    "the image has no model, and it ends": (
        files("exits_without_model", old=MODEL, new=""), "The image has no model: there is no MLmodel file below", LOG),
    "the image has no model, and it lives on": (
        files(old=MODEL, new=""), "The image has no model: there is no MLmodel file below", "no MLmodel file in"),
    "it is never ready, and says why": (
        files("never_ready"), "/readyz answers 503", '{"detail": "the model is loaded"}'),
    "it is killed for memory": (
        program(EATS), "it was killed because it used more memory than its limit", "by the engine's own record"),
    "a child of it is killed for memory": (
        program(FORKS), "one of its processes was killed because it used more memory", "by the engine's own record"),
    "a program of no known kind": (
        {**files(old=RUN, new=SCRIPT), "start": "neither a script nor a program"}, "is a script without a #! line",
        LOG),
    "a program for another processor": (
        {**files(old=RUN, new=SCRIPT), "start": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(99)},
        "is for another kind of processor", LOG),
    "a script with the lines of Windows": (
        {**files(old=RUN, new=SCRIPT), "start": "#!/bin/sh\r\nexec python server.py\r\n"}, "#! line names a program",
        LOG),
    "a script that may not be executed": (
        {**files(old=RUN, new=SCRIPT.replace("755", "644")), "start": "#!/bin/sh\n"}, "COPY it with --chmod=755",
        "permission denied"),
    "a program that is not there": (
        files(old='"python", "server.py"', new='"gunicorn", "app"'), "The image starts gunicorn, which is not in it",
        "executable file not found"),
    "a module that is not there": (
        files(old='"server.py"]', new='"-m", "app"]'), "The Python package app is not in the image", LOG),
    "a write to its own file system": (
        files("writes_at_start"), "It writes to its own file system /app/state.json, which is read-only", LOG),
    "a file that only root may read": (
        files(old="COPY server.py .", new="COPY --chmod=600 server.py ."), "It may not open /app/server.py", LOG),
    "a port that is never expanded": (
        files(old='"server.py"]', new="\"-c\", \"int('$PORT')\"]"), "$PORT seems to be used without a default", LOG),
    "an end without a word": (program(""), "it exited with code 0", "(it printed nothing)"),
}  # fmt: skip


@pytest.mark.parametrize("case", STARTS)
def test_a_service_that_does_not_come_up_is_told_why_in_the_first_line(told, case):
    submission, cause, evidence = STARTS[case]
    message = told(submission)
    assert cause in message.splitlines()[0]
    assert evidence in message


UNSET = {
    "KeyError": files("no_port_default"),
    "an option without its value": files(
        old=RUN, new='CMD python -c "import argparse as a; p = a.ArgumentParser(); p.add_argument(\'--port\'); '
        'p.parse_args()" --port $PORT && exec python server.py\n'),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSET)
def test_a_port_without_a_default_is_told_though_the_service_comes_up_with_one(judge, folder_of, engine_sandbox, case):
    seen = judge("startup", folder_of(UNSET[case]), engine_sandbox, margin_seconds=5)
    assert seen.failed == {"port_default"}
    message = seen.checks["port_default"].message
    assert "with $PORT set it comes up" in message.splitlines()[0]
    assert "$PORT seems to be used without a default" in message.splitlines()[0]
    assert LOG in message


def archive(**content: str) -> bytes:
    """A source distribution that has to be compiled."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in content.items():
            member = tarfile.TarInfo(f"fastscore-1.0/{name.replace('_', '.', 1)}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


SOURCE = archive(
    setup_py="from setuptools import Extension, setup\n"
    "setup(name='fastscore', version='1.0', ext_modules=[Extension('fastscore', ['fastscore.c'])])\n",
    fastscore_c="int answer;\n",
)
INSTALL = "COPY wheels /wheels\nRUN pip install --no-index --no-build-isolation --find-links /wheels fastscore==1.0\n"
BUILDS = {
    "wheels for other Pythons only": (
        {**files(old="USER", new=f"{INSTALL}USER"), "wheels/fastscore-1.0-cp38-cp38-manylinux1_x86_64.whl": b""},
        "pip found no release of fastscore==1.0 that fits the base image's Python", "No matching distribution"),
    "a source that cannot be compiled": (
        {**files(old="USER", new=f"{INSTALL}USER"), "wheels/fastscore-1.0.tar.gz": SOURCE},
        "has no wheel for the base image's Python, so pip tried to compile it, and could not", "fastscore"),
    "a file that .dockerignore leaves out": (
        {**files(), ".dockerignore": "model\n"}, "It is in the repository, so .dockerignore leaves it out", "/model"),
    "a file that is nowhere": (
        files(old=MODEL, new="COPY models /opt/ml/model\n"), "COPY names /models", "It is not in the repository"),
}  # fmt: skip


def built(stage):
    """The message of the check that fails where an image does not build, which is the reason of the stage too."""
    with pytest.raises(BuildFailed) as caught:
        image.run(stage)
    (check,) = (check for check in stage.checks if check.outcome == "failed")
    assert check.name == "builds"
    assert str(caught.value) == check.message
    return check.message


@pytest.mark.parametrize("case", BUILDS)
def test_an_image_that_does_not_build_is_told_why_in_the_first_line(stage_of, folder_of, engine_sandbox, case):
    submission, cause, evidence = BUILDS[case]
    message = built(stage_of("image", folder_of(submission), engine_sandbox))
    assert cause in message.splitlines()[0]
    assert evidence in message
    assert "the build failed at" in message


def test_a_file_that_git_ignores_is_told_from_one_that_is_not_there(stage_of, folder_of, engine_sandbox):
    folder = folder_of({**files(), ".gitignore": "model/\n"})
    for command in (["git", "init", "-q"], ["git", "add", "."]):
        subprocess.run(command, cwd=folder, check=True)
    message = built(stage_of("image", folder, engine_sandbox))
    assert "COPY names /model" in message.splitlines()[0]
    assert "It lies in your folder, but git does not track it" in message.splitlines()[0]
    assert "the build failed at 'COPY model /opt/ml/model'" in message

"""Nothing of ours outlives a run, however it ended; nothing of anybody else's is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from docker.errors import ImageNotFound

from harness.sandbox import Launch, _owner, _sweep
from harness.sandbox.docker import DockerSandbox, sweep

from .conftest import SMALL

pytestmark = pytest.mark.engine
VICTIM = """
import sys, time
from harness.sandbox import Image, Launch, Limits
from harness.sandbox.docker import DockerSandbox
with DockerSandbox("victim") as sandbox:
    image = Image("", sys.argv[1], None, 0.0, {"Volumes": {"/data": {}}})
    with sandbox.start(image, Limits(), Launch()) as service:
        print("started", flush=True)
        time.sleep(600)
"""


def ours(engine, run: str) -> list[str]:
    labelled = {"label": f"{_owner.RUN}={run}"}
    found = [
        *engine.containers.list(all=True, filters=labelled),
        *engine.networks.list(filters=labelled),
        *engine.volumes.list(filters=labelled),
    ]
    return sorted(f"{type(thing).__name__} {thing.name}" for thing in found)


def rules() -> list[str]:
    if os.geteuid() != 0:
        return []
    listed = subprocess.run(["iptables", "-w", "5", "-S", "INPUT"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if _owner.RUN in line]


@pytest.fixture
def killed(prober):
    """A harness that was ended by SIGKILL while a service ran: its owner's name."""
    with subprocess.Popen([sys.executable, "-c", VICTIM, prober.digest], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        owner = _owner.of(process.pid)
        process.send_signal(signal.SIGKILL)
    return owner


def test_a_killed_harness_leaves_things_behind_and_the_next_run_removes_them(engine, killed):
    assert [name.split()[0] for name in ours(engine, "victim")] == ["Container", "Network", "Volume"]
    assert any(killed in rule for rule in rules()) or os.geteuid() != 0
    with DockerSandbox("next"):
        assert ours(engine, "victim") == []
        assert not any(killed in rule for rule in rules())


def test_a_sweep_says_what_it_removed(killed):
    removed = [line.split(" ")[0] for line in sweep()]
    assert {"container", "network", "volume"} <= set(removed)


def test_a_run_that_ends_removes_all_that_it_made(engine, prober):
    with DockerSandbox("ending") as sandbox, sandbox.start(prober, SMALL, Launch()):
        assert len(ours(engine, "ending")) == 3
        bridge = sandbox._closed.bridge
        assert any(bridge in rule for rule in rules()) or os.geteuid() != 0
    assert ours(engine, "ending") == []
    assert not any(bridge in rule for rule in rules())


def test_a_sweep_spares_runs_that_live_and_things_without_our_label(engine, sandbox, prober):
    stranger = engine.containers.create(prober.digest, labels={"somebody": "else"})
    try:
        with sandbox.start(prober, SMALL, Launch()) as service:
            sweep()
            assert service.state().running
        assert engine.containers.get(stranger.id)
        assert engine.images.get(prober.digest)
    finally:
        stranger.remove(force=True, v=True)


def test_images_are_kept_unless_their_removal_is_asked_for_and_only_ours_are_removed(engine, build, make):
    image = build(make("FROM python:3.11-slim-bookworm\nLABEL of=this-test\n"))
    base = engine.images.get("python:3.11-slim-bookworm")
    sweep()
    assert engine.images.get(image.digest)
    # By a label of this test's alone: others' images may be in use beside it.
    assert _sweep.images(engine, "of=this-test") == [f"image {image.reference}"]
    with pytest.raises(ImageNotFound):
        engine.images.get(image.digest)
    assert engine.images.get("python:3.11-slim-bookworm").id == base.id


def test_a_build_of_a_killed_harness_is_stopped_by_the_next_run(make):
    code = """
from pathlib import Path
from harness.sandbox import Limits
from harness.sandbox.docker import DockerSandbox
from harness.submission import export
import sys
with DockerSandbox("builder") as sandbox:
    sandbox.build(export(Path(sys.argv[1]), Path(sys.argv[2])), Limits(), Path(sys.argv[2] + ".log"))
"""
    submission = make(f"FROM python:3.11-slim-bookworm\nRUN : {time.time_ns()}; echo begun; sleep 97.53\n")
    copy = str(submission.source.parent / "copy")
    with subprocess.Popen([sys.executable, "-c", code, str(submission.source), copy]) as process:
        _until(lambda: _running("sleep 97.53"))
        process.send_signal(signal.SIGKILL)
    assert _running("sleep 97.53")
    sweep()
    _until(lambda: not _running("sleep 97.53"))


def _running(command: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"^{command}"], capture_output=True, check=False).returncode == 0


def _until(holds) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail("it did not come about within 30 s")

"""What candidate code in a container cannot do."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import docker
import httpx
import pytest

from harness.errors import InfrastructureError
from harness.readiness import wait_ready
from harness.sandbox import Image, Launch
from harness.sandbox.docker import DockerSandbox

from .conftest import SMALL, ask

pytestmark = pytest.mark.engine
CONNECT = """
import socket
for address in {addresses!r}:
    try:
        socket.create_connection(address, 2).close()
        print("open", *address)
    except OSError as error:
        print("closed", *address)
"""


@pytest.fixture
def listening():
    """A server of this machine's, bound to all its addresses."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104  # it is what the containers must not reach
        yield server.getsockname()[1]


def test_the_hosts_services_are_out_of_reach_through_any_of_its_addresses(probe, sandbox, engine, listening):
    gateway = engine.networks.get(sandbox._closed.network.id).attrs["IPAM"]["Config"][0]["Gateway"]
    outward = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    addresses = [(gateway, listening), (outward, listening), (socket.gethostbyname(socket.gethostname()), listening)]
    for address in addresses:
        socket.create_connection(address, 2).close()
    assert "open" not in probe(CONNECT.format(addresses=addresses))


def test_the_same_service_is_within_reach_of_a_container_on_an_ordinary_network(engine, prober, listening):
    """The control of the test above: without the closed network the door is open."""
    gateway = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    code = CONNECT.format(addresses=[(gateway, listening)])
    container = engine.containers.create(prober.digest, ["python3", "-c", code])
    try:
        container.start()
        container.wait(timeout=30)
        assert container.logs().decode().startswith("open")
    finally:
        container.remove(force=True, v=True)


def test_the_world_is_out_of_reach(probe):
    addresses = [("1.1.1.1", 443), ("8.8.8.8", 53), ("169.254.169.254", 80)]
    assert "open" not in probe(CONNECT.format(addresses=addresses))


def test_names_of_the_world_do_not_resolve(probe):
    assert "gaierror" in probe("import socket; print(socket.getaddrinfo('pypi.org', 443))")


def test_two_services_of_a_run_do_not_reach_each_other(sandbox, prober, probe):
    with sandbox.start(prober, SMALL, Launch(name="other")) as other:
        wait_ready(other, ["/"], 30)
        address = other.url.removeprefix("http://").split(":")[0]
        assert probe(CONNECT.format(addresses=[(address, 8080)])) == f"closed {address} 8080"


def test_services_in_company_reach_each_other_and_nothing_else_reaches_them(sandbox, prober, probe, listening):
    with (
        sandbox.company() as network,
        sandbox.start(prober, SMALL, Launch("one", network=network)) as one,
        sandbox.start(prober, SMALL, Launch("other", network=network)) as other,
    ):
        for service in (one, other):
            wait_ready(service, ["/"], 30)
        address = other.url.removeprefix("http://").split(":")[0]
        gateway = address.rpartition(".")[0] + ".1"
        assert ask(one, CONNECT.format(addresses=[(address, 8080)])) == f"open {address} 8080"
        assert probe(CONNECT.format(addresses=[(address, 8080)])) == f"closed {address} 8080"
        assert "open" not in ask(one, CONNECT.format(addresses=[("1.1.1.1", 443), (gateway, listening)]))


def test_company_leaves_no_network_behind(sandbox, engine):
    with sandbox.company() as network:
        assert engine.networks.list(names=[network])
    assert not engine.networks.list(names=[network])


def test_it_has_no_capabilities_and_can_gain_none(probe):
    status = dict(line.split(":\t", 1) for line in probe("print(open('/proc/self/status').read())").splitlines())
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.parametrize("path", ["/file", "/usr/file", "/data/file"])
def test_it_cannot_write_outside_tmp_not_even_to_a_volume_that_it_declares(probe, path):
    assert "Read-only file system" in probe(f"open({path!r}, 'w')")


def test_tmp_is_writable_up_to_its_limit(probe):
    assert probe("print(open('/tmp/small', 'wb').write(bytes(2**20)))") == str(2**20)
    assert "No space left on device" in probe(f"open('/tmp/large', 'wb').write(bytes({SMALL.tmp_mb + 1} * 2**20))")


def test_a_bounded_fork_bomb_is_stopped_by_the_pids_limit(probe):
    code = """
import os, signal, time
children = []
try:
    for _ in range(300):
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        children.append(pid)
except OSError as error:
    print(type(error).__name__)
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(len(children))
"""
    stopped, count = probe(code).splitlines()
    assert stopped == "BlockingIOError"
    assert 0 < int(count) < SMALL.pids


def test_being_killed_for_memory_is_seen(sandbox, prober):
    with sandbox.start(prober, SMALL, Launch()) as service:
        wait_ready(service, ["/"], 30)
        with pytest.raises(httpx.HTTPError):
            ask(service, f"x = bytearray({2 * SMALL.memory_mb} * 2**20)")
        service._container.wait(timeout=30)
        state = service.state()
    assert (state.running, state.killed_for_memory) == (False, True)


def test_its_environment_is_the_images_and_the_launchs_alone(probe):
    names = set(json.loads(probe("import json, os; print(json.dumps(list(os.environ)))")))
    assert names - {"LANG", "PIP_CERT", "SSL_CERT_FILE"} == {"PATH", "HOSTNAME", "HOME", "GREETING"}


def test_a_mounted_folder_can_be_read_and_not_written(sandbox, prober, tmp_path: Path):
    (tmp_path / "MLmodel").write_text("flavors: {}")
    tmp_path.chmod(0o755)
    (tmp_path / "MLmodel").chmod(0o666)
    with sandbox.start(prober, SMALL, Launch(mounts={tmp_path: "/mnt/models/current"})) as service:
        wait_ready(service, ["/"], 30)
        assert ask(service, "print(open('/mnt/models/current/MLmodel').read())") == "flavors: {}"
        assert "Read-only file system" in ask(service, "open('/mnt/models/current/MLmodel', 'a')")


def test_a_mounted_folder_that_a_service_could_not_read_is_our_fault(sandbox, prober, tmp_path: Path):
    tmp_path.chmod(0o700)
    launch = Launch(mounts={tmp_path: "/m"})
    with pytest.raises(InfrastructureError, match="owner only"), sandbox.start(prober, SMALL, launch):
        pass


def test_it_keeps_to_the_cores_it_is_given(sandbox, prober):
    with sandbox.start(prober, SMALL, Launch(cpuset="1")) as service:
        wait_ready(service, ["/"], 30)
        assert ask(service, "import os; print(os.sched_getaffinity(0))") == "{1}"
        service.move("0")
        assert ask(service, "import os; print(os.sched_getaffinity(0))") == "{0}"


def test_the_engine_says_that_every_limit_is_set(sandbox: DockerSandbox, prober: Image, engine: docker.DockerClient):
    with sandbox.start(prober, SMALL, Launch()) as service:
        config = engine.containers.get(service._container.id).attrs["HostConfig"]
    assert config["Memory"] == config["MemorySwap"] == SMALL.memory_mb * 2**20
    assert (config["NanoCpus"], config["PidsLimit"]) == (10**9, SMALL.pids)
    assert (config["ReadonlyRootfs"], config["CapDrop"], config["Privileged"]) == (True, ["ALL"], False)
    assert config["RestartPolicy"]["Name"] in ("", "no")
    assert config["LogConfig"]["Config"] == {"max-size": "5m", "max-file": "2"}


def test_nothing_says_that_a_door_is_open(sandbox):
    assert sandbox.notices == ()

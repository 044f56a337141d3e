"""A running service, seen from outside."""

from __future__ import annotations

import time

import httpx
import pytest

from harness.readiness import NotReady, wait_ready
from harness.sandbox import CannotStart, Launch

from .conftest import BASE, SMALL, ask

pytestmark = pytest.mark.engine
SLEEPER = """
import http.server, signal, sys, time
{on_term}
http.server.HTTPServer(("0.0.0.0", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def serve(sandbox, build, make):
    """Starts a service that does this on SIGTERM, waits until it is ready, and gives it to a test."""

    def start(on_term: str):
        program = SLEEPER.format(on_term=on_term)
        image = build(make(f'{BASE}COPY main.py /\nCMD ["python3", "/main.py"]\n', **{"main.py": program}))
        return sandbox.start(image, SMALL, Launch())

    return start


def test_a_service_that_heeds_sigterm_ends_with_its_own_code(serve):
    with serve("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))") as service:
        wait_ready(service, ["/"], 30)
        took = service.stop(20)
        assert service.state().exit_code == 7
        assert took < 20


def test_a_service_that_ignores_sigterm_is_killed_after_its_grace(serve):
    with serve("signal.signal(signal.SIGTERM, signal.SIG_IGN)") as service:
        wait_ready(service, ["/"], 30)
        took = service.stop(1)
        assert service.state().exit_code == 137
        assert took >= 1


def test_sigterm_is_sent_whatever_signal_the_image_asks_for(sandbox, build, make):
    program = SLEEPER.format(on_term="signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))")
    dockerfile = f'{BASE}COPY main.py /\nSTOPSIGNAL SIGKILL\nCMD ["python3", "/main.py"]\n'
    with sandbox.start(build(make(dockerfile, **{"main.py": program})), SMALL, Launch()) as service:
        wait_ready(service, ["/"], 30)
        service.stop(20)
        assert service.state().exit_code == 7


def test_a_frozen_service_does_not_answer_until_it_goes_on(serve):
    with serve("") as service:
        wait_ready(service, ["/"], 30)
        service.freeze(True)
        with pytest.raises(httpx.TimeoutException):
            httpx.get(service.url, timeout=0.5, trust_env=False)
        assert service.state().running
        service.freeze(False)
        assert httpx.get(service.url, timeout=10, trust_env=False).status_code == 200


def test_a_frozen_service_can_be_stopped(serve):
    with serve("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))") as service:
        wait_ready(service, ["/"], 30)
        service.freeze(True)
        service.stop(20)
        assert service.state().exit_code == 7


def test_a_service_that_has_ended_can_be_stopped_frozen_and_looked_at(serve):
    with serve("sys.exit(4)") as service:
        service.stop(20)
        service.stop(20)
        service.freeze(True)
        assert service.state().exit_code == 4
        assert service.processes() == ()
        assert service.cpu_file() is None
        assert service.logs() == ""


def test_a_service_that_is_restarted_is_a_new_process_with_an_empty_tmp_and_an_address(sandbox, prober):
    with sandbox.start(prober, SMALL, Launch()) as service:
        wait_ready(service, ["/"], 30)
        ask(service, "import builtins, pathlib; builtins.held = 1; pathlib.Path('/tmp/left').touch()")
        first = service.processes()[0].pid
        service.restart()
        wait_ready(service, ["/"], 30)
        assert service.processes()[0].pid != first
        seen = ask(service, "import builtins, os; print(hasattr(builtins, 'held'), os.listdir('/tmp'))")
    assert seen == "False []"


def test_a_service_that_has_ended_or_is_frozen_can_be_restarted(serve):
    with serve("signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))") as service:
        wait_ready(service, ["/"], 30)
        service.stop(20)
        for _ in range(2):
            service.restart()
            wait_ready(service, ["/"], 30)
            service.freeze(True)


def test_its_processes_are_seen_with_the_numbers_of_their_users(sandbox, prober, serve):
    with sandbox.start(prober, SMALL, Launch()) as service:
        wait_ready(service, ["/"], 30)
        ask(service, "import subprocess; subprocess.Popen(['sleep', '60'])")
        seen = {(p.command, p.uid) for p in service.processes()}
    assert seen == {("python3 /prober.py", 1000), ("sleep 60", 1000)}
    with serve("") as service:
        wait_ready(service, ["/"], 30)
        assert [p.uid for p in service.processes()] == [0]


def test_the_cpu_account_grows_with_what_the_service_burns(sandbox, prober):
    with sandbox.start(prober, SMALL, Launch()) as service:
        wait_ready(service, ["/"], 30)
        before = _cpu_seconds(service)
        burnt = float(ask(service, "import time\nwhile time.process_time() < 1: pass\nprint(time.process_time())"))
        assert _cpu_seconds(service) - before > burnt / 2


def _cpu_seconds(service) -> float:
    file = service.cpu_file()
    text = file.read_text()
    return int(text.split()[1]) / 1e6 if file.name == "cpu.stat" else int(text) / 1e9


def test_the_memory_account_grows_with_what_the_service_holds(sandbox, prober):
    with sandbox.start(prober, SMALL, Launch()) as service:
        wait_ready(service, ["/"], 30)
        before = service.memory_mb()
        ask(service, "import builtins; builtins.held = bytearray(b'x') * (50 * 2**20)")
        assert 45 < service.memory_mb() - before < 60


def test_of_much_output_only_the_end_is_read(sandbox, prober):
    with sandbox.start(prober, SMALL, Launch()) as service:
        wait_ready(service, ["/"], 30)
        ask(
            service,
            "import sys\nfor i in range(30): sys.stderr.write('x' * 2**20 + '\\n')\nsys.stderr.write('the end\\n')",
        )
        for _ in range(100):
            if "the end" in (said := service.logs()):
                break
            time.sleep(0.1)
    assert said.startswith("(only the last 512 kB")
    assert len(said) < 600_000
    assert "the end" in said


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ('CMD ["python3", "-c", "raise SystemExit(3)"]', "exited with code 3"),
        ('COPY --chmod=755 data /data\nCMD ["/data"]', "exec format error"),
    ],
)
def test_a_service_that_ends_at_once_is_not_waited_for(sandbox, build, make, rest, why):
    image = build(make(f"{BASE}{rest}\n", data="neither a script nor a program"))
    with pytest.raises(NotReady, match=why), sandbox.start(image, SMALL, Launch()) as service:
        wait_ready(service, ["/"], 600)


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ('CMD ["nosuchprogram"]', "executable file not found"),
        ('COPY --chmod=644 data /data\nCMD ["/data"]', "permission denied"),
        ('USER nobodyknows\nCMD ["python3"]', "unable to find user"),
        ("ENTRYPOINT []\nCMD []", "no command specified"),
    ],
)
def test_an_image_that_cannot_be_run_costs_the_candidate_and_says_why(sandbox, build, make, rest, why):
    image = build(make(f"{BASE}{rest}\n", data="neither a script nor a program"))
    with pytest.raises(CannotStart, match=why) as caught, sandbox.start(image, SMALL, Launch()):
        pytest.fail("it started")
    assert "Check ENTRYPOINT and CMD" in str(caught.value)

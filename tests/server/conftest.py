"""Intakes to send to, and a PostgreSQL server where this machine has one."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
import sample_report
from intakes import Intake, until

from harness.challenge import HOME
from harness.server.database import Database


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Makes a folder that the quick grader copies its reports from and logs to."""

    def make():
        folder = tmp_path_factory.mktemp("template")
        (folder / "report.json").write_text(sample_report.report().model_dump_json())
        shutil.copy(HOME / "fraud_detection" / "challenge.toml", folder)
        return folder

    return make


@pytest.fixture(scope="session")
def new_intake(tmp_path_factory, template):
    """Makes intakes that are not yet started; those that run at the end are stopped."""
    made = []

    def make(*options):
        folder = tmp_path_factory.mktemp("intake")
        made.append(Intake(folder / "home", template(), folder / "server.log", options))
        return made[-1]

    yield make
    for intake in made:
        if intake.process and intake.process.poll() is None:
            intake.process.kill()
            intake.process.wait()


@pytest.fixture(scope="session")
def intake(new_intake):
    """An intake that runs, shared by the tests that need nothing special of it."""
    intake = new_intake("--cap-mb", "1", "--token-rate", "10000/minute", "--address-rate", "10000/minute")
    intake.start()
    return intake


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a PostgreSQL server that was started for these tests."""
    # Where Debian keeps them, which is no part of PATH.
    path = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    binaries = [shutil.which(name, path=path) for name in ("initdb", "postgres")]
    if not all(binaries):
        _without("there is no PostgreSQL here")
    initdb, postgres = (Path(name).resolve() for name in binaries)
    as_user = _as_user()
    folder = Path(tempfile.mkdtemp(prefix="harness-postgresql-"))
    if "user" in as_user:
        os.chown(folder, pwd.getpwnam(as_user["user"]).pw_uid, -1)
    data = folder / "data"
    make = [initdb, "-D", data, "-A", "trust", "-U", "intake", "--no-sync", "-E", "UTF8", "--locale", "C"]
    subprocess.run(make, check=True, capture_output=True, cwd="/", **as_user)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [postgres, "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/", **as_user)
    try:
        until(lambda: _listens(port), "PostgreSQL listens")
        yield f"postgresql://intake@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'intake.db'}"
    server = request.getfixturevalue("postgresql")
    name = f"test_{os.getpid()}_{abs(hash(request.node.nodeid))}"
    maker = Database(server)
    with maker.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    maker.close()
    return f"{server.rpartition('/')[0]}/{name}"


@pytest.fixture
def database(url):
    """An empty database with its tables, of either kind."""
    database = Database(url)
    database.migrate()
    yield database
    database.close()


def _as_user():
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return {"user": pwd.getpwnam(name).pw_name, "extra_groups": []}
    _without("PostgreSQL does not run as root, and there is nobody else")
    return {}


def _without(why):
    if os.environ.get("HARNESS_REQUIRE_POSTGRESQL"):
        pytest.fail(f"HARNESS_REQUIRE_POSTGRESQL is set, and {why}", pytrace=False)
    pytest.skip(why)


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False

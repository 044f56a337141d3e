"""The worker and its queue: what breaks off is tried again, and no two workers end one job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from intakes import GRADER, pack, until
from sqlalchemy import select, update

from harness.server import audit, invitations, queue, submissions
from harness.server.database import Database
from harness.server.settings import Settings
from harness.server.submissions import Arrived
from harness.server.tables import Job, State
from harness.server.worker import Worker


@pytest.fixture
def settings(tmp_path, url, template):
    grader = (sys.executable, str(GRADER), "{submission}", "{runs}", str(template()))
    settings = Settings(tmp_path / "home", url, grader=grader, pause_seconds=0, failures=2)
    settings.prepare()
    return settings


def hand_in(settings: Settings, database: Database, tmp_path, name, **files):
    sent = pack(tmp_path, name, **files)
    with database.write() as session:
        shown, _ = invitations.create(session, candidate="A", challenge="fraud_detection", deadline=None, attempts=1)
    path = settings.incoming / name
    path.write_bytes(sent.content)
    arrived = Arrived(path, sent.sha256, datetime.now(UTC))
    assert submissions.accept(settings, database, shown.id, sent.digest, arrived)[1]
    return sent


def job(database):
    with database.read() as session:
        return session.scalars(select(Job)).one()


def work(settings, database, *states):
    ends = []
    worker = Worker(settings, database, lambda claim, state, run: ends.append((claim.digest, state, run)))
    worker.start()
    try:
        until(lambda: job(database).state in states and ends, f"the job is {states}")
    finally:
        worker.stop()
    return ends


def events(database):
    with database.read() as session:
        return [line.event for line in audit.read(session)]


def test_a_grading_that_crashes_once_is_tried_again(settings, database, tmp_path):
    sent = hand_in(settings, database, tmp_path, "crasher", behaviour="crash")
    ends = work(settings, database, State.GRADED)
    assert [(digest, state) for digest, state, _ in ends] == [(sent.digest, State.GRADED)]
    assert (settings.runs / ends[0][2] / "report.json").is_file()
    assert events(database)[2:] == ["grading started", "grading broken off", "grading started", "graded"]
    assert not list(settings.work.iterdir())


def test_a_grading_that_is_void_again_and_again_waits_for_a_person_who_can_queue_it_anew(settings, database, tmp_path):
    sent = hand_in(settings, database, tmp_path, "voided", behaviour="void")
    work(settings, database, State.FAILED)
    assert job(database).error.startswith("void, run run-")
    assert job(database).claim == 2
    with database.write() as session:
        queue.requeue(session, sent.digest[:12])
    assert (job(database).state, job(database).failures) == (State.QUEUED, 0)


def test_a_grader_that_cannot_be_run_is_named(settings, database, tmp_path):
    hand_in(settings, database, tmp_path, "unrun")
    work(
        Settings(settings.home, settings.database, grader=("/no/such", "{submission}"), failures=1), database, "failed"
    )
    assert "/no/such cannot be run: No such file" in job(database).error


def test_a_grading_that_ended_while_the_server_was_dead_is_not_done_again(settings, database, tmp_path):
    hand_in(settings, database, tmp_path, "ended")
    work(settings, database, State.GRADED)
    run = job(database).run
    place = settings.work / str(job(database).submission_id)
    (place / "claim-1").mkdir(parents=True)
    (place / "claim-1" / "stdout").write_text((settings.runs / run / "report.json").read_text())
    (place / "ended").write_text('{"name": "claim-1", "code": 0}')
    with database.write() as session:
        session.execute(update(Job).values(state=State.GRADING, owner="elsewhere/1/1.0", lease_until=None, run=""))
    work(settings, database, State.GRADED)
    assert job(database).run == run
    assert len(list(settings.runs.iterdir())) == 1


def test_a_job_has_one_worker_until_that_one_is_dead(settings, database, tmp_path):
    hand_in(settings, database, tmp_path, "one")
    with database.write() as session:
        first = queue.take(session, "elsewhere/1/1.0", 60)
    with database.write() as session:
        assert queue.take(session, queue.owner(), 60) is None
    with database.write() as session:
        session.execute(update(Job).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
    with database.write() as session:
        second = queue.take(session, queue.owner(), 60)
    assert (first.number, second.number) == (1, 2)
    with database.write() as session:
        assert not queue.renew(session, first, 60, stage="", message="", done="")
        assert not queue.finish(session, first, State.GRADED, run="wrong")
        assert not queue.put_back(session, first)
        assert queue.finish(session, second, State.GRADED, run="right")
        assert not queue.finish(session, second, State.GRADED, run="twice")
    assert (job(database).state, job(database).run) == (State.GRADED, "right")
    assert events(database).count("graded") == 1


def test_of_many_workers_that_ask_at_once_one_gets_the_job(settings, database, tmp_path):
    hand_in(settings, database, tmp_path, "contended")
    code = (
        "import sys; from harness.server.database import Database; from harness.server import queue\n"
        "with Database(sys.argv[1]).write() as session: print(queue.take(session, queue.owner(), 600) is not None)\n"
        "sys.stdout.flush(); sys.stdin.read()"
    )
    askers = [
        subprocess.Popen([sys.executable, "-c", code, settings.url], stdin=-1, stdout=-1, text=True) for _ in range(4)
    ]
    got = [asker.stdout.readline().strip() for asker in askers]
    for asker in askers:
        asker.communicate()
    assert sorted(got) == ["False", "False", "False", "True"]


def test_a_dead_process_of_this_machine_is_not_waited_for(settings, database, tmp_path):
    hand_in(settings, database, tmp_path, "orphan")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = queue.owner().rsplit("/", 2)[0]
    with database.write() as session:
        queue.take(session, f"{host}/{dead.pid}/1.0", 3600)
    with database.write() as session:
        assert queue.take(session, queue.owner(), 60).number == 2


def test_a_command_ends_with_the_process_that_asked_for_it(tmp_path):
    (tmp_path / "claim-1").mkdir()
    command = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
    leash = [sys.executable, "-m", "harness.server.leash", str(tmp_path), "claim-1", *command]
    starter = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({leash!r}, stdin=-1); time.sleep(600)"]
    )
    printed = tmp_path / "claim-1" / "stdout"
    until(lambda: printed.is_file() and printed.read_text().strip(), "the command runs")
    pid = int(printed.read_text())
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    until(lambda: not alive(pid), "the command has ended")
    assert not (tmp_path / "ended").exists()


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

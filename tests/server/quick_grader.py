"""A grader that takes no time: leaves a run folder, prints progress and a report as `harness grade` does.

    quick_grader.py SUBMISSION RUNS TEMPLATE

TEMPLATE holds the report to copy, and the log of what was graded. A file `behaviour` in a submission makes it slow,
void, or crash the first time. A second grading of the same submission at the same time is logged as an overlap.
"""

import fcntl
import json
import os
import shutil
import sys
import time
from pathlib import Path


def main():
    submission, runs, template = map(Path, sys.argv[1:])
    behaviour = (submission / "behaviour").read_text() if (submission / "behaviour").exists() else ""
    name = (submission / "name").read_text()
    with (template / f"lock-{name}").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(template, "overlap", name)
        note(template, "started", name)
        say("[    0 s] functional  sending requests (0 of about 12 s)")
        say("passed   repository     0.6 s  4/4 checks")
        if behaviour == "slow" and not (template / "hurry").exists():
            time.sleep(60)
        if behaviour == "crash" and first(template, name):
            sys.exit("the disk went away")
        run = f"run-{submission.name}-{os.getpid()}-{time.monotonic_ns()}"
        report = json.loads((template / "report.json").read_text())
        report["run"]["id"] = run
        report["void"] = behaviour == "void"
        (runs / run).mkdir()
        (runs / run / "report.json").write_text(json.dumps(report))
        shutil.copy(template / "challenge.toml", runs / run)
        sys.stdout.write(json.dumps(report))
        note(template, "graded", name)
    sys.exit(3 if report["void"] else 0)


def say(line):
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def note(template, event, name):
    with (template / "log").open("a") as file:
        file.write(f"{event} {name}\n")


def first(template, name):
    before = template / f"crashed-{name}"
    there = before.exists()
    before.touch()
    return not there


main()

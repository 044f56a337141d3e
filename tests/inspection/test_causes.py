"""What programs print when they fail, and the cause that a candidate is told."""

from __future__ import annotations

import pytest

from harness.inspection import build_failure, start_failure

STARTS = {
    "ValueError: invalid literal for int() with base 10: ''": "$PORT seems to be used without a default",
    "Error: '$PORT' is not a valid port number.": "$PORT seems to be used without a default",
    "KeyError: 'PORT'": "$PORT seems to be used without a default",
    "Error: Invalid value for '--port': '$PORT' is not a valid integer.": "$PORT seems to be used without a default",
    "Error: Option '--port' requires an argument.": "$PORT seems to be used without a default",
    "Error: '' is not a valid port number.": "$PORT seems to be used without a default",
    "app.py: error: argument --port: expected one argument": "$PORT seems to be used without a default",
    "OSError: [Errno 30] Read-only file system: '/app/logs'": "its own file system /app/logs, which is read-only",
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(...): Max retries exceeded": "wants the network",
    "socket.gaierror: [Errno -3] Temporary failure in name resolution": "wants the network at start",
    "FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/model/MLmodel'": "does not find its model",
    "FileNotFoundError: [Errno 2] No such file or directory: 'data/train.csv'": "does not find data/train.csv",
    "PermissionError: [Errno 13] Permission denied: '/app/cache'": "may not open /app/cache",
    "python: can't open file '/app/x.py': [Errno 13] Permission denied": "may not open /app/x.py",
    'exec: "/start.sh": permission denied: unknown': "starts /start.sh, which may not be executed",
    "exec /start.sh: no such file or directory": "starts /start.sh, which is not in it, or whose #! line",
    "ModuleNotFoundError: No module named 'sklearn'": "package sklearn is not in the image",
    "ImportError: libgomp.so.1: cannot open shared object file: No such file": "library libgomp.so.1 is not in",
    "exec /app/start.sh: exec format error": "without a #! line",
    "MemoryError": "more memory than the limit",
    "/bin/sh: 1: gunicorn: not found": "starts gunicorn, which is not in it",
    "ValueError: something of its own": "",
    "": "",
}  # fmt: skip
BUILDS = {
    "ERROR: No matching distribution found for torch==1.4.0": "no release of torch==1.4.0",
    "ERROR: Could not find a version that satisfies the requirement numpy==9 (from versions: none)": "numpy==9",
    "Building wheel for numpy failed\nERROR: Failed building wheel for numpy": "A package (numpy) has no wheel",
    "error: subprocess-exited-with-error": "A package has no wheel",
    'failed to calculate checksum of ref x: "/model": not found': "COPY names /model",
    "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE": "does not match the hash",
    "ERROR: ResolutionImpossible": "contradict each other",
    "error: externally-managed-environment": "outside a virtual environment",
    "/bin/sh: 1: curl: not found": "no program curl",
    "python: can't open file '/app/train.py': [Errno 2] No such file": "the file /app/train.py",
    "nothing that is known": "",
}


@pytest.mark.parametrize("said", STARTS)
def test_the_cause_of_a_failed_start_is_told(said):
    assert STARTS[said] in start_failure.cause(f"Traceback (most recent call last):\n{said}\n")
    assert bool(STARTS[said]) == bool(start_failure.cause(said))


@pytest.mark.parametrize("said", BUILDS)
def test_the_cause_of_a_failed_build_is_told(said):
    assert BUILDS[said] in build_failure.cause(said)
    assert bool(BUILDS[said]) == bool(build_failure.cause(said))


def test_a_path_that_was_not_written_to_is_told_apart_from_none():
    assert start_failure.read_only("OSError: [Errno 30] Read-only file system: '/app/x'") == "/app/x"
    assert start_failure.read_only("touch: read-only file system") == ""
    assert start_failure.read_only("all is well") is None


def test_endless_output_is_no_trouble():
    assert start_failure.cause("No such file or directory" * 200_000) == ""

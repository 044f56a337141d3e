"""Files made to break whoever reads them cost time neither without end nor the harness its life."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise

import pytest

from harness.inspection import ci, documents, loads, pins, secrets, suite
from harness.inspection.checkout import Checkout
from harness.inspection.dockerfile import parse

LONG = 900_000
LETTERS = "abcdefghijklmnopqrst"
ALIASES = [f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}]\n" for old, new in pairwise(LETTERS)]
MUTUAL = [f"def test_{i}(): {' ; '.join(f'test_{j}' for j in range(60))}\n" for i in range(60)]
FILES = {
    "a bomb of aliases": (".github/workflows/ci.yml", "on: push\na: &a [x, x]\n" + "".join(ALIASES)),
    "a deep document": (".github/workflows/ci.yml", "[" * 100_000),
    "a Makefile that calls itself": ("Makefile", "all: all all all\n\tmake all all\n" + "x: " + "x " * 50_000),
    "a workflow that calls itself": ("scripts/ci.sh", "bash scripts/ci.sh; " * 10_000),
    "nested Python": ("tests/test_a.py", "def test_predict(): assert " + "(" * LONG),
    "a chain of calls": ("tests/test_a.py", "f" + "()" * 100_000),
    "names that refer to each other": ("tests/test_a.py", "".join(MUTUAL)),
    "requirements that include themselves": ("requirements.txt", "-r requirements.txt\n" * 1000),
    "a long line": ("config.yaml", "a_" * (LONG // 2)),
    "a long line of keys": ("config.yaml", "api_key" * (LONG // 7)),
    "many quotation marks": ("README.md", "```sh\n" + "'\"" * 50_000 + "\n" + "'\n" * 50_000 + "```\n"),
    "a continuation without end": ("Dockerfile", "FROM a\nRUN x" + " \\\n" * 300_000),
    "here-documents without end": ("Dockerfile", "FROM a\n" + "RUN <<A <<B <<C\n" * 20_000),
    "nothing but zeros": ("Dockerfile", "\0" * LONG),
}  # fmt: skip


def examine(folder) -> bool:
    files = Checkout(folder)
    dockerfile = parse(files.text("Dockerfile"))
    dockerfile.foreign_images()
    pins.dependencies(files, dockerfile)
    suite.read(files)
    ci.read(files)
    list(loads.unsafe_loads(files))
    list(documents.broken_commands(files, "README.md"))
    return all(list(secrets.find(name, files.text(name))) is not None for name in files.names)


@pytest.mark.parametrize("case", FILES)
def test_a_hostile_file_is_examined_within_the_minute(tmp_path, case):
    name, text = FILES[case]
    start = {".github/workflows/ci.yml": "on: push\njobs: {a: {steps: [{run: make all}, {run: bash scripts/ci.sh}]}}\n"}
    for path, content in {**start, name: text}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(examine, tmp_path).result(timeout=60)


def test_links_and_pipes_are_never_opened(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("secret")
    inside = tmp_path / "submission"
    inside.mkdir()
    (inside / "Dockerfile").symlink_to(outside)
    (inside / "etc").symlink_to("/etc")
    os.mkfifo(inside / "pipe")
    files = Checkout(inside)
    assert files.names == ()
    assert files.text("Dockerfile") == ""


def test_names_that_are_not_unicode_can_be_printed(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.pyc")).write_bytes(b"")
    (name,) = Checkout(tmp_path).names
    assert name.encode("utf-8")

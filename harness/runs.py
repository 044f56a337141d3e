"""The run folder: written once, stage by stage, by atomic rename; read back whole or in part."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from grading.evidence import Evidence, Run, StageResult
from grading.review import Review
from harness.errors import UsageError


def create(runs: Path, run: Run, challenge_file: Path) -> Path:
    """Make the folder of a new run and write what is known at its start."""
    folder = runs / run.id
    (folder / "evidence").mkdir(parents=True)
    shutil.copyfile(challenge_file, folder / "challenge.toml")
    write_run(folder, run)
    return folder


def write_run(folder: Path, run: Run) -> None:
    """Write `run.json`."""
    write(folder / "run.json", run.model_dump_json(indent=2) + "\n")


def write_stage(folder: Path, index: int, result: StageResult) -> None:
    """Write the evidence of one stage."""
    write(folder / "evidence" / f"{index:02d}-{result.stage}.json", result.model_dump_json(indent=2) + "\n")


def append_review(folder: Path, review: Review) -> None:
    """Append a person's judgement."""
    with (folder / "reviews.jsonl").open("a", encoding="utf-8") as file:
        file.write(review.model_dump_json() + "\n")


def read(folder: Path) -> tuple[Evidence, tuple[Review, ...]]:
    """The evidence and reviews of a run, whole or broken off.

    Raises:
        UsageError: the folder is not that of a run, or a file in it is damaged.
    """
    if not (folder / "run.json").is_file():
        raise UsageError(f"{folder} is not the folder of a run", "Run folders are made by 'harness grade', in runs/.")
    try:
        run = Run.model_validate_json((folder / "run.json").read_bytes())
        stages = [StageResult.model_validate_json(p.read_bytes()) for p in sorted(folder.glob("evidence/*.json"))]
        journal = folder / "reviews.jsonl"
        lines = journal.read_text("utf-8").splitlines() if journal.is_file() else []
        reviews = TypeAdapter(tuple[Review, ...]).validate_python([json.loads(line) for line in lines if line.strip()])
    except (ValidationError, ValueError) as error:
        raise UsageError(f"a file in {folder} is damaged: {error}") from error
    return Evidence(run=run, stages=tuple(stages)), reviews


def write(path: Path, content: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)

"""The import rules of ARCHITECTURE.md, held against the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("harness", "grading", "challenges", "candidate_template")
# The packages that may touch an engine, subprocesses or sockets of candidate code.
STAGES = ("drift", "functional", "inspection", "lifecycle", "load", "resilience", "robustness", "startup")
REACHES_OUT = ("harness.sandbox", "harness.stages", *(f"harness.{name}" for name in STAGES))
LAYERS = ("evidence", "review", "rubric", "kpis", "report", "formats", "calibration")


def sources(*folders: str) -> list[Path]:
    return sorted(p for f in folders for p in (ROOT / f).rglob("*.py") if "submissions" not in p.parts)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Everything a file imports, relative imports resolved; `from a import b` counts as `a` and `a.b`."""
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def offenders(paths: list[Path], *forbidden: str) -> list[str]:
    def hit(name: str) -> bool:
        return any(name == f or name.startswith(f + ".") for f in forbidden)

    return [f"{module_name(p)} imports {n}" for p in paths for n in sorted(imports(p)) if hit(n)]


def test_there_is_something_to_check():
    assert len(sources("harness")) > 10
    assert len(sources("grading")) > 5


def test_grading_imports_nothing_of_the_harness():
    assert offenders(sources("grading"), "harness", "challenges", "docker", "subprocess", "socket", "httpx") == []


def test_grading_reads_no_clock_and_no_files():
    assert offenders(sources("grading"), "time", "datetime", "random", "os") == []


@pytest.mark.parametrize("layer", LAYERS)
def test_inside_grading_imports_run_one_way(layer):
    place = ROOT / "grading" / layer
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    later = [f"grading.{name}" for name in LAYERS[LAYERS.index(layer) + 1 :]]
    assert offenders(paths, *later) == []


def test_stages_never_see_the_rubric_or_the_pipeline():
    paths = sources("harness/stages", "harness/sandbox")
    forbidden = (
        "grading.rubric",
        "grading.report",
        "grading.review",
        "grading.formats",
        "harness.pipeline",
        "harness.cli",
    )
    assert offenders(paths, *forbidden) == []


def test_no_stage_imports_another_stage():
    for path in sources("harness/stages"):
        others = [
            f"harness.stages.{p.stem}" for p in sources("harness/stages") if p not in (path,) and p.stem != "__init__"
        ]
        assert offenders([path], *others) == []


def test_challenges_import_only_the_kit_of_ours():
    named = {n for p in sources("challenges") for n in imports(p) if n.split(".")[0] in OURS}
    assert all(n == "harness.kit" or n.startswith("harness.kit.") or n == "harness" for n in named), named


def test_the_candidate_template_imports_nothing_of_ours():
    assert offenders(sorted((ROOT / "candidate_template").rglob("*.py")), "harness", "grading", "challenges") == []


def test_known_submissions_import_nothing_of_ours():
    paths = sorted((ROOT / "challenges").glob("*/submissions/**/*.py"))
    assert paths
    assert offenders(paths, "harness", "grading", "challenges") == []


def test_only_sandboxes_and_stages_touch_the_engine():
    paths = [p for p in sources("harness") if not module_name(p).startswith(REACHES_OUT)]
    # The doctor examines the engine; a submission's files are listed by git, a known one's patch is applied by it, and
    # a candidate's repository is made and pushed by it; hooks run it on what was pushed, by its safe side only. The
    # intake and hooks grade in a process of its own.
    git = {"submission", "calibration.making", "journey.git", "hooks.git", "hooks.tree"}
    allowed = {f"harness.{name}" for name in ("doctor", *git, "server.grading", "server.leash", "hooks.grader")}
    assert [o for o in offenders(paths, "docker", "subprocess") if o.split()[0] not in allowed] == []


def test_grading_knows_nothing_of_the_candidate_s_journey():
    own = ("harness.journey", "harness.cli_journey", "harness.__main__")
    paths = [p for p in sources("harness") if not module_name(p).startswith(own)]
    assert offenders(paths, "harness.journey", "harness.cli_journey") == []


def test_only_the_command_line_knows_of_the_intake_and_its_hooks():
    paths = [p for p in sources("harness") if not module_name(p).startswith(("harness.server", "harness.hooks"))]
    found = offenders(paths, "harness.server", "harness.cli_server", "harness.hooks", "harness.cli_hooks")
    assert [o for o in found if not o.startswith(("harness.cli_", "harness.__main__ "))] == []


def test_the_intake_grades_by_the_command_line_alone():
    ours = {n for p in sources("harness/server") for n in imports(p) if n.split(".")[0] in OURS}
    may = ("bundle", "receipts", "submission", "challenge", "errors", "hooks", "server", "__version__")
    known = {f"harness.{name}" for name in may}
    harness = {n for n in ours if n.startswith("harness.")}
    assert {n for n in harness if ".".join(n.split(".")[:2]) not in known} == set()


def test_hooks_import_only_what_a_submission_and_its_receipt_are():
    allowed = ("bundle", "receipts", "submission", "challenge", "errors", "runs", "hooks")
    found = {n for p in sources("harness/hooks") for n in imports(p) if n.startswith("harness.")}
    assert {n for n in found if n.split(".")[1] not in allowed} == set()


def test_challenges_are_loaded_by_path_never_by_import():
    assert offenders(sources("harness", "grading"), "challenges") == []


def test_no_file_is_longer_than_300_lines():
    paths = [*sources(*OURS, "bench", "tests"), *(ROOT / "challenges").glob("*/submissions/**/*.py")]
    assert {p.name: n for p in paths if (n := len(p.read_text("utf-8").splitlines())) > 300} == {}

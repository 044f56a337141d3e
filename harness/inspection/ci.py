"""What a submission's continuous integration does: which commands it runs, its own scripts and Makefile followed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from harness.inspection import makefile
from harness.inspection.checkout import Checkout
from harness.inspection.shell import commands

GITHUB = (".github/workflows/*.yml", ".github/workflows/*.yaml", ".forgejo/workflows/*.y*ml", ".gitea/workflows/*.y*ml")
OTHERS = (
    ".gitlab-ci.yml", ".circleci/config.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml", "Jenkinsfile",
    ".travis.yml", ".drone.yml", ".woodpecker.yml", ".woodpecker/*.y*ml", ".buildkite/pipeline.yml", "cloudbuild.yaml",
    "buildspec.yml", ".tekton/*.y*ml", ".cirrus.yml",
)  # fmt: skip
TESTS = re.compile(
    r"\b(?:pytest|unittest|tox|nox|hatch test|go test|cargo test|(?:npm|yarn|pnpm|bun)(?: run)? test"
    r"|mvn\b.*\b(?:test|verify)|gradlew?\b.*\b(?:test|check)|bats|hurl|dotnet test|nosetests|behave)\b"
)
BUILDS = re.compile(
    r"\b(?:docker|podman|nerdctl)\s+(?:buildx\s+|image\s+)?(?:build|bake)\b|\bdocker[ -]compose\b.*\bbuild\b"
    r"|\bdocker[ -]compose\b.*\bup\b.*--build|\b(?:buildah\s+(?:bud|build)|kaniko|buildctl)\b"
    r"|\b(?:docker/build-push-action|docker/bake-action|redhat-actions/buildah-build)@"
)
NAMES_ONLY = frozenset(("echo", "printf", "pip", "pip3", "apt-get", "which", "command", "cat", "grep"))
"""Programs that may name a tool without running it."""
SCRIPTS_CAP = 2000
NODES_CAP = 20_000


@dataclass(frozen=True)
class Pipeline:
    """A submission's continuous integration."""

    files: tuple[str, ...]
    runs_tests: bool
    builds_image: bool


def read(checkout: Checkout) -> Pipeline:
    """Find the configuration of any known service, and what it runs."""
    files = checkout.matching(*GITHUB, *OTHERS)
    ran = [command for name in files for command in _commands(checkout, name)]
    dockerfile = checkout.text("Dockerfile")
    builds = any(BUILDS.search(command) for command in ran)
    in_build = any(TESTS.search(line) and line.lstrip().upper().startswith("RUN") for line in dockerfile.splitlines())
    return Pipeline(files, any(TESTS.search(c) for c in ran) or (builds and in_build), builds)


def _commands(checkout: Checkout, name: str) -> Iterator[str]:
    text = checkout.text(name)
    if name.endswith("Jenkinsfile"):
        scripts = [a or b for a, b in re.findall(r"""\bsh\s*\(?\s*(?:'{1,3}([^']+)'{1,3}|"{1,3}([^"]+)"{1,3})""", text)]
    else:
        try:
            document = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError):
            return
        if name.startswith((".github/", ".forgejo/", ".gitea/")) and not _is_triggered(document):
            return
        scripts = list(_strings(document))
    seen: set[str] = set()
    for script in scripts:
        yield from _expanded(checkout, script, seen)


def _is_triggered(workflow: Any) -> bool:
    """Whether a change starts a workflow: one that only a person can start guards nothing."""
    # YAML 1.1 reads the key `on` as true.
    on = (workflow.get("on") or workflow.get(True)) if isinstance(workflow, dict) else None
    names = [on] if isinstance(on, str) else list(on or [])
    return bool({"push", "pull_request", "pull_request_target", "merge_group"} & {str(name) for name in names})


def _strings(document: Any) -> Iterator[str]:
    """Every string of a document but those of jobs and steps that are switched off. Bounded: aliases can explode."""
    waiting, left = [document], NODES_CAP
    while waiting and left:
        left -= 1
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, list):
            if node and all(isinstance(item, str) for item in node):
                # A list of words is one command (`args: [pytest, -q]`), or a list of commands: try both.
                yield " ".join(node)
            waiting.extend(node)
        elif isinstance(node, dict) and node.get("if") is not False and node.get("continue-on-error") is not True:
            waiting.extend(value for key, value in node.items() if key not in ("name", "description", "if"))


def _expanded(checkout: Checkout, script: str, seen: set[str]) -> Iterator[str]:
    """The commands of a script, and of the scripts and Makefile targets that it runs, each looked at once."""
    waiting = [script]
    while waiting and len(seen) < SCRIPTS_CAP:
        text = waiting.pop()
        if text in seen:
            continue
        seen.add(text)
        if re.fullmatch(r"\s*[\w.-]+/[\w./-]+@\S+\s*", text):
            yield text.strip()
            continue
        kept = (line for line in text.splitlines() if not re.search(r"\|\|\s*(?:true|:|exit 0)\s*$", line[-40:]))
        for words in commands("\n".join(kept)):
            if PurePosixPath(words[0]).name not in NAMES_ONLY:
                yield " ".join(words)
            waiting.extend(_runs(checkout, words))


def _runs(checkout: Checkout, words: list[str]) -> list[str]:
    """The texts of the submission's own scripts and targets that a command runs."""
    if PurePosixPath(words[0]).name in ("make", "just"):
        rules = makefile.read(checkout)
        return [rules.script(word) for word in words[1:]] if rules else []
    path = next((w for w in words[:2] if w.endswith(".sh") or "/" in w), "")
    name = checkout.named(path) if path else None
    return [checkout.text(name)] if name and not name.endswith((".py", ".txt", ".toml", ".json")) else []

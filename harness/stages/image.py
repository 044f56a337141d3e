"""The image: whether it builds from a clean checkout, and what the engine's record and its files say of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from grading.evidence import Record
from harness.inspection import build_failure, junk, layers, pins, secrets, server
from harness.inspection.checkout import Checkout
from harness.inspection.claims import Claim, listed
from harness.inspection.dockerfile import parse
from harness.sandbox import BuildFailed, Contents, Image
from harness.stages import Stage
from harness.submission import Submission, digest

NEEDS_SERVICE = False
TIMED = False
ROOT = ("", "root", "0")


class Settings(Record):
    """What is asked of an image."""

    budget_mb: float = Field(1000, gt=0)
    """Size, as the engine counts it."""


def run(stage: Stage[Settings]) -> None:
    """Build the image and record what can be told of it without running it."""
    if stage.subject.sandbox.name == "local":
        for name in RECORDS:
            stage.not_assessed(name, "A plain process has no image.")
        return
    try:
        image = stage.image
    except BuildFailed as error:
        said = f"{error}\n{error.log}"
        why = build_failure.cause(said, stage.subject.submission)
        stage.check("builds", False, f"{why}\n{error}".strip())
        raise BuildFailed(f"{why}\n{error}".strip(), error.log) from error
    stage.check("builds", True, "The image builds from a clean checkout.")
    _measure(stage, image)
    stage.say("what is in the image")
    built = Built(stage, image)
    for claim in CLAIMS:
        stage.check(claim.name, *claim.judge(built))
    stage.say("building again after a change of one line")
    stage.check("dependency_layer_cached", *REBUILD.judge(built))


def _measure(stage: Stage[Settings], image: Image) -> None:
    budget, size = stage.settings.budget_mb, image.size_mb or 0.0
    cached = f"{sum(step.cached for step in image.steps)} of {len(image.steps)} steps were in the engine's cache"
    stage.measure("image_size", size, "MB")
    stage.measure("build_seconds", image.build_seconds, "s", note=cached)
    too_big = (
        "The image is over the budget. Build on a slim base, and leave compilers, caches and training libraries out of "
        "the last stage."
    )
    stage.check(
        "size_within_budget",
        size <= budget,
        "The image is within the budget." if size <= budget else too_big,
        expected=f"at most {budget:g} MB",
        observed=f"{size:g} MB",
    )


@dataclass(frozen=True)
class Built:
    """A built submission, looked at once for all claims."""

    stage: Stage[Settings]
    image: Image

    @property
    def config(self) -> Mapping[str, Any]:
        """The engine's record."""
        return self.image.config

    @property
    def env(self) -> list[str]:
        """`NAME=value` of everything that the image sets."""
        return list(self.config.get("Env") or [])

    @cached_property
    def files(self) -> Checkout:
        """The submission's files."""
        return Checkout(self.stage.subject.submission.files)

    @cached_property
    def contents(self) -> Contents:
        """What is in the image where submissions put their files, and its history."""
        top = {name.partition("/")[0] for name in self.files.names}
        places = layers.folders(parse(self.files.text("Dockerfile")), self.config, top)
        return self.stage.subject.sandbox.contents(self.image, places)


def _healthcheck(of: Built) -> str:
    test = (of.config.get("Healthcheck") or {}).get("Test") or []
    return "" if test and test[0] != "NONE" else "The image has no HEALTHCHECK"


def _user(of: Built) -> str:
    user = str(of.config.get("User") or "")
    name = user.partition(":")[0]
    return f"The image runs as root (USER is {user or 'not set'})" if name in ROOT else ""


def _secret_env(of: Built) -> str:
    found = secrets.find("Dockerfile", "\n".join(of.env))
    return listed("Anyone who has the image can read from its environment", (finding.what for finding in found))


def _secret_layers(of: Built) -> str:
    # What ENV says is in the environment too, and counts there.
    said = "\n".join(line.replace("\n", " ") for line in of.contents.history if not line.startswith("ENV "))
    found = [f"{finding.what} in its history" for finding in secrets.find("Dockerfile", said)]
    found += [f"/{name}" for name in of.contents.files if secrets.is_key_file(name)]
    # What the submission's own files hold is in every layer that they were copied to, removed later or not.
    leaks = {finding.name: finding.what for finding in secrets.scan(of.files)}
    there = {f"/{name}": name for name in of.contents.files} if leaks else {}
    there |= {f"the layer of `COPY {name}`": name for name in layers.copied(of.contents.history)}
    sources = ((place, of.files.named(name) or "") for place, name in there.items())
    found += [f"{leaks[source]} in {place}" for place, source in sources if source in leaks]
    return listed("Anyone who has the image can read from its layers", found)


def _junk(of: Built) -> str:
    found = [(f"/{name}", what) for name in of.contents.files if (what := junk.in_image(name))]
    dockerfile = parse(of.files.text("Dockerfile"))
    found += [(tool, "a tool for building") for tool in layers.build_tools(dockerfile)]
    found += [(tool, "a tool of development") for tool in pins.development_tools(of.files, dockerfile)]
    return f"The image holds what serving does not need: {junk.shown(found)}" if found else ""


def _dev_server(of: Built) -> str:
    argv = [*(of.config.get("Entrypoint") or []), *(of.config.get("Cmd") or [])]
    reason = server.development(argv, of.env, of.files)
    return f"This is a development server: {reason}" if reason else ""


def _reinstalled(of: Built) -> str:
    """Build again after a change of one line in each source file, and look at what the builder took from its cache."""
    subject = of.stage.subject
    with tempfile.TemporaryDirectory(prefix="mlops-harness-") as folder:
        copy = Path(folder) / "submission"
        shutil.copytree(subject.submission.files, copy, symlinks=True)
        changed = layers.change_code(copy)
        if not changed:
            return "There is no source file to change"
        again = Submission(subject.submission.name, subject.submission.source, copy, digest(copy))
        log = of.stage.artifact_path("rebuild.log")
        try:
            with of.stage.ledger.span("building"):
                image = subject.sandbox.build(again, subject.challenge.spec.limits, log)
            subject.sandbox.discard(image)
        except BuildFailed as error:
            return f"A comment added to {', '.join(changed[:3])} breaks the build: {str(error)[:500]}"
    redone = layers.reinstalled((step.instruction, step.cached) for step in image.steps)
    return listed("After a change of one line of code the build installs again", (f"`{one[:120]}`" for one in redone))


CLAIMS = (
    Claim(
        "healthcheck_present",
        "The image has a HEALTHCHECK.",
        "Add one that asks the readiness route on $PORT, with a program that is in the image.",
        _healthcheck,
    ),
    Claim("non_root_user", "The image names a user other than root.", "Add a USER, by number, before CMD.", _user),
    Claim(
        "no_secret_in_env",
        "No secret is in the image's environment.",
        "Revoke it, and hand it over when the container starts.",
        _secret_env,
    ),
    Claim(
        "no_secret_in_layers",
        "No secret is in the image's layers or history.",
        "Revoke it, and use `RUN --mount=type=secret` for what only the build needs.",
        _secret_layers,
    ),
    Claim(
        "no_junk_in_image",
        "The image holds what serving needs.",
        "COPY only what serving needs, and list the rest in .dockerignore.",
        _junk,
    ),
    Claim("no_dev_server", "It is no development server.", "Start a server for production.", _dev_server),
)
REBUILD = Claim(
    "dependency_layer_cached",
    "A change of code leaves the installed dependencies in the cache.",
    "COPY the list of dependencies and install them before the code is copied.",
    _reinstalled,
)
RECORDS = (
    "builds",
    "size_within_budget",
    *(claim.name for claim in CLAIMS),
    REBUILD.name,
    "image_size",
    "build_seconds",
)

"""Building a submission's image with BuildKit, through the command-line client (the SDK cannot drive it).

What a build runs has BuildKit's own confinement (no privileges, no host network), and its memory, processes, disk and
time are limited. It does reach the network, because it has to fetch packages.
"""

from __future__ import annotations

import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from harness.sandbox import BuildFailed, Image, Limits, _blame, _buildx, _cgroup, _engine
from harness.sandbox._progress import Progress
from harness.submission import Submission

LABEL = "org.mlops-harness.submission"
"""Images are kept from run to run as a cache, and bear the submission's digest under this label."""
REPOSITORY = "mlops-harness/submission"
SYNTAX = re.compile(rb"\A((?:[ \t]*#[^\n]*\n|[ \t]*\n)*?)[ \t]*#[ \t]*syntax[ \t]*=[^\n]*(?:\n|\Z)", re.IGNORECASE)
PROBE = "FROM {base}\nRUN pip download --quiet --no-cache-dir --no-deps --dest /tmp/probe wheel\n"


def build(client: docker.DockerClient, submission: Submission, limits: Limits, log: Path) -> Image:
    """Build the image of a submission. See `Sandbox.build`."""
    _refuse_unfit(submission, limits)
    start = time.monotonic()
    look = _buildx.watch(limits, _engine.root(client))
    with tempfile.TemporaryDirectory(prefix="mlops-harness-") as made, Progress(log) as progress:
        folder = Path(made)
        command = _command(submission, folder, _cgroup.make(limits))
        ending = _buildx.run(command, progress, look)
        if ending.code != 0 and _blame.frontend_out_of_reach(progress):
            progress.restart("the program that '# syntax=' names cannot be fetched here: the engine's own is used")
            command = [*command[:-1], f"--file={_without_syntax(submission, folder)}", command[-1]]
            ending = _buildx.run(command, progress, look)
        if ending.stopped:
            raise _with_tail(ending.stopped, progress)
        if ending.code != 0:
            raise _blame.blame(progress, lambda: _answers(client), lambda: _index_fails(limits, folder), limits)
        seconds = time.monotonic() - start
        return _record(client, (folder / "iid").read_text().strip(), seconds, progress, limits)


def _refuse_unfit(submission: Submission, limits: Limits) -> None:
    if not (submission.files / "Dockerfile").is_file():
        near = sorted(
            p.name for p in submission.files.rglob("*") if p.name.lower().startswith(("dockerfile", "containerf"))
        )
        hint = f" There is {', '.join(near[:3])}, which is not it." if near else ""
        raise BuildFailed(f"there is no file 'Dockerfile' at the top of the submission.{hint} Git must track it.")
    size = sum(p.lstat().st_size for p in submission.files.rglob("*") if not p.is_dir()) / 1e6
    if size > limits.context_mb:
        raise BuildFailed(
            f"the submission's tracked files have {size:.0f} MB, over the limit of {limits.context_mb} MB: "
            "leave data, weights and environments out of git"
        )


def _command(submission: Submission, folder: Path, group: str | None) -> list[str]:
    """No `--pull`: what the engine has is used, so that two runs build on the same base."""
    return [
        *(_engine.builder(), "buildx", "build", "--load", "--progress=rawjson", "--provenance=false"),
        *(f"--label={LABEL}={submission.digest}", f"--tag={REPOSITORY}:{submission.digest[:12]}"),
        *((f"--cgroup-parent={group}",) if group else ()),
        *(f"--iidfile={folder / 'iid'}", str(submission.files)),
    ]


def _without_syntax(submission: Submission, folder: Path) -> Path:
    """A copy of the Dockerfile without the line that names another frontend."""
    (folder / "Dockerfile").write_bytes(SYNTAX.sub(rb"\1", (submission.files / "Dockerfile").read_bytes()))
    ignore = submission.files / "Dockerfile.dockerignore"
    if ignore.is_file():
        (folder / ignore.name).write_bytes(ignore.read_bytes())
    return folder / "Dockerfile"


def _record(client: docker.DockerClient, digest: str, seconds: float, progress: Progress, limits: Limits) -> Image:
    with _engine.asking("inspect the image that it built"):
        built = client.images.get(digest)
    size = built.attrs["Size"] / 1e6
    if size > limits.image_mb:
        raise BuildFailed(
            f"the image has {size:.0f} MB, over the limit of {limits.image_mb} MB: build on a slim base, and leave "
            "compilers, caches and training libraries out of the last stage"
        )
    return Image(
        reference=built.tags[0] if built.tags else digest,
        digest=digest,
        size_mb=round(size, 1),
        build_seconds=round(seconds, 2),
        config=built.attrs.get("Config") or {},
        steps=progress.steps,
    )


def _with_tail(stopped: Exception, progress: Progress) -> Exception:
    """The reason to stop, with the step that ran at that moment and what it printed."""
    running = progress.running
    if not isinstance(stopped, BuildFailed) or running is None:
        return stopped
    tail = "\n".join(running.tail)
    return BuildFailed(f"{stopped}, in '{running.instruction}'", tail)


def _answers(client: docker.DockerClient) -> bool:
    try:
        return bool(client.ping())
    except (DockerException, RequestException):
        return False


def _index_fails(limits: Limits, folder: Path) -> bool:
    """Whether a build that only fetches a package fails, on the challenges' own base image."""
    context = folder / "probe"
    context.mkdir()
    (context / "Dockerfile").write_text(PROBE.format(base=_engine.BASE_IMAGE))
    command = [_engine.builder(), "buildx", "build", "--no-cache", "--progress=rawjson", str(context)]
    with Progress(folder / "probe.log") as progress:
        ending = _buildx.run(command, progress, _buildx.watch(replace(limits, build_seconds=120), None))
    return ending.code != 0

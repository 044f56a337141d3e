"""Whose fault a failed build is, and how to say so.

The verdict rests on what the engine reports of its steps. What a step printed is shown to the candidate; it only ever
raises a suspicion that the network failed, which is then tried (`index_fails`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.errors import HarnessError, InfrastructureError
from harness.sandbox import BuildFailed, Limits
from harness.sandbox._progress import Progress, Vertex

EXITED = re.compile(r"did not complete successfully: exit code: (\d+)$")
UNREACHABLE = re.compile(
    r"failed to do request|dial tcp|no such host|i/o timeout|connection re(fused|set)|TLS handshake"
    r"|context deadline exceeded|unexpected status.*: 5\d\d|too ?many ?requests|429",
    re.IGNORECASE,
)
"""What the engine says of a registry that it cannot reach, or that turns everybody away."""
NETWORK = re.compile(
    r"temporary failure in name resolution|could not resolve|name or service not known|network is unreachable"
    r"|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|connection (timed out|refused|reset)|(502|503|504) "
    r"|from versions: none",
    re.IGNORECASE,
)
"""What pip and apt print when they cannot fetch."""
BROKEN = re.compile(
    r"code = (Unavailable|Internal)|error reading from server|transport is closing|no space left on device"
)
KILLED = 128 + 9
"""How a shell says that what it ran was ended by SIGKILL."""
FRONTEND = "resolve image config for docker-image://"
"""The builder's name for fetching the program that `# syntax=` names."""
BASE = "load metadata for "
NOISE = re.compile(r"failed to (compute cache key|calculate checksum of ref \S+|solve|walk \S+): ")


def frontend_out_of_reach(progress: Progress) -> bool:
    """Whether a build failed only because the program that `# syntax=` names could not be fetched."""
    vertex = progress.failed
    return vertex is not None and FRONTEND in vertex.name and bool(UNREACHABLE.search(vertex.error))


def blame(
    progress: Progress, answers: Callable[[], bool], index_fails: Callable[[], bool], limits: Limits
) -> HarnessError:
    """The error that says why a build failed.

    Args:
        progress: What the builder said.
        answers: Whether the engine still answers.
        index_fails: Whether a build that only fetches a package fails too.
        limits: What the build was allowed.
    """
    vertex = progress.failed
    error = vertex.error if vertex else progress.last_words
    if not answers():
        return InfrastructureError(f"the engine died during a build: {error}")
    if vertex is None:
        return _of_the_file(error)
    if exited := EXITED.search(error):
        return _of_a_step(vertex, int(exited[1]), index_fails, limits)
    if vertex.is_instruction and not BROKEN.search(error):
        return BuildFailed(f"the build failed at '{vertex.instruction}': {_plain(error)}", "\n".join(vertex.tail))
    if BASE in vertex.name or FRONTEND in vertex.name:
        return _of_an_image(vertex.name.rpartition(" ")[2], error)
    return InfrastructureError(f"the engine failed in its own work, '{vertex.name}': {_plain(error)}")


def _of_the_file(error: str) -> HarnessError:
    """Before any step: the Dockerfile cannot be read, or the client and the engine do not get on."""
    if error.startswith("failed to solve: ") and not BROKEN.search(error):
        return BuildFailed(f"the Dockerfile cannot be built: {_plain(error)}", error)
    return InfrastructureError(f"the builder failed: {error}", "'harness doctor' examines it.")


def _of_a_step(vertex: Vertex, code: int, index_fails: Callable[[], bool], limits: Limits) -> HarnessError:
    tail = "\n".join(vertex.tail)
    if NETWORK.search(tail) and index_fails():
        return InfrastructureError(
            f"no package can be fetched in a build on this machine, so '{vertex.instruction}' failed:\n{tail}",
            "Check this machine's network and proxy settings, and grade again.",
        )
    why = f"exit code {code}"
    if code == KILLED:
        why += f": it was killed, as happens where a build uses more than {limits.build_memory_mb} MB of memory"
    said = f"The end of what it printed:\n{tail}" if tail else "It printed nothing."
    return BuildFailed(f"the build failed at '{vertex.instruction}' ({why}). {said}", tail)


def _of_an_image(name: str, error: str) -> HarnessError:
    if UNREACHABLE.search(error):
        return InfrastructureError(
            f"the engine has no image {name} and cannot reach the registry to pull it: {_plain(error)}",
            f"Where there is one: 'docker pull {name}'. 'make engine' gets the base image of the challenges.",
        )
    if BROKEN.search(error):
        return InfrastructureError(f"the engine failed to read the image {name}: {_plain(error)}")
    return BuildFailed(
        f"there is no image {name} to build on: {_plain(error)}. Check its name in FROM and --from.", error
    )


def _plain(error: str) -> str:
    return NOISE.sub("", error).strip()

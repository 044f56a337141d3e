"""The likely cause of a failed build in plain words. It rests on what the build printed: a hint, never a verdict."""

from __future__ import annotations

import re

from harness.submission import Submission

CAUSES = (
    (
        r"No matching distribution found for (?P<x>[^\s]+)|requirement (?P<y>\S+) \(from versions: none\)",
        "pip found no release of {x} that fits the base image's Python and the other pins. Check that the version "
        "exists for this Python, or choose another base image.",
    ),
    (
        r"(?:Failed (?:building|to build) (?:wheel for |installable wheels for some pyproject.toml based projects \()?"
        r"|error: subprocess-exited-with-error)(?P<x>[\w.-]*)",
        "A package{x_of} has no wheel for the base image's Python, so pip tried to compile it, and could not. Pin a "
        "version that has a wheel, or choose another base image.",
    ),
    (r"DO NOT MATCH THE HASHES", "A package does not match the hash that the requirements give. Lock them again."),
    (
        r"ResolutionImpossible|conflicting dependencies|No solution found",
        "The requirements contradict each other: no set of versions satisfies all of them. Lock them together.",
    ),
    (
        r"(?:calculate checksum|compute cache key|lstat|COPY|ADD).*?\"?(?P<x>/[^\s\"':]+)\"?: (?:not found|no such)",
        "COPY names {x}, which is not among the files that the build is given.",
    ),
    (r"externally-managed-environment", "The base image forbids pip outside a virtual environment. Make one first."),
    (
        r"(?:/bin/(?:ba|da|a)?sh: )?(?:\d+: )?(?P<x>[\w.-]+): (?:command )?not found",
        "The base image has no program {x}. Install it first, or do without it.",
    ),
    (
        r"No such file or directory: '(?P<x>[^']+)'|can't open file '(?P<y>[^']+)'",
        "A build step wants the file {x}, which is not in the image at that point. COPY it before.",
    ),
    (
        r"ModuleNotFoundError: No module named '(?P<x>[^']+)'",
        "A build step needs the Python package {x}, not installed yet.",
    ),
    (r"No space left on device", "The build ran out of disk. Leave data and caches out of the image."),
)


def cause(said: str, submission: Submission | None = None) -> str:
    """One or two sentences, or an empty string if nothing known is in the text.

    A file that lies in the folder which was handed in, but not in its clean export, is one that git does not track.
    """
    for pattern, sentence in CAUSES:
        if match := re.search(pattern, said):
            groups = match.groupdict()
            what = (groups.get("x") or groups.get("y") or "").strip("'\"()")
            told = sentence.format(x=what, x_of=f" ({what})" if what else "")
            return f"{told} {_ignored(what, submission)}" if "COPY names" in told else told
    return ""


def _ignored(path: str, submission: Submission | None) -> str:
    name = path.strip("/")
    if submission is None or not name:
        return "It may be one that git ignores, or that .dockerignore leaves out."
    if (submission.files / name).exists():
        return "It is in the repository, so .dockerignore leaves it out."
    if (submission.source / name).exists():
        return "It lies in your folder, but git does not track it; `git check-ignore -v` says which rule leaves it out."
    return "It is not in the repository."

"""One commit of a remote repository, fetched by its SHA and nothing else of it."""

from __future__ import annotations

import base64
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import UsageError
from harness.hooks import git, tree
from harness.submission import SAFE_GIT, Submission

SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def fetch(
    url: str,
    sha: str,
    destination: Path,
    *,
    protocols: tuple[str, ...] = ("https",),
    token: str = "",
    cap_mb: int = 512,
    seconds: float = 300,
) -> Submission:
    """Fetch a commit and export it to `destination`, whose last part names the submission.

    No history, tags or submodules come along; no hook, filter or helper that the repository names is run; redirects are
    not followed. `token` (or `user:token`) reads private repositories.

    Raises:
        UsageError: the address or the SHA is none that may be fetched, the remote refused or is not there, or a limit
            was reached.
    """
    if not SHA.fullmatch(sha):
        raise UsageError(f"'{sha}' is no commit's SHA", "Give all 40 (or 64) hexadecimal digits, in lower case.")
    scheme = urlsplit(url).scheme
    if scheme not in protocols:
        raise UsageError(f"{url} may not be fetched: only {', '.join(protocols)} addresses may")
    with tempfile.TemporaryDirectory(prefix="harness-fetch-") as folder:
        repository = Path(folder) / "commit.git"
        kind = "sha256" if len(sha) == 64 else "sha1"
        git.run(repository, "init", "--quiet", "--bare", "--template=", f"--object-format={kind}")
        options = ("--depth=1", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance")
        command = [*SAFE_GIT, "--git-dir", str(repository), "fetch", *options, "--", url, sha]
        environment = git.environment(protocols, _header(token))
        try:
            git.watched(command, environment, repository, cap_mb=cap_mb, seconds=seconds)
        except UsageError as error:
            raise UsageError(f"{sha[:12]} of {url}: {error}") from error
        return tree.export(repository, sha, destination, cap_mb=cap_mb)


def _header(token: str) -> str:
    if not token:
        return ""
    # GitHub wants this name beside a token, and GitLab takes any but for the tokens of its jobs.
    pair = token if ":" in token else f"x-access-token:{token}"
    return f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"

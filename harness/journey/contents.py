"""What would be handed in and what would not, said before anything leaves the machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.inspection import junk, secrets
from harness.inspection.checkout import Checkout
from harness.journey import invitation
from harness.journey.git import AUTHOR, git, run
from harness.submission import TOOLS, Submission, export

RECEIPTS = "receipts"
TOKEN_LEAST = 16
"""Characters of a token; anything shorter is none, and would be found everywhere."""
OURS = (f"{TOOLS}/", f"{RECEIPTS}/", invitation.TOKEN)
"""What the harness keeps in a repository: no part of a submission, and never a reason to call a tree dirty."""


@dataclass(frozen=True)
class Contents:
    """A working tree, sorted by what becomes of each file."""

    submission: Submission
    size: int
    """Bytes of what is handed in."""
    files: int
    changed: tuple[str, ...]
    """Tracked files that differ from the last commit, as `git status` shows them."""
    untracked: tuple[str, ...]
    """Files and folders that git neither tracks nor ignores: left out, perhaps by mistake."""
    ignored: tuple[str, ...]
    large: tuple[str, ...]
    """Files that are handed in and are so large that they cost a point."""
    secret: tuple[str, ...]
    """What looks like a secret in what is handed in."""
    untouched: bool
    """Whether these are the files that `harness new` made, as they were."""

    @property
    def dirty(self) -> tuple[str, ...]:
        """Why the tree is not the last commit."""
        return (*self.changed, *(f"?? {name}" for name in self.untracked))


def look(root: Path, destination: Path) -> Contents:
    """Export what git tracks in `root` to `destination`, and sort the rest.

    Raises:
        UsageError: there is nothing to hand in, no commit, or the token is about to be handed in.
    """
    if run(root, "rev-parse", "--verify", "--quiet", "HEAD").returncode:
        raise UsageError(f"{root} has no commit yet", "Commit your work: that is what is handed in.")
    if git(root, "ls-files", "--", invitation.TOKEN):
        raise UsageError(
            f"git tracks {invitation.TOKEN}, which is yours alone",
            f"Take it out ('git rm --cached {invitation.TOKEN}', commit), and ask for a new one if you pushed it.",
        )
    submission = export(root, destination)
    checkout = Checkout(submission.files)
    token = invitation.known_token(root)
    told = len(token) >= TOKEN_LEAST
    status = _status(root)
    sizes = {name: checkout.size(name) for name in checkout.names}
    return Contents(
        submission=submission,
        size=sum(sizes.values()),
        files=len(sizes),
        changed=tuple(f"{code} {name}" for code, name in status if code not in ("??", "!!")),
        untracked=tuple(name for code, name in status if code == "??"),
        ignored=tuple(name for code, name in status if code == "!!"),
        large=tuple(
            f"{name} ({size / 2**20:.0f} MB)"
            for name, size in sizes.items()
            if size > junk.LARGE_MB * 2**20 and not checkout.in_model(name)
        ),
        secret=(
            *(f"an environment file in {name}" for name in checkout.names if secrets.is_dotenv(name)),
            *map(str, secrets.scan(checkout)),
            *(
                f"the token of your invitation in {name}"
                for name in checkout.names
                if told and token in checkout.text(name)
            ),
        ),
        untouched=_untouched(root),
    )


def _untouched(root: Path) -> bool:
    # In a shallow clone the oldest commit that is there is the candidate's own, and says nothing.
    first, _, author = git(root, "log", "--max-parents=0", "--format=%H %ae", "HEAD").splitlines()[-1].partition(" ")
    given = author == AUTHOR["GIT_AUTHOR_EMAIL"]
    return given and run(root, "diff", "--quiet", first, "--", ".", f":(exclude){RECEIPTS}").returncode == 0


def _status(root: Path) -> list[tuple[str, str]]:
    """`git status`, without what is ours; a folder without tracked files is one entry."""
    fields = git(root, "status", "--porcelain=v1", "-z", "--ignored", "--untracked-files=normal", "--no-renames")
    entries = [(field[:2].strip() or "M", field[3:]) for field in fields.split("\0") if field]
    return [(code, name) for code, name in entries if not name.startswith(OURS)]

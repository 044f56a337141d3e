"""From a working tree to a receipt: pack, deliver, keep the proof."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import bundle as bundles
from harness import receipts
from harness.errors import UsageError
from harness.journey import acknowledgement, delivery
from harness.journey import invitation as invitations
from harness.journey.acknowledgement import Acknowledgement
from harness.journey.contents import RECEIPTS, Contents, look
from harness.journey.delivery import Parcel, Say
from harness.journey.intake import Undelivered
from harness.journey.invitation import Invitation, destination
from harness.receipts import Receipt
from harness.submission import TOOLS


@dataclass(frozen=True)
class Packing:
    """What is about to be handed in: a working tree, or a bundle that was packed before."""

    root: Path
    invitation: Invitation
    contents: Contents | None
    bundle: Path | None

    def refuse(self, *, allow_dirty: bool, allow_secrets: bool) -> None:
        """Stop what would hand in something else than the candidate thinks.

        Raises:
            UsageError: the tree is not the last commit, or holds what looks like a secret, and nobody said that it may.
        """
        if self.contents is None:
            return
        if self.contents.secret and not allow_secrets:
            raise UsageError(
                f"this looks like a secret, and would be handed in: {_some(self.contents.secret)}",
                "Take it out of git and revoke it if it is one; --allow-secrets hands it in all the same.",
            )
        if not self.contents.dirty:
            return
        if not allow_dirty:
            raise UsageError(
                f"the working tree is not what was committed: {_some(self.contents.dirty)}",
                "Commit, or stash, or add to .gitignore; --allow-dirty hands in tracked files as they are now.",
            )
        if self.contents.changed and self.invitation.deliver.kind == "git":
            raise UsageError(
                f"a git remote gets commits, and these changes are in none: {_some(self.contents.changed)}",
                "Commit them first.",
            )

    def parcel(self) -> Parcel:
        """The bundle: of the working tree, kept in the repository's `.harness/bundles/`, or the one that was named.

        Raises:
            UsageError: what was named is no bundle, or is for another challenge.
        """
        if self.contents is None:
            assert self.bundle is not None  # noqa: S101  # one of the two is there, by construction
            return _packed_before(self.root, self.bundle, self.invitation)
        submission = self.contents.submission
        bundle = _own(self.root / TOOLS / "bundles") / f"{submission.digest[:12]}.tar"
        manifest = bundles.pack(submission, self.invitation.challenge, bundle)
        return Parcel(self.root, bundle, bundles.sha256(bundle), manifest)


@contextmanager
def packed(root: Path, invitation: Invitation, bundle: Path | None) -> Iterator[Packing]:
    """What is about to be handed in from a repository; `bundle` is one that was packed before, if there is one."""
    if bundle is not None:
        yield Packing(root, invitation, None, bundle)
        return
    with tempfile.TemporaryDirectory(prefix="mlops-harness-") as made:
        yield Packing(root, invitation, look(root, Path(made) / "submission"), None)


def _packed_before(root: Path, bundle: Path, invitation: Invitation) -> Parcel:
    manifest = bundles.read(bundle)
    if manifest.challenge != invitation.challenge:
        raise UsageError(f"{bundle} is for '{manifest.challenge}', and the invitation for '{invitation.challenge}'")
    if invitation.deliver.kind == "git":
        raise UsageError("a git remote gets commits, not bundles", "Run it without --bundle, at the commit to hand in.")
    return Parcel(root, bundle, bundles.sha256(bundle), manifest)


def hand_in(parcel: Parcel, invitation: Invitation, say: Say) -> tuple[Receipt | Acknowledgement, Path]:
    """Deliver a bundle and keep what came back under `receipts/`; returns it and its file.

    Raises:
        UsageError: it was refused, or the receipt is not signed with the key that the invitation names.
        Undelivered: the destination cannot be reached; the bundle is kept, and the message says how to go on.
    """
    path = _own(parcel.root / RECEIPTS) / f"{parcel.digest[:12]}.json"
    try:
        proof = delivery.deliver(parcel, invitation, say)
    except Undelivered as error:
        shown = parcel.bundle.relative_to(parcel.root) if parcel.bundle.is_relative_to(parcel.root) else parcel.bundle
        later = "run it again" if invitation.deliver.kind == "git" else f'make submit ARGS="--bundle {shown}"'
        raise Undelivered(
            f"{error.args[0]}\n  Nothing is lost: the bundle is kept at {shown}.",
            f"When {invitation.deliver.to} can be reached: {later}. Or send that file to those who invited you. "
            "Trying again never counts as another attempt.",
        ) from error
    before = _signed(path, parcel)
    if isinstance(proof, Acknowledgement) and before:
        # A remote's hook speaks once; pushing the same commit again brings no second receipt.
        say(f"delivered to {proof.delivered_to}; the receipt is the one that these files got before")
        return before, path
    if before and proof == before:
        say(f"received before, as attempt {before.attempt}: the same files are no new attempt; the last attempt counts")
    if isinstance(proof, Receipt):
        try:
            receipts.verify(proof, invitation.public_key or None)
        except UsageError as error:
            doubtful = path.with_suffix(".unverified.json")
            acknowledgement.write(proof, doubtful)
            raise UsageError(
                f"{error.args[0]}\n  It was delivered; what came back is kept at {doubtful}.", error.remedy
            ) from error
    acknowledgement.write(proof, path)
    return proof, path


def check_proof(path: Path, key: str | None, bundle: Path | None) -> Receipt:
    """Hold a receipt against a key and a bundle, offline.

    Raises:
        UsageError: it is forged, altered, signed with another key, for another bundle, or no receipt at all.
    """
    proof = acknowledgement.load(path)
    if bundle is not None:
        _same_bundle(proof, bundle)
    if isinstance(proof, Acknowledgement):
        raise UsageError(f"{path} is an acknowledgement, which nobody signed: there is nothing to verify", proof.note)
    receipts.verify(proof, key)
    return proof


def public_key(text: str) -> str:
    """A public key, given as such or as a file that holds it.

    Raises:
        UsageError: it is neither.
    """
    path = Path(text)
    key = path.read_text("utf-8").strip() if path.is_file() else text.strip()
    receipts.fingerprint(key)
    return key


def invited_key(folder: Path) -> str | None:
    """The public key that the invitation in a folder names, if there is one."""
    try:
        return invitations.read(folder).public_key or None
    except UsageError:
        return None


def _same_bundle(proof: Receipt | Acknowledgement, bundle: Path) -> None:
    manifest = bundles.read(bundle)
    if bundles.sha256(bundle) != proof.bundle:
        raise UsageError(
            f"{bundle} is not the bundle that was received: its SHA-256 is another one than the receipt's",
            f"The receipt is for submission {proof.submission[:12]}; this bundle says that it is "
            f"{manifest.submission[:12]}.",
        )


def _signed(path: Path, parcel: Parcel) -> Receipt | None:
    try:
        found = acknowledgement.load(path)
    except UsageError:
        return None
    return found if isinstance(found, Receipt) and found.submission == parcel.digest else None


def _own(folder: Path) -> Path:
    """A folder of ours in the candidate's repository, which git ignores whatever the candidate's .gitignore says."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", "utf-8")
    return folder


def _some(names: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def at(invitation: Invitation, to: str | None) -> Invitation:
    """The invitation, delivered to where the command line says."""
    return invitation if to is None else invitation.model_copy(update={"deliver": destination(to)})

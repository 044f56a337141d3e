"""Whether a build installs scikit-learn in the version that saved the model.

scikit-learn does not support loading with one version what another has pickled, see
https://scikit-learn.org/stable/model_persistence.html . Releases that only mend (1.9.1, 1.9.2) are taken for the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath

import yaml

from harness.inspection import pins
from harness.inspection.checkout import Checkout
from harness.inspection.dockerfile import Dockerfile
from harness.inspection.installs import project

LIBRARY = "scikit-learn"
FIXED = re.compile(r"===?\s*v?(\d[\w.]*)")


def differing(checkout: Checkout, dockerfile: Dockerfile) -> list[str]:
    """Models of the submission that were saved by another version than the build installs, as far as its files tell."""
    built = dict([*_locked(checkout), *_required(checkout, dockerfile)]).get(LIBRARY)
    if built is None:
        return []
    version, place = built
    return [
        f"{place} installs {LIBRARY} {version}, and {model} was saved by {saved}"
        for model, saved in _models(checkout)
        if _minor(version) != _minor(saved)
    ]


def _models(checkout: Checkout) -> Iterator[tuple[str, str]]:
    """The folder of each model that scikit-learn saved, and the version of scikit-learn."""
    for name in (n for n in checkout.names if PurePosixPath(n).name == "MLmodel"):
        try:
            saved = yaml.safe_load(checkout.text(name))["flavors"]["sklearn"]["sklearn_version"]
        except (yaml.YAMLError, TypeError, KeyError, ValueError, RecursionError):
            continue
        yield str(PurePosixPath(name).parent), str(saved)


def _required(checkout: Checkout, dockerfile: Dockerfile) -> Iterator[tuple[str, tuple[str, str]]]:
    for requirement, place in pins.installed(checkout, dockerfile):
        if fixed := FIXED.search(requirement.split(";")[0].split(" --")[0]):
            yield project(requirement), (fixed[1], place)


def _locked(checkout: Checkout) -> Iterator[tuple[str, tuple[str, str]]]:
    for name in (n for n in checkout.own if PurePosixPath(n).name in pins.LOCKS):
        try:
            lock = tomllib.loads(checkout.text(name))
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
        packages = lock.get("package") or lock.get("packages")
        for package in packages if isinstance(packages, list) else ():
            if isinstance(package, dict) and {"name", "version"} <= package.keys():
                yield project(str(package["name"])), (str(package["version"]), name)


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]

"""The one rule of registration: a public module in a package is a plugin, and its file name is its name."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def names(package: ModuleType) -> list[str]:
    """Names of all plugins in a package, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))


def load(package: ModuleType, name: str) -> ModuleType:
    """Import one plugin.

    Raises:
        LookupError: there is no plugin of that name; the message lists those there are.
    """
    if name not in names(package):
        raise LookupError(f"no {package.__name__}.{name}; there are: {', '.join(names(package))}")
    return importlib.import_module(f"{package.__name__}.{name}")

"""What a fit runs on: the interpreter, the machine's kind, and every installed distribution."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import re

FITTED_WITH = ("joblib", "numpy", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl")


@functools.cache
def environment_text() -> str:
    """Return one line for the interpreter, one for the machine, then `name==version` of each distribution, sorted."""
    found = {(_normal(one.metadata["Name"]), one.version) for one in importlib.metadata.distributions()}
    head = [
        f"python=={platform.python_version()} ({platform.python_implementation()})",
        f"machine=={platform.machine()} ({platform.system()})",
    ]
    return "\n".join([*head, *(f"{name}=={version}" for name, version in sorted(found))]) + "\n"


def environment_digest(text: str) -> str:
    """Return sha256 (hex) of an environment's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def pinned_requirements() -> list[str]:
    """Return `name==version` of what a package needs to be loaded and to answer as it did."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in FITTED_WITH]


def computed_with() -> list[str]:
    """Return `name==version` of what answers, checks and the bytes of tables depend on."""
    return pinned_requirements() + [f"{name}=={importlib.metadata.version(name)}" for name in ("duckdb", "pyarrow")]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

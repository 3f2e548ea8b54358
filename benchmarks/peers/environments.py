"""Builds a peer's environment from its pinned list; a list that did not change is not installed again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_UV = str(Path(sys.executable).with_name("uv"))
_PLACE = _HERE.parents[1] / ".venv" / "peers"
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "PYTHONWARNINGS": "ignore"}  # peers send no telemetry from here


def environment(name: str) -> Path:
    """Return the Python of a peer's environment, built where it is not there yet.

    Raises:
        subprocess.CalledProcessError: uv could not install the list; its words are on stderr.
    """
    listed, place = _HERE / f"{name}.txt", _PLACE / name
    python, stamp = place / "bin" / "python", place / "installed"
    digest = hashlib.sha256(listed.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == digest):
        subprocess.run([_UV, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)], check=True)
        subprocess.run([_UV, "pip", "sync", "--quiet", "--python", str(python), str(listed)], check=True)
        stamp.write_text(digest)
    return python


def index_answers() -> bool:
    """Say whether the package index can be reached: a package that is surely there is found, with no cache to help."""
    asked = [_UV, "pip", "compile", "--quiet", "--no-cache", "--no-deps", "-"]
    return subprocess.run(asked, input="uv", text=True, capture_output=True).returncode == 0


def versions(name: str) -> dict[str, str]:
    """Return what a peer's list pins."""
    lines = (_HERE / f"{name}.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def quiet() -> dict[str, str]:
    """Return this process's environment for a peer's."""
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **QUIET}

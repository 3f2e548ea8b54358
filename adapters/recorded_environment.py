"""An environment built again from what a version recorded of its own: every distribution at its version, by uv."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from contracts.errors import OutsideError, UsageError

_OURS = "understudy"  # comes from its code
_SECONDS = 1800


def build_environment(recorded: str, code: Path, place: Path) -> Path:
    """Build the environment and return its interpreter.

    Args:
        recorded: the text of `environment.txt`.
        code: the sources of Understudy that are installed beside it.
        place: a folder that is not there yet.

    Raises:
        UsageError: uv is not installed, or there are no sources to install.
        OutsideError: the interpreter or a distribution could not be had.
    """
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is None:
        raise UsageError("uv is not installed, so the recorded environment cannot be built.", "Install uv: pip install uv")
    if not (code / "pyproject.toml").is_file():
        raise UsageError(f"{code} holds no sources of Understudy to install.", "Name a repository that does with --code.")
    versions = dict(line.split("==", 1) for line in recorded.splitlines())
    interpreter = re.match(r"[\d.]+", versions.pop("python"))
    pins = [f"{name}=={version}" for name, version in versions.items() if name not in {_OURS, "machine"}]
    place.mkdir(parents=True)
    (place / "pins.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    python = place / "venv" / "bin" / "python"
    _run(uv, "venv", "--quiet", "--python", interpreter[0] if interpreter else "3", str(place / "venv"))
    _run(uv, "pip", "install", "--quiet", "--python", str(python), "--no-deps", "-r", str(place / "pins.txt"))
    _run(uv, "pip", "install", "--quiet", "--python", str(python), "--no-deps", "--no-build-isolation", "--editable", str(code))
    return python


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603  # no shell
    except subprocess.TimeoutExpired as late:
        raise OutsideError(f"`uv {command[1]}` took longer than {_SECONDS} s.", "Look at the package index.") from late
    if done.returncode:
        said = " ".join(done.stderr.split())[-500:]
        raise OutsideError(f"The recorded environment could not be built: {said}", "Look at the package index; then try again.")

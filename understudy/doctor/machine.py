"""This machine: Python, packages against the lock, git, memory, and the disk under the home."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from understudy.doctor.finding import Finding, ok, warning, wrong

_LEAST_PYTHON = (3, 11)
_LOW_DISK, _NO_DISK = 2 * 10**9, 2 * 10**8  # bytes: a first start with snapshots and models takes about one GB
_LOW_MEMORY = 10**9
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def look_at_machine(home: Path, lock: Path | None = None) -> Iterator[Finding]:
    """Yield what was found.

    Args:
        home: where all state is.
        lock: the lock file; beside this package's source where None.
    """
    yield _python()
    yield _packages(lock or Path(__file__).parents[2] / "requirements.lock")
    yield _git()
    yield _memory()
    yield from _home(home)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _LEAST_PYTHON:
        return wrong("python", f"Python {version} is too old.", "Install Python 3.11 or newer, then: make setup")
    return ok("python", f"{version}, {sys.executable}")


def _packages(lock: Path) -> Finding:
    """Hold the direct dependencies against the lock; what is installed through them is only as good as they are."""
    pinned = _pins(lock)
    missing, moved = [], []
    names = _dependencies()
    for name in names:
        version = _installed(name)
        if version is None:
            missing.append(name)
        elif name in pinned and version not in pinned[name]:
            moved.append(f"{name} {version} (tested: {', '.join(pinned[name])})")
    if missing:
        return wrong("packages", f"Not installed: {', '.join(missing)}.", "Install everything as locked: make setup")
    if moved:
        return warning("packages", f"Other versions than tested: {', '.join(moved)}.", "Install everything as locked: make setup")
    return ok("packages", f"{len(names)} direct dependencies, " + ("all as locked" if pinned else "no lock file to compare with"))


def _pins(lock: Path) -> dict[str, list[str]]:
    """Versions by name; a lock for several Pythons may pin one name more than once."""
    found: dict[str, list[str]] = {}
    for name, version in _PINNED.findall(lock.read_text()) if lock.is_file() else ():
        found.setdefault(_same(name), []).append(version)
    return found


def _dependencies() -> list[str]:
    try:
        wanted = metadata.requires("understudy") or []
    except metadata.PackageNotFoundError:
        return ["understudy"]
    return sorted({_same(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in wanted if "extra ==" not in line})


def _same(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git() -> Finding:
    program = shutil.which("git")
    if program is None:
        return wrong("git", "git is not installed; snapshots are git tags.", "Install git.")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603  # git itself
    return ok("git", said.removeprefix("git version "))


def _memory() -> Finding:
    free = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemAvailable")), None)
    if free is None:
        return ok("memory", "not told by this system")
    amount = int(free) * 1024
    if amount < _LOW_MEMORY:
        return warning("memory", f"Only {amount / 1e9:.1f} GB are free.", "`understudy up` with all servers takes about 1 GB.")
    return ok("memory", f"{amount / 1e9:.1f} GB free")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _home(home: Path) -> Iterator[Finding]:
    there = home
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        yield wrong("home", f"{there} is a file, so {home} cannot be a folder.", "Choose another place with --home.")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield wrong("home", f"{there} cannot be written.", "Choose another place with --home, or give yourself the right to write.")
    else:
        yield ok("home", f"{home}" + ("" if home.exists() else " (made when it is needed)"))
    free = shutil.disk_usage(there).free
    said = f"{free / 1e9:.1f} GB are free under {there}"
    if free < _NO_DISK:
        yield wrong("disk", f"Only {said}.", "Make room, or choose another place with --home.")
    elif free < _LOW_DISK:
        yield warning("disk", f"Only {said}.", "Snapshots, models and traffic need room; make some.")
    else:
        yield ok("disk", said)

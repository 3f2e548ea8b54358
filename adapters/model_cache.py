"""Packages near the process that answers: fetched once, kept by digest, never trusted without a check."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from adapters.file_lock import file_lock
from adapters.model_fetch import fetch
from adapters.package_store import folder_digest, read_files
from adapters.settings import Settings
from contracts.errors import DigestMismatch
from contracts.package import MANIFEST, Manifest, package_digest
from contracts.rollout import ModelRef

_PART = "part-"  # folders that are still being fetched


def cached_package(settings: Settings, model: ModelRef) -> Path:
    """Return the folder of a version's package in the local cache, fetched where it is absent or damaged.

    Every byte is checked at each call. A folder appears whole or not at all, also when several processes ask at once.

    Raises:
        DigestMismatch: the registry holds other bytes than those approved; nothing of them is kept.
        OutsideError: the package is not in the cache and could not be fetched.
        UsageError: its address is of no kind that is known.
    """
    folder = settings.model_cache / model.digest
    if _holds(folder, model.digest):
        return folder
    with file_lock(settings.model_cache / "lock"):
        if not _holds(folder, model.digest):  # another process may have fetched it meanwhile
            _fetch_into(folder, settings, model)
    return folder


def kept_package(settings: Settings, digest: str) -> dict[str, bytes] | None:
    """Return the files of a package that the local cache holds whole, or None; nothing is fetched."""
    folder = settings.model_cache / digest
    files = read_files(folder) if folder.is_dir() else {}
    return files if package_digest(files) == digest else None


def cached_manifest(settings: Settings, model: ModelRef) -> Manifest:
    """Return what a version's package says of itself.

    Raises:
        DigestMismatch, OutsideError, UsageError: see cached_package.
    """
    return Manifest.model_validate_json((cached_package(settings, model) / MANIFEST).read_bytes())


def _holds(folder: Path, digest: str) -> bool:
    return folder.is_dir() and folder_digest(folder) == digest


def _fetch_into(folder: Path, settings: Settings, model: ModelRef) -> None:
    """Fetch beside, check, then rename; the caller holds the lock, so what is left of a killed fetch can go."""
    for left in folder.parent.glob(f"{_PART}*"):
        shutil.rmtree(left)
    part = Path(tempfile.mkdtemp(prefix=_PART, dir=folder.parent))
    try:
        fetch(model.uri, part, settings.mlflow_uri)
        found = folder_digest(part)
        if found != model.digest:
            raise DigestMismatch(
                f"Version {model.version} at {model.uri} has digest {found[:12]} and not the approved {model.digest[:12]}.",
                "It is not loaded; find out who changed it.",
            )
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # gone already where it was renamed

"""The cache of packages: fetched once, checked every time, whole or not at all."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.model_cache import cached_package
from adapters.package_store import folder_digest, write_package
from adapters.settings import Settings, read_settings
from contracts.errors import DigestMismatch, OutsideError
from contracts.package import package_digest
from contracts.rollout import ModelRef

FILES = {"package.json": b"{}", "model.skops": bytes(range(256))}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(tmp_path / "home")


@pytest.fixture
def model(tmp_path: Path) -> ModelRef:
    folder = write_package(tmp_path / "registry", FILES)
    return ModelRef("1", package_digest(FILES), folder.as_uri(), "s1", datetime(2026, 1, 1, tzinfo=UTC))


def test_a_package_is_fetched_once_and_then_needs_no_registry(settings: Settings, model: ModelRef, tmp_path: Path) -> None:
    folder = cached_package(settings, model)
    assert folder == settings.model_cache / model.digest
    shutil.rmtree(tmp_path / "registry")
    assert folder_digest(cached_package(settings, model)) == model.digest


def test_bytes_that_are_not_the_ones_approved_are_refused_and_not_kept(settings: Settings, model: ModelRef, tmp_path: Path) -> None:
    (tmp_path / "registry" / "model.skops").write_bytes(b"other")
    with pytest.raises(DigestMismatch, match=r"Version 1 at .* is not loaded"):
        cached_package(settings, model)
    assert [path.name for path in settings.model_cache.iterdir()] == ["lock"]


@pytest.mark.parametrize("damage", ["changed", "added", "removed"])
def test_a_damaged_copy_is_fetched_again(settings: Settings, model: ModelRef, damage: str) -> None:
    folder = cached_package(settings, model)
    if damage == "changed":
        (folder / "model.skops").write_bytes(b"other")
    elif damage == "added":
        (folder / "features.py").write_bytes(b"import os")
    else:
        (folder / "model.skops").unlink()
    assert folder_digest(cached_package(settings, model)) == model.digest


def test_a_damaged_copy_without_a_registry_is_an_error_and_never_returned(settings: Settings, model: ModelRef, tmp_path: Path) -> None:
    (cached_package(settings, model) / "model.skops").write_bytes(b"other")
    shutil.rmtree(tmp_path / "registry")
    with pytest.raises(OutsideError, match="There is no file below"):
        cached_package(settings, model)


def test_what_a_killed_fetch_left_behind_is_cleared(settings: Settings, model: ModelRef) -> None:
    left = settings.model_cache / "part-killed"
    write_package(left, {"model.skops": b"half"})
    cached_package(settings, model)
    assert not left.exists()


def test_many_callers_at_once_get_one_whole_folder(settings: Settings, model: ModelRef) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: cached_package(settings, model), range(16)))
    assert folders == {settings.model_cache / model.digest}
    assert folder_digest(folders.pop()) == model.digest

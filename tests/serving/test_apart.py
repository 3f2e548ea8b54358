"""A large version that is loaded apart answers as one that is loaded here; what cannot be loaded apart says why here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.model_cache import cached_package
from contracts.errors import DigestMismatch
from serving import apart, version
from serving.version import load_version
from tests.serving.gateway.world import ROW, Made, World

COLUMNS = {name: [value] for name, value in ROW.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("apart"))
    yield world
    world.close()


@pytest.fixture(scope="module")
def made(world: World) -> Made:
    return world.make("p", "1", estimator="sklearn.ensemble.RandomForestRegressor", params={"n_estimators": 5}, proved=True)


@pytest.fixture
def _all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_LEAST_BYTES", 0)


@pytest.mark.usefixtures("_all_are_large")
def test_what_was_loaded_apart_answers_as_what_was_loaded_here(world: World, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    here = load_version(world.settings, made.model)
    monkeypatch.setattr(version, "tried", None)  # nothing is tried in this process
    there = load_version(world.settings, made.model, apart=True)
    assert np.array_equal(there.predict(COLUMNS), here.predict(COLUMNS))
    assert there.predict(COLUMNS) == pytest.approx(made.answer)
    assert (there.engine, there.required, there.manifest) == (here.engine, here.required, here.manifest)


@pytest.mark.usefixtures("_all_are_large")
def test_where_the_other_process_fails_it_is_loaded_here(world: World, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert load_version(world.settings, made.model, apart=True).predict(COLUMNS) == pytest.approx(made.answer)


@pytest.mark.usefixtures("_all_are_large")
def test_who_yields_and_is_late_is_followed_by_one_that_insists(world: World, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_SECONDS", 0.0)
    monkeypatch.setattr(apart, "_SECONDS_PER_MEGABYTE", 0.0)
    manners = []
    start = subprocess.Popen

    def started(command: list[str], **more: Any) -> subprocess.Popen[bytes]:
        manners.append(command[-1])
        return start(command, **more)

    monkeypatch.setattr("subprocess.Popen", started)
    found = apart.load_apart(cached_package(world.settings, made.model), made.model.digest)
    assert found is not None
    assert manners == ["idle", "nice"]


def test_bytes_that_were_not_approved_are_loaded_nowhere(world: World, made: Made, capfd: pytest.CaptureFixture[str]) -> None:
    folder = cached_package(world.settings, made.model)
    assert apart.load_apart(folder, "0" * 64) is None
    assert DigestMismatch.__name__ in capfd.readouterr().err


def test_a_small_package_is_not_worth_a_process(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(b"x" * 1000)
    assert not apart.is_large(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"x" * 5_000_000)
    assert apart.is_large(tmp_path)

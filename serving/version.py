"""A version that is loaded and ready to answer: checked by digest, its fastest faithful way to answer chosen, its needs known."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from adapters.model_cache import cached_package
from adapters.onnx_runtime import ONNX_RUNTIME
from adapters.package_store import LoadedPackage, load_package
from adapters.settings import Settings
from contracts.package import ColumnType, Manifest
from contracts.rollout import ModelRef
from serving.apart import is_large, load_apart
from serving.columns import Columns
from serving.direct import Predict
from serving.engine import Engine, choose_engine

_NEUTRAL: dict[ColumnType, Any] = {"float": 0.0, "int": 0, "str": "", "bool": False}
_QUICK = {1: 200e-6, 64: 500e-6}  # seconds of processor time that rows may take where handing over to a thread is to cost more
_TRIES, _TRYING_SECONDS = 5, 0.05  # at least so many, and as many more as there is time for: a version stays what it was found to be
_MISSING: dict[ColumnType, Any] = {"float": math.nan, "int": math.nan, "str": None}


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A model that answers columns.

    Attributes:
        predict: n rows to float64, (n,) values or chances of the second class, or (n, k) chances; raises whatever the model raises.
        required: columns in which the model cannot answer a missing value.
        engine: who computes its answers, and why.
        quick: whether it answers a few rows in less time than a hand-over to another thread takes, measured when it was loaded.
    """

    model: ModelRef
    manifest: Manifest
    predict: Predict
    required: frozenset[str]
    engine: Engine
    quick: bool = False

    @property
    def platform(self) -> str:
        """The Open Inference Protocol's word for what runs the model."""
        return "understudy_onnxruntime" if self.engine.name == ONNX_RUNTIME else "understudy_sklearn"

    def reads_as(self, other: LoadedVersion) -> bool:
        """Say whether columns read for the other version may be answered by this one."""
        return self.manifest.columns == other.manifest.columns and self.required == other.required

    def stands_in_for(self, other: LoadedVersion) -> bool:
        """Say whether a request read for the other version may be answered by this one, in the same form."""
        here, there = self.manifest, other.manifest
        return self.reads_as(other) and (here.task, here.classes) == (there.task, there.classes)


def load_version(settings: Settings, model: ModelRef, *, apart: bool = False) -> LoadedVersion:
    """Fetch a version where it is absent, check its bytes, load it and answer with it once, so that the first request is not the slow one.

    Args:
        apart: whether this process answers users meanwhile: then another one reads what is large.

    Raises:
        DigestMismatch: its bytes are not the ones approved; nothing of it was loaded.
        OutsideError: it could not be fetched; trying again may help.
    """
    folder = cached_package(settings, model)
    found = load_apart(folder, model.digest) if apart and is_large(folder) else None
    if found is None:
        package = load_package(folder, model.digest)
        predict, engine, required, quick = tried(package)
    else:
        fitted, required, quick = found
        package = load_package(folder, model.digest, fitted)
        predict, engine = choose_engine(package)
    return LoadedVersion(model, package.manifest, predict, required, engine, quick)


def tried(package: LoadedPackage) -> tuple[Predict, Engine, frozenset[str], bool]:
    """Return who answers for a package, what it cannot answer without, and whether it is quick."""
    predict, engine = choose_engine(package)
    return predict, engine, _required(predict, package.manifest), _is_quick(predict, package.manifest)


def _required(predict: Predict, manifest: Manifest) -> frozenset[str]:
    """Find by trying which columns the model cannot answer without; none where it does not take our neutral row (feature code may not)."""
    row: Columns = {name: [_NEUTRAL[kind]] for name, kind in manifest.columns.items()}
    if not _answers(predict, row):
        return frozenset()
    gaps = {name: [_MISSING[kind]] for name, kind in manifest.columns.items() if kind in _MISSING}
    return frozenset(name for name, gap in gaps.items() if not _answers(predict, row | {name: gap}))


def _is_quick(predict: Predict, manifest: Manifest) -> bool:
    """Measure on neutral rows; what does not answer those is not quick."""
    for rows, most in _QUICK.items():
        columns: Columns = {name: [_NEUTRAL[kind]] * rows for name, kind in manifest.columns.items()}
        if not _answers(predict, columns):
            return False
        if not _is_ever_within(most, predict, columns):
            return False
    return True


def _is_ever_within(most: float, predict: Predict, columns: Columns) -> bool:
    """Say whether an answer ever takes no more than so many seconds: a machine that is held up must not make a quick version slow."""
    until, tries = time.perf_counter() + _TRYING_SECONDS, 0
    while tries < _TRIES or time.perf_counter() < until:
        if _seconds(predict, columns) <= most:
            return True
        tries += 1
    return False


def _seconds(predict: Predict, columns: Columns) -> float:
    started = time.thread_time()  # of this thread alone: whatever else the machine does is not the model's fault
    predict(columns)
    return time.thread_time() - started


def _answers(predict: Predict, row: Columns) -> bool:
    try:
        predict(row)
    except Exception:  # noqa: BLE001  # the model's own code may raise anything; here that is the answer, not a failure
        return False
    return True

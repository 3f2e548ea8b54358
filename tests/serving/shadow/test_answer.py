"""A group goes through the model together, and what the model raises is the evidence of those rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.package_store import LoadedPackage, load_package, write_package
from contracts.package import package_digest
from contracts.rollout import ModelRef
from contracts.spec import Params, PipelineSpec
from contracts.traffic import ShadowBatch
from serving.engine import choose_engine
from serving.shadow.answer import Rows, Stamp
from serving.shadow.answer import answer as answer_group
from serving.version import LoadedVersion
from tests.serving.shadow.conftest import SPEC, history, hour
from training.fit import fit

STAMP = Stamp("demand", ModelRef("2", "d", "file:///x", "s1", hour(0)), 3, lambda: 5)
PICKY = """
import numpy as np
CALLS = []
def build(frame):
    CALLS.append(len(frame))
    if (frame["a"] == 13).any():
        raise ValueError("no thirteen")
    if (frame["a"] == 14).any():
        raise SystemExit(0)
    if (frame["a"] == 15).any():
        raise MemoryError
    return frame
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> LoadedPackage:
    return packed(tmp_path_factory.mktemp("package"), PICKY)


def packed(folder: Path, code: str) -> LoadedPackage:
    files = fit(history(400), PipelineSpec.model_validate(SPEC), Params(), code).files
    return load_package(write_package(folder, files), package_digest(files))


def answer(package: LoadedPackage, group: list[Rows], stamp: Stamp) -> list[ShadowBatch]:
    predict, engine = choose_engine(package)
    return answer_group(LoadedVersion(stamp.model, package.manifest, predict, frozenset(), engine), group, stamp)


def rows(*values: Any, name: str = "r") -> Rows:
    features = {"a": list(values), "b": [1] * len(values), "kind": ["x"] * len(values)}
    return Rows([f"{name}{value}" for value in values], list(range(len(values))), features)


def test_the_first_is_asked_alone_and_the_rest_in_one_call(package: LoadedPackage) -> None:
    package.build.__globals__["CALLS"].clear()  # type: ignore[union-attr]  # it has feature code
    (done,) = answer(package, [rows(float(number)) for number in range(100, 200)], STAMP)
    assert package.build.__globals__["CALLS"] == [1, 99]  # type: ignore[union-attr]  # it has feature code
    assert (len(done.predictions), done.error, done.version, done.epoch, done.answered_at) == (100, None, "2", 3, 5)
    assert done.request_ids[:2] == ["r100.0", "r101.0"]
    assert done.latency_us > 0
    alone = answer(package, [rows(150.0)], STAMP)[0].predictions
    assert done.predictions[50] == pytest.approx(alone[0])


@pytest.mark.parametrize("place", [0, 1, 57, 99])
def test_a_row_that_the_model_cannot_answer_costs_no_other_its_evidence(package: LoadedPackage, place: int) -> None:
    group = [rows(1.0, 2.0) for _ in range(100)]
    group[place] = rows(1.0, 13.0, 2.0, name="bad")
    good, bad = answer(package, group, STAMP)
    assert (len(good.predictions), good.error) == (2 * 99 + 2, None)
    assert (bad.request_ids, bad.rows, bad.predictions, bad.error) == (["bad13.0"], [1], [], "ValueError: no thirteen")


def test_different_errors_are_kept_apart_and_even_an_exit_is_one(package: LoadedPackage) -> None:
    group = [rows(13.0), rows(14.0), rows(13.0), rows(None), rows(0.0)]
    done = {one.error: one.request_ids for one in answer(package, group, STAMP)}
    assert done.pop("ValueError: no thirteen") == ["r13.0", "r13.0"]
    assert done.pop("SystemExit: 0") == ["r14.0"]
    assert done.pop(None) == ["r0.0"]
    (missing,) = done.values()
    assert missing == ["rNone"]


def test_a_column_that_the_model_needs_and_the_log_lacks_is_an_error_of_those_rows(package: LoadedPackage) -> None:
    lacking = Rows(["old"], [0], {"a": [1.0], "kind": ["x"]})
    done = {one.error: one.request_ids for one in answer(package, [rows(1.0), lacking, rows(2.0)], STAMP)}
    assert done == {None: ["r1.0", "r2.0"], "UsageError: Column 'b' is missing. The model needs: a, b, kind.": ["old"]}


def test_an_answer_that_is_no_number_is_an_error(package: LoadedPackage) -> None:
    with np.errstate(over="ignore"):
        done = {one.error: one.request_ids for one in answer(package, [rows(1.0), rows(1e308)], STAMP)}
    assert done == {None: ["r1.0"], "ValueError: an answer is not a finite number": ["r1e+308"]}


def test_no_memory_is_not_evidence_but_the_end_of_the_process(package: LoadedPackage) -> None:
    with pytest.raises(MemoryError):
        answer(package, [rows(1.0), rows(15.0)], STAMP)


def test_too_few_answers_are_an_error(tmp_path: Path) -> None:
    loses = packed(tmp_path, "def build(frame):\n    return frame[frame['a'] < 90]\n")
    done = {one.error: one.request_ids for one in answer(loses, [rows(1.0), rows(2.0, 95.0)], STAMP)}
    assert done[None] == ["r1.0", "r2.0"]
    assert len(done) == 2


def test_an_empty_group_gives_nothing(package: LoadedPackage) -> None:
    assert answer(package, [], STAMP) == []
